//! The payment provider of the local stack. [`payments::emulator`] has the code.

use anyhow::Context as _;
use clap::Parser as _;
use payments::emulator::{self, Cli, Command, ServeOptions};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(options) => serve(*options).await,
        Command::Faults { faults, at } => at.faults(faults).await,
        Command::Books { at } => at.books().await,
    }
}

async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    options.start_logging().context("--log-filter")?;
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("can't listen on {}", options.listen))?;
    let address = listener.local_addr()?;
    let options = options.into_options(address)?;
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
