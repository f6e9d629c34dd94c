//! What the projection writes: whole rows, many at once.
//!
//! Rows travel as one JSON array, so that a batch costs one round trip per table whatever its size. Every function runs
//! in the caller's transaction; none commits.

pub use query::table::{Row, copy, load, upsert};

pub use crate::batch_items::BatchItemRow;
pub use crate::batches::BatchRow;
pub use crate::clubs::ClubRow;
pub use crate::letters::LetterRow;
pub use crate::license_types::{LicenseTypeRow, Price};
pub use crate::licenses::LicenseRow;
pub use crate::orders::OrderRow;
pub use crate::receipts::ReceiptRow;
pub use crate::suspensions::SuspensionRow;
pub use crate::terms::TermsRow;
pub use crate::timeline::TimelineRow;
pub use crate::users::UserRow;
