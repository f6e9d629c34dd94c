//! Pages as pictures, and their text.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// A page in shades of grey.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

/// Whether poppler is installed. Says so when it is not, since nothing is then tested.
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
pub(crate) fn is_there() -> bool {
    let found = Command::new("pdftoppm").arg("-v").output().is_ok();
    if !found {
        eprintln!("NOT TESTED: no pdftoppm. Install poppler-utils, or run `make install`.");
    }
    found
}

impl Picture {
    /// The first page, at 150 dots per inch.
    pub(crate) fn of(pdf: &[u8]) -> Self {
        Self::read(&run(
            "pdftoppm",
            &["-r", "150", "-gray", "-f", "1", "-l", "1", "-"],
            pdf,
        ))
    }

    /// Reads a binary PGM: `P5 width height 255`, and the pixels.
    fn read(pgm: &[u8]) -> Self {
        let mut words = pgm.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut number = || -> usize {
            let word = words.next().expect("a word");
            std::str::from_utf8(word).unwrap().parse().unwrap_or_default()
        };
        let (_, width, height, _) = (number(), number(), number(), number());
        let pixels = pgm[pgm.len() - width * height..].to_vec();
        Self {
            width,
            height,
            pixels,
        }
    }

    /// The part of the pixels that is dark.
    pub(crate) fn darkness(&self) -> f64 {
        let dark = self.pixels.iter().filter(|pixel| **pixel < 128).count();
        f64::from(u32::try_from(dark).unwrap()) / f64::from(u32::try_from(self.pixels.len()).unwrap())
    }

    /// The text of the QR code in it.
    pub(crate) fn code(&self) -> String {
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, |x, y| {
            self.pixels[y * self.width + x]
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code on the page");
        grids[0].decode().expect("a readable code").1
    }
}

/// The text of all pages. Some versions of poppler write a no-break space as a space, so all are spaces here.
pub(crate) fn text(pdf: &[u8]) -> String {
    let text = run("pdftotext", &["-layout", "-", "-"], pdf);
    String::from_utf8(text).expect("UTF-8").replace('\u{a0}', " ")
}

fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("poppler-utils");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{program}: {said}");
    output.stdout
}
