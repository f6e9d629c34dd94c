//! No one where they don't belong: every route of both APIs, for everyone, with every kind of token.

#![expect(clippy::expect_used, reason = "a test that fails says so by panicking")]

mod by_hand;
mod forged;
mod matrix;
mod people;
