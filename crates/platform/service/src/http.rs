//! The public HTTP server: an accept loop with the limits `axum::serve` lacks, and the layers every route gets.
//!
//! **Invariant:** no client can hold a connection for free. Headers, handler and each stalled write have a time
//! limit, bodies and headers a size limit, connections a count, and a drain a hard deadline.

mod answer;
mod client;
mod connections;
mod head;
mod layers;
mod record;
mod stall;
mod unreadable;

use std::time::Duration;

use axum::Router;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use client::ClientAddress;
pub use client::Network;
pub(crate) use layers::timed_out;
pub use layers::{apply_layers, apply_layers_with};

/// Limits of one HTTP server. The command line offers what depends on the installation; the rest is fixed per
/// process in code.
#[derive(Debug, Clone, Args)]
pub struct HttpOptions {
    /// The most client connections open at once; further ones wait to be accepted
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = Self::MAX_CONNECTIONS, value_name = "COUNT")]
    pub max_connections: usize,
    /// Seconds that a connection may idle between two requests; longer than the load balancer in front keeps one
    #[arg(long, env = "IDLE_TIMEOUT_S", default_value_t = Self::IDLE_TIMEOUT_S, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub idle_timeout_s: u32,
    /// Networks of our own proxies, separated by commas: only they say where a request comes from, by X-Forwarded-For
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_name = "NETWORKS")]
    pub trusted_proxies: Vec<Network>,
    /// How long a request's headers may take to arrive, from their first byte
    #[arg(skip = Self::HEADER_READ_TIMEOUT)]
    pub header_read_timeout: Duration,
    /// How long a request's body may take to arrive before it is answered with 408
    #[arg(skip = Self::BODY_READ_TIMEOUT)]
    pub body_read_timeout: Duration,
    /// How long a request may take, body included, before it is answered with 503
    #[arg(skip = Self::REQUEST_TIMEOUT)]
    pub request_timeout: Duration,
    /// How long a client may take nothing of an answer that waits for it
    #[arg(skip = Self::WRITE_STALL_TIMEOUT)]
    pub write_stall_timeout: Duration,
    /// How long requests in flight may go on after shutdown begins
    #[arg(skip = Self::DRAIN_TIMEOUT)]
    pub drain_timeout: Duration,
    /// The most bytes of body a request may have
    #[arg(skip = Self::BODY_LIMIT)]
    pub body_limit: usize,
}

impl HttpOptions {
    const MAX_CONNECTIONS: usize = 4096;
    /// Load balancers keep idle connections for 60 s by default (AWS, nginx); closing first loses requests.
    const IDLE_TIMEOUT_S: u32 = 75;
    const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
    const BODY_READ_TIMEOUT: Duration = Duration::from_secs(20);
    const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
    const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(30);
    const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);
    const BODY_LIMIT: usize = 1024 * 1024;
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            max_connections: Self::MAX_CONNECTIONS,
            idle_timeout_s: Self::IDLE_TIMEOUT_S,
            trusted_proxies: Vec::new(),
            header_read_timeout: Self::HEADER_READ_TIMEOUT,
            body_read_timeout: Self::BODY_READ_TIMEOUT,
            request_timeout: Self::REQUEST_TIMEOUT,
            write_stall_timeout: Self::WRITE_STALL_TIMEOUT,
            drain_timeout: Self::DRAIN_TIMEOUT,
            body_limit: Self::BODY_LIMIT,
        }
    }
}

/// Serves the router with [the layers](apply_layers) until `shutdown`, then finishes what is in flight.
///
/// On shutdown the listener closes at once, requests in flight finish, and their connections close. Requests that are not
/// done after [`HttpOptions::drain_timeout`] are cut off. Returns after that.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: HttpOptions,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "listening");
    let router = apply_layers_with(router, &options);
    connections::serve(listener, router, &options, shutdown).await;
    Ok(())
}

/// Serves a router with the connection limits and without [the layers](apply_layers): for the ops port, whose requests
/// are neither counted nor logged.
pub(crate) async fn serve_unlayered(
    listener: TcpListener,
    router: Router,
    options: HttpOptions,
    shutdown: CancellationToken,
) {
    connections::serve(listener, router, &options, shutdown).await;
}
