//! What the projection writes: whole rows, many at once.
//!
//! Rows travel as one JSON array, so that a batch costs one round trip per table whatever its size. Every function runs
//! in the caller's transaction; none commits.

mod rows;

pub use rows::{ClubRow, LicenseRow, LicenseTypeRow, OrderRow, Price, Row, copy, load, upsert};
