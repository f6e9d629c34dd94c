//! `stack offline -- <command>`: work on this checkout's data while the shop is down.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;

use crate::checkout::Checkout;
use crate::process::Process;
use crate::progress::Progress;
use crate::servers::{Servers, given};
use crate::system::System;
use crate::test_servers::{attend, exit_code};
use crate::up::servers_config;
use crate::{install, launch, leftovers};

/// Starts this checkout's servers and brings its databases up to date, runs the command with the settings of command-api and
/// of the projector, and returns its exit code.
pub async fn run(command: &[String], progress: Progress) -> anyhow::Result<ExitCode> {
    let checkout = Checkout::here()?;
    let _lock = checkout.lock()?;
    leftovers::end(&checkout, progress).await?;
    install::ensure(progress).await?;
    let config = servers_config(&checkout, false)?;
    let prepare = async {
        let servers = Servers::prepare(&config, given).await?;
        servers.start().await?;
        Ok(Arc::new(servers))
    };
    let servers = progress.step("start PostgreSQL, NATS and Redis", prepare).await?;
    let ended = match System::in_checkout(&checkout, Arc::clone(&servers), progress).await {
        Ok(system) => beside(&system, command).await,
        Err(error) => Err(error),
    };
    servers.stop().await;
    ended
}

async fn beside(system: &System, command: &[String]) -> anyhow::Result<ExitCode> {
    let (program, arguments) = command.split_first().context("no command given")?;
    let mut process = launch::dying_with_us(Path::new(program));
    process.args(arguments);
    // Where both have a setting, the one of command-api: as the owner of the log it may do more.
    for (name, value) in [Process::Projector, Process::CommandApi]
        .iter()
        .flat_map(|process| system.settings(*process))
    {
        process.env(name, value);
    }
    let ended = attend(process).await;
    ended
        .map(exit_code)
        .with_context(|| format!("cannot run {program}"))
}
