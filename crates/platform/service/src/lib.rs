//! What every program needs around its own work: one boot order, settings, HTTP with limits and a drain, problem answers,
//! login, rate limits, health, logs and metrics. Nothing here knows the domain.
//!
//! ```no_run
//! # async fn run(router: axum::Router) -> anyhow::Result<()> {
//! let booted = service::boot("command-api", &service::telemetry::LogOptions::default())?;
//! service::ops::serve(tokio::net::TcpListener::bind("127.0.0.1:9080").await?, &booted);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! service::http::serve(listener, router, service::http::HttpOptions::default(), booted.shutdown).await
//! # }
//! ```

mod boot;
mod exit;
pub mod telemetry;

pub mod http;
pub mod request_id;

pub mod docs;
pub mod extract;
pub mod problem;

pub mod auth;
pub mod limits;
pub mod return_key;
pub mod seller;

pub mod health;
pub mod metrics;
pub mod neighbour;
pub mod ops;

pub mod nats;
pub mod postgres;
pub mod redis;
/// Secrets of settings.
pub use ::secret;

pub use boot::{Booted, boot};
pub use exit::{Found, Inconclusive, exit};
