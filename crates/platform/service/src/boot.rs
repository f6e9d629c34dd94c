//! The one boot order of every process: logs, a panic hook that logs every panic, metrics, and the signals that end it.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::metrics;
use crate::telemetry::{self, LogOptions};

/// How often the recorder compacts its histograms, so that memory stays bounded without scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The longest panic message that is logged.
const MAX_PANIC_CHARS: usize = 500;

/// What a process has after boot.
#[derive(Clone, Debug)]
pub struct Booted {
    /// Cancelled on SIGTERM or SIGINT. Every long-running task then ends.
    pub shutdown: CancellationToken,
    /// Where each part reports whether it works.
    pub health: Health,
    /// The recorder behind `/metrics`.
    pub metrics: PrometheusHandle,
}

/// Sets up logs, panic hook, metrics and signals, and logs the start line. Call once, first, inside the runtime.
pub fn boot(name: &'static str, log_options: &LogOptions) -> anyhow::Result<Booted> {
    telemetry::init(log_options)?;
    std::panic::set_hook(Box::new(log_panic));
    let metrics = metrics::install(name).context("cannot install the metrics recorder")?;
    let shutdown = CancellationToken::new();
    spawn_upkeep(metrics.clone());
    spawn_signals(shutdown.clone()).context("cannot listen for signals")?;
    tracing::info!(
        service = name,
        version = env!("CARGO_PKG_VERSION"),
        revision = option_env!("GIT_REVISION").unwrap_or("unknown"),
        pid = std::process::id(),
        log_format = ?log_options.log_format,
        log_filter = log_options.log_filter,
        "starting"
    );
    Ok(Booted {
        health: Health::new(shutdown.clone()),
        shutdown,
        metrics,
    })
}

fn spawn_upkeep(metrics: PrometheusHandle) {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            ticks.tick().await;
            metrics.run_upkeep();
        }
    });
}

fn spawn_signals(shutdown: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "shutting down");
        shutdown.cancel();
    });
    Ok(())
}

fn log_panic(info: &PanicHookInfo<'_>) {
    ::metrics::counter!(metrics::PANICS).increment(1);
    let message: String = info
        .payload_as_str()
        .unwrap_or("not a string")
        .chars()
        .take(MAX_PANIC_CHARS)
        .collect();
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    let backtrace = Backtrace::capture();
    tracing::error!(panic = message, location, thread, %backtrace, "panicked");
}
