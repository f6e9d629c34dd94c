//! `stack test-servers -- <command>`: one set of servers for a whole test run, so that each test needs only a
//! database of its own.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::child::Child;
use crate::progress::Progress;
use crate::servers::Servers;
use crate::{install, launch, left_databases, nats_logins};

/// Ctrl-C reaches the command directly; this is the time that a test runner needs to stop its tests.
const INTERRUPT_DEADLINE: Duration = Duration::from_secs(20);

/// Starts servers, runs the command, and returns its exit code.
pub async fn run(command: &[String], progress: Progress) -> anyhow::Result<ExitCode> {
    install::ensure(progress).await?;
    install::ensure_prometheus(progress).await;
    install::ensure_poppler(progress).await;
    let servers = progress
        .step("start the test servers", Servers::given_or_temporary())
        .await?;
    let (program, arguments) = command.split_first().context("no command given")?;
    let mut process = launch::dying_with_us(Path::new(program));
    process
        .args(arguments)
        .env("DATABASE_URL", servers.postgres().url())
        .env("NATS_URL", servers.nats().url())
        .env("REDIS_URL", servers.redis().url());
    for file in ["DATABASE_URL_FILE", "NATS_URL_FILE", "REDIS_URL_FILE"] {
        process.env_remove(file);
    }
    if let Some(logins) = servers.nats_logins() {
        process.env(nats_logins::VARIABLE, logins.dir());
    }
    let attended = attend(process);
    let status = if servers.postgres().is_ours() {
        tokio::select! {
            status = attended => status,
            never = left_databases::drop_for_ever(servers.postgres().url()) => match never {},
        }
    } else {
        attended.await
    };
    let status = status.with_context(|| format!("cannot run {program}"));
    servers.stop().await;
    status.map(exit_code)
}

/// Runs a command to its end, also when the terminal or a signal ends it.
pub(crate) async fn attend(command: Command) -> anyhow::Result<ExitStatus> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let child = Child::watch(launch::spawn_from_lasting_thread(command)?);
    Ok(tokio::select! {
        status = child.exited() => status,
        _ = interrupt.recv() => end(&child, true).await,
        _ = terminate.recv() => end(&child, false).await,
    })
}

/// Waits for a command that the terminal has interrupted, or signals it: SIGTERM first, then SIGKILL.
async fn end(child: &Child, told_by_terminal: bool) -> ExitStatus {
    let signals = [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)];
    for signal in signals.into_iter().skip(usize::from(!told_by_terminal)) {
        if let Some(signal) = signal {
            child.signal(signal);
        }
        if let Ok(status) = tokio::time::timeout(INTERRUPT_DEADLINE, child.exited()).await {
            return status;
        }
    }
    child.exited().await
}

/// As a shell would report it: 128 + signal for a command that was killed.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
