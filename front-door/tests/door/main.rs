//! The service by HTTP, with a real issuer behind it. A browser's cookies are held by hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

mod check;
mod command_line;
mod hostile;
mod issuer;
mod keys;
mod login;
mod openapi;
mod refresh;
