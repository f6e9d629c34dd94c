//! No one where they don't belong: every route of both APIs, for everyone, with every kind of token.

mod by_hand;
mod forged;
mod matrix;
mod people;
