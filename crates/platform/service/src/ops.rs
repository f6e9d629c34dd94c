//! The ops port: health for the orchestrator and metrics for Prometheus. It is separate from the public port, so that
//! neither a full public port nor a drain hides them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use clap::Args;
use metrics_process::Collector;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::boot::Booted;
use crate::extract::Json;
use crate::http::{self, HttpOptions};

/// Where the ops port listens. Each program sets its own default port with `mut_arg("ops_listen", …)`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct OpsOptions {
    /// Address for /metrics, /health/live and /health/ready
    #[arg(
        long,
        env = "OPS_LISTEN",
        default_value = "127.0.0.1:9080",
        value_name = "ADDRESS"
    )]
    pub ops_listen: SocketAddr,
}

/// Few clients connect here; a stuck scraper must not use up the process's file descriptors.
const MAX_CONNECTIONS: usize = 64;

/// Serves `/metrics`, `/health/live` and `/health/ready` in its own task until the process ends: readiness must answer
/// "not ready" during the whole shutdown.
pub fn serve(listener: TcpListener, booted: &Booted) {
    let router = router(booted);
    tokio::spawn(async move {
        let never = CancellationToken::new();
        let options = HttpOptions {
            max_connections: MAX_CONNECTIONS,
            ..HttpOptions::default()
        };
        http::serve_unlayered(listener, router, options, never).await;
    });
}

fn router(booted: &Booted) -> Router {
    let health = booted.health.clone();
    let ready = move || async move {
        let readiness = health.readiness();
        let status = if readiness.is_ready() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, [(header::CACHE_CONTROL, "no-store")], Json(readiness))
    };
    let recorder = booted.metrics.clone();
    let process = Arc::new(Collector::default());
    process.describe();
    let metrics = move || async move {
        process.collect();
        (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            recorder.render(),
        )
            .into_response()
    };
    Router::new()
        .route(
            "/health/live",
            get(|| async { Json(serde_json::json!({ "status": "live" })) }),
        )
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
}
