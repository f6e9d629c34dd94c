//! The two typefaces, and lines of text set in them.
//!
//! Noto Sans, cut down to Latin, Greek and Cyrillic (`fonts/OFL.txt`). A character of another script is drawn as U+FFFD; a
//! reader that copies the text still gets the character. Names are stored composed (NFC), so a character is a glyph and no
//! shaping is needed.

use std::sync::LazyLock;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider as _};

static REGULAR: LazyLock<Option<Loaded>> =
    LazyLock::new(|| Loaded::from(include_bytes!("../fonts/NotoSans-Regular-subset.ttf")));
static BOLD: LazyLock<Option<Loaded>> =
    LazyLock::new(|| Loaded::from(include_bytes!("../fonts/NotoSans-Bold-subset.ttf")));

/// What stands for a character that the typefaces do not have.
const REPLACEMENT: char = '\u{fffd}';
const ELLIPSIS: char = '…';

struct Loaded {
    font: Font,
    outlines: FontRef<'static>,
}

impl Loaded {
    fn from(file: &'static [u8]) -> Option<Self> {
        Some(Self {
            font: Font::new(file.into(), 0)?,
            outlines: FontRef::new(file).ok()?,
        })
    }
}

/// A weight of the typeface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// Text on one line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) glyphs: Vec<KrillaGlyph>,
    pub(crate) size: f32,
    pub(crate) width: f32,
    pub(crate) weight: Weight,
}

impl Weight {
    fn loaded(self) -> Option<&'static Loaded> {
        match self {
            Self::Regular => REGULAR.as_ref(),
            Self::Bold => BOLD.as_ref(),
        }
    }

    /// The font; `None` if the file in this build is damaged.
    pub(crate) fn font(self) -> Option<Font> {
        self.loaded().map(|loaded| loaded.font.clone())
    }

    /// Sets text on one line, however long it gets.
    pub(crate) fn line(self, text: &str, size: f32) -> Line {
        let mut line = Line {
            text: printable(text),
            glyphs: Vec::new(),
            size,
            width: 0.0,
            weight: self,
        };
        let Some(loaded) = self.loaded() else { return line };
        let map = loaded.outlines.charmap();
        // With a size of 1 the advances are in parts of the size, as krilla wants them.
        let metrics = GlyphMetrics::new(&loaded.outlines, Size::new(1.0), LocationRef::default());
        for (at, character) in line.text.char_indices() {
            let Some(glyph) = map.map(character).or_else(|| map.map(REPLACEMENT)) else {
                continue;
            };
            let advance = metrics.advance_width(glyph).unwrap_or_default();
            line.width += advance * size;
            line.glyphs.push(KrillaGlyph::new(
                GlyphId::new(glyph.to_u32()),
                advance,
                0.0,
                0.0,
                0.0,
                at..at + character.len_utf8(),
                None,
            ));
        }
        line
    }

    /// Sets text on at most `most` lines of this width, in the largest size from `size` down to half of it that it fits in.
    /// Text that does not even fit then ends with an ellipsis.
    pub(crate) fn fitted(self, text: &str, size: f32, width: f32, most: usize) -> Vec<Line> {
        let mut smaller = size;
        loop {
            let lines = self.wrapped(text, smaller, width);
            if lines.len() <= most {
                return lines;
            }
            if smaller <= size / 2.0 {
                return self.cut(lines, width, most);
            }
            smaller -= size / 16.0;
        }
    }

    /// Breaks at spaces; a word that is longer than a line is broken where the line ends.
    fn wrapped(self, text: &str, size: f32, width: f32) -> Vec<Line> {
        let mut lines: Vec<String> = vec![String::new()];
        for word in text.split_inclusive(' ') {
            if let Some(last) = lines.last_mut()
                && (last.is_empty() || self.fits(&format!("{last}{word}"), size, width))
                && self.fits(word, size, width)
            {
                last.push_str(word);
            } else if self.fits(word, size, width) {
                lines.push(word.to_owned());
            } else {
                self.broken(word, size, width, &mut lines);
            }
        }
        lines.iter().map(|line| self.line(line, size)).collect()
    }

    fn broken(self, word: &str, size: f32, width: f32, lines: &mut Vec<String>) {
        for character in word.chars() {
            match lines.last_mut() {
                Some(last) if self.fits(&format!("{last}{character}"), size, width) => last.push(character),
                _ => lines.push(character.to_string()),
            }
        }
    }

    /// A space at the end of a line takes no room.
    fn fits(self, text: &str, size: f32, width: f32) -> bool {
        self.line(text.trim_end_matches(' '), size).width <= width
    }

    fn cut(self, mut lines: Vec<Line>, width: f32, most: usize) -> Vec<Line> {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let mut text = last.text.trim_end().to_owned();
            let size = last.size;
            while !text.is_empty() && !self.fits(&format!("{text}{ELLIPSIS}"), size, width) {
                text.pop();
            }
            text.push(ELLIPSIS);
            *last = self.line(&text, size);
        }
        lines
    }
}

/// The text without what PDF/UA refuses or a line cannot show: line ends, tabs and other controls become spaces, and what is
/// no character becomes U+FFFD.
fn printable(text: &str) -> String {
    let of = |character: char| match character {
        character if character.is_control() => ' ',
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{e000}'..='\u{f8ff}' => REPLACEMENT,
        character => character,
    };
    text.chars().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_north_have_all_their_letters() {
        for weight in [Weight::Regular, Weight::Bold] {
            let missing = weight.line("\u{fffd}", 10.0).glyphs[0].glyph_id;
            for character in "ÆØÅæøåéèüöäłŁšžčđŋŧŠŽČÑçßΩЖя–…€№".chars() {
                let glyph = weight.line(&character.to_string(), 10.0).glyphs[0].glyph_id;
                assert_ne!(glyph, missing, "{character}");
            }
            assert_eq!(weight.line("李", 10.0).glyphs[0].glyph_id, missing);
        }
    }

    #[test]
    fn text_is_broken_at_spaces_made_smaller_and_at_last_cut() {
        let texts = |lines: Vec<Line>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
        let regular = Weight::Regular;
        assert_eq!(
            texts(regular.fitted("Kari Nordmann", 12.0, 200.0, 1)),
            ["Kari Nordmann"]
        );
        let wide = regular.line("Kari Nordmann", 12.0).width;
        assert_eq!(
            texts(regular.fitted("Kari Nordmann", 12.0, wide - 1.0, 2)),
            ["Kari ", "Nordmann"]
        );
        let smaller = regular.fitted("Kari Nordmann", 12.0, wide - 1.0, 1);
        assert!(smaller[0].size < 12.0 && smaller[0].width < wide, "{smaller:?}");
        let cut = regular.fitted(&"Nordmann ".repeat(30), 12.0, 100.0, 2);
        assert!(cut[1].text.ends_with('…') && cut[1].width <= 100.0, "{cut:?}");
        let long = regular.fitted(&"N".repeat(40), 12.0, 100.0, 9);
        assert!(
            long.len() > 1 && long.iter().all(|line| line.width <= 100.0),
            "{long:?}"
        );
    }
}
