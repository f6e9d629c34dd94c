//! The sessions of browsers: login at an OpenID Connect issuer, and tokens that no script ever sees.
//!
//! A session is a cookie that holds the person's tokens, sealed with a key that only this program knows. Nothing is stored,
//! so every instance opens it, and a restart ends no session. The edge asks [`router`] about each request for an API, and
//! passes on the token that it gets. The APIs know nothing of cookies.

pub mod config;
mod serve;

pub mod router;
mod state;

mod begin_login;
mod end_login;
mod failure;

mod check;
mod logout;
mod me;
mod refresh;

mod attempt;
mod session;

mod cookies;
pub mod keys;
mod origin;
mod problems;
pub mod provider;

pub mod openapi;

pub mod metrics;

pub use origin::Origin;
pub use serve::serve;
pub use state::AppState;
