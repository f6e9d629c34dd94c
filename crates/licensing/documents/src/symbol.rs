//! A QR code as a path.

use krilla::geom::{Path, PathBuilder, Rect};
use qrcode::{Color, EcLevel, QrCode};

use crate::sheet::DocumentError;

/// Light modules around the symbol (ISO/IEC 18004).
const QUIET: usize = 4;
/// Rows overlap by this part of a module, so that no renderer leaves a light line between them.
const OVERLAP: f32 = 0.02;

/// The dark modules of the code for a text, in a square at this place, the quiet zone included.
pub(crate) fn path(text: &str, left: f32, top: f32, side: f32) -> Result<Path, DocumentError> {
    let code =
        QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| DocumentError::CodeTooLong)?;
    let width = code.width();
    let module = side / modules(width + 2 * QUIET);
    let colors = code.to_colors();
    let mut path = PathBuilder::new();
    for (row, line) in colors.chunks(width).enumerate() {
        let mut column = 0;
        for run in line.chunk_by(|a, b| a == b) {
            if run[0] == Color::Dark {
                let rect = Rect::from_xywh(
                    left + modules(QUIET + column) * module,
                    top + modules(QUIET + row) * module,
                    modules(run.len()) * module,
                    module * (1.0 + OVERLAP),
                );
                path.push_rect(rect.ok_or(DocumentError::Layout)?);
            }
            column += run.len();
        }
    }
    path.finish().ok_or(DocumentError::Layout)
}

/// A symbol has at most 177 modules a side.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn modules(count: usize) -> f32 {
    count as f32
}
