//! Rate limits: what all instances count together in Redis, what each counts alone without it, and what clients see.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod counted;
mod hostile;
mod outages;
mod shop;

mod support;
