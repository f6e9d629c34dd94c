//! The payment provider of the local stack. [`payments::emulator`] has the code.

use anyhow::Context as _;
use clap::Parser as _;
use payments::emulator::{self, Cli};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    cli.start_logging().context("--log-filter")?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    let listener = TcpListener::bind(cli.listen)
        .await
        .with_context(|| format!("can't listen on {}", cli.listen))?;
    let address = listener.local_addr()?;
    let options = cli.into_options(address)?;
    tracing::info!(%address, ?options, version = env!("CARGO_PKG_VERSION"), "payment emulator started");
    emulator::serve(listener, options, shutdown)
        .await
        .inspect_err(|error| tracing::error!(%error, "stopped"))?;
    tracing::info!("payment emulator stopped");
    Ok(())
}

fn stop_on_signal(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}
