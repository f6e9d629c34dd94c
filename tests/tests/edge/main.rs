//! One address for pages, APIs and login: the routes of the edge, read through a real nginx in front of the real system.
//!
//! Where front-door is away on purpose, no public route ends.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod caching;
mod headers;
mod limits;
mod log;
mod outages;
mod routing;
mod session;
mod support;
