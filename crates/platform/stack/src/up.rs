//! `make up`: everything, in the foreground, until Ctrl-C.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono::TimeDelta;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::catalogue::{self, Catalogue};
use crate::checkout::{Checkout, write_private};
use crate::databases::Databases;
use crate::issuer::{Role, SigningKey, clubs_of};
use crate::process::Process;
use crate::progress::Progress;
use crate::proof::{self, Buyer, Purchase};
use crate::servers::{Servers, ServersConfig, given};
use crate::system::{System, Tokens};
use crate::{install, leftovers, summary};

/// Runs the system, with TLS if `tls` and with replicas of PostgreSQL, until a signal or a failure that no restart repairs.
/// Stops everything that it started before it returns.
pub async fn run(tls: bool, replicas: u8, progress: Progress) -> anyhow::Result<()> {
    let checkout = Checkout::here()?;
    let _lock = checkout.lock()?;
    let stop = stop_on_signals(progress)?;
    remove_if_there(&checkout.stack_env())?;
    leftovers::end(&checkout, progress).await?;

    let servers = OnceCell::new();
    let system = OnceCell::new();
    let result = tokio::select! {
        result = bring_up(&checkout, (tls, replicas), progress, &servers, &system) => match result {
            Ok(()) => {
                stop.cancelled().await;
                Ok(())
            }
            Err(error) => Err(error),
        },
        () = stop.cancelled() => Ok(()),
    };

    remove_if_there(&checkout.stack_env())?;
    progress.line("stopping …");
    if let Some(system) = system.get() {
        System::stop(system).await;
    }
    if let Some(servers) = servers.get() {
        Servers::stop(servers).await;
    }
    progress.line("stopped; nothing is left running, and the data is kept");
    result
}

async fn bring_up(
    checkout: &Checkout,
    (tls, replicas): (bool, u8),
    progress: Progress,
    servers: &OnceCell<Arc<Servers>>,
    system: &OnceCell<System>,
) -> anyhow::Result<()> {
    install::ensure(progress).await?;
    for process in Process::in_a_checkout() {
        rotate(&checkout.logs()?.join(format!("{process}.log")))?;
    }
    let config = ServersConfig {
        replicas,
        ..servers_config(checkout, tls)?
    };
    let prepare = async { Ok(Arc::new(Servers::prepare(&config, given).await?)) };
    let servers = servers
        .get_or_try_init(|| progress.step("prepare PostgreSQL, NATS and Redis", prepare))
        .await?;
    progress
        .step("start PostgreSQL, NATS and Redis", Servers::start(servers))
        .await?;
    let prepare = || System::in_checkout(checkout, Arc::clone(servers), progress);
    let system = system.get_or_try_init(prepare).await?;
    progress
        .step(
            "start payment-emulator, mail, command-api, projector, query-api, front-door and edge",
            System::start(system),
        )
        .await?;

    let staff = system.tokens(&[])?.staff;
    let command_api_url = system.command_api_url();
    let load = catalogue::load(&command_api_url, &staff);
    let catalogue = progress
        .step("load license types and clubs through commands", load)
        .await?;
    let (club, _) = catalogue
        .clubs
        .first()
        .context("no command answered with a club")?;
    let tokens = system.tokens(&[*club])?;
    let buyer = Buyer {
        command_api_url,
        query_api_url: system.query_api_url(),
        token: tokens.customer.clone(),
        club: *club,
    };
    let purchase = progress.step("buy one license", proof::buy(&buyer)).await?;
    announce(checkout, system, &tokens, &catalogue, &purchase, progress)
}

fn announce(
    checkout: &Checkout,
    system: &System,
    tokens: &Tokens,
    catalogue: &Catalogue,
    purchase: &Purchase,
    progress: Progress,
) -> anyhow::Result<()> {
    write_private(
        &checkout.stack_env(),
        summary::stack_env(system, tokens)?.as_bytes(),
    )?;
    progress.plain(&summary::text(system, catalogue, purchase));
    Ok(())
}

pub(crate) fn servers_config(checkout: &Checkout, tls: bool) -> anyhow::Result<ServersConfig> {
    Ok(ServersConfig {
        data: checkout.data()?,
        data_outside: checkout.data_outside(),
        logs: checkout.logs()?,
        pids: Some(checkout.pids()?),
        durable: true,
        any_stream: false,
        tls,
        replicas: 0,
    })
}

/// Keeps one log of the run before, so that logs stay bounded.
fn rotate(log: &Path) -> anyhow::Result<()> {
    if log.exists() {
        std::fs::rename(log, log.with_extension("log.1")).context("cannot rotate a log file")?;
    }
    Ok(())
}

/// Ctrl-C, `kill`, and a closed terminal.
fn stop_on_signals(progress: Progress) -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if token.is_cancelled() {
                progress.line("already stopping; this takes a few seconds");
            }
            token.cancel();
        }
    });
    Ok(stop)
}

fn remove_if_there(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// A fresh token for the stack that runs in this checkout.
pub fn token(role: Role, subject: Option<String>, clubs: &[Uuid], ttl_hours: u32) -> anyhow::Result<String> {
    let checkout = Checkout::here()?;
    let Ok(stack_env) = std::fs::read_to_string(checkout.stack_env()) else {
        bail!("no stack is running in this checkout: run `make up` first");
    };
    let name = format!("{role:?}").to_lowercase();
    // An organizer needs a club: use those in the token that `make up` printed.
    let clubs = if clubs.is_empty() && role == Role::Organizer {
        clubs_of(summary::value(&stack_env, "ORGANIZER_TOKEN").unwrap_or_default())
    } else {
        clubs.to_vec()
    };
    let key = SigningKey::load(&checkout.issuer_key()?)?;
    key.token(
        role,
        &subject.unwrap_or(name),
        &clubs,
        TimeDelta::hours(i64::from(ttl_hours)),
    )
}

/// Deletes all data of this checkout's stack. Installed programs stay.
pub async fn clean_data(progress: Progress) -> anyhow::Result<()> {
    let checkout = Checkout::here()?;
    let _lock = checkout.lock()?;
    leftovers::end(&checkout, progress).await?;
    if let Some(url) = given("database-url")? {
        Databases::named(&url, &checkout.id())?.drop().await?;
    }
    remove_if_there(&checkout.stack_env())?;
    for dir in [
        checkout.data()?,
        checkout.logs()?,
        checkout.pids()?,
        checkout.data_outside(),
    ] {
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
    }
    progress.line("all data of this checkout's stack is gone");
    Ok(())
}
