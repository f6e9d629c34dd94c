//! Personal data on the command line: its master keys, and the ledger of erasures.

use std::io::{Write as _, stderr, stdout};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use domain::HolderKey;
use event_store::vault::{Vault, with_new_master_key};
use event_store::{
    Append, Appender, AppenderOptions, CommandHandler, EventData, IdempotencyKey, Loader, LoaderOptions, Log,
};
use events::{MasterKeyRotated, aggregate_type};
use serde_json::json;
use service::postgres::{self, EventsDatabase, PoolOptions};
use service::{Found, Inconclusive};

use crate::erasure::{Ledger, carry_out_ledger};
use crate::rule_seven;
use crate::shop_settings::{HolderKeyArgs, PersonalDataArgs};

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Put a new master key in front of the file, or make the file; running programs use the key within seconds
    New(NewOptions),
    /// Wrap every key again that an older master key wraps; stopped at any point, it continues when it is run again; exit status 0 if that is done, 2 if not
    Rotate(KeysOptions),
    /// How many keys each master key wraps; exit status 1 if an older one still wraps some, 2 if that could not be told
    Status(KeysOptions),
}

#[derive(Args)]
pub(crate) struct NewOptions {
    /// File with the master keys
    #[arg(long, env = "MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: PathBuf,
    /// Name of the new key, for example the month
    #[arg(long, env = "KEYS_NEW_NAME", value_name = "NAME")]
    name: String,
}

#[derive(Args)]
pub(crate) struct KeysOptions {
    #[command(flatten)]
    database: EventsDatabase,
    /// File with the master keys, the active one first
    #[arg(long, env = "MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: PathBuf,
    /// Print JSON, for machines
    #[arg(long, env = "JSON")]
    json: bool,
}

#[derive(Subcommand)]
pub(crate) enum ErasuresCommand {
    /// Carry the ledger out again, as every start of `serve` does: after a restore, what was forgotten is forgotten again;
    /// exit status 0 if that is done, 2 if not
    Apply(ApplyOptions),
    /// List the ledger
    List(ListOptions),
}

#[derive(Args)]
pub(crate) struct ApplyOptions {
    #[command(flatten)]
    database: EventsDatabase,
    #[command(flatten)]
    personal_data: PersonalDataArgs,
    #[command(flatten)]
    holder_key: HolderKeyArgs,
    /// Print JSON, for machines
    #[arg(long, env = "JSON")]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ListOptions {
    /// File outside the database that erasures are written down in
    #[arg(long, env = "ERASURES_FILE", value_name = "FILE")]
    erasures_file: PathBuf,
    /// Print JSON, for machines
    #[arg(long, env = "JSON")]
    json: bool,
}

/// Does one of `keys`. Results go to standard output, everything else to standard error.
pub(crate) async fn keys(command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::New(options) => new_key(&options),
        KeysCommand::Rotate(options) => rotate(&options).await,
        KeysCommand::Status(options) => status(&options).await,
    }
}

/// Does one of `erasures`.
pub(crate) async fn erasures(command: ErasuresCommand) -> anyhow::Result<()> {
    match command {
        ErasuresCommand::Apply(options) => apply(&options).await,
        ErasuresCommand::List(options) => list(options).await,
    }
}

/// The new file replaces the old one at once: a program that reads it sees one or the other.
fn new_key(options: &NewOptions) -> anyhow::Result<()> {
    let path = &options.master_key_file;
    let existing = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let text = with_new_master_key(&options.name, &existing)?;
    let mut beside = path.clone().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    write_private(&beside, text.as_bytes()).with_context(|| format!("cannot write {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("cannot replace {}", path.display()))?;
    print(&format!("{} is the active master key", options.name))
}

fn write_private(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

async fn rotate(options: &KeysOptions) -> anyhow::Result<()> {
    let (log, vault) = open(options)?;
    let mut printed = Instant::now();
    let progress = |done: u64| {
        if printed.elapsed() >= Duration::from_secs(1) {
            printed = Instant::now();
            // Progress is optional: a closed standard error does not stop the rotation.
            let _ = writeln!(stderr(), "{done} keys wrapped again");
        }
    };
    let done = log.wrap_again(&vault, progress).await.context(Inconclusive)?;
    let (_, active) = vault.master_keys();
    if done > 0 {
        note(options, &log, &active, done).await?;
    }
    if options.json {
        return print(&json!({"active": active, "wrapped_again": done}).to_string());
    }
    print(&format!("{done} keys wrapped again by {active}"))
}

/// A change of the master key is an event, as every act of an administrator.
async fn note(options: &KeysOptions, log: &Log, master_key: &str, data_keys: u64) -> anyhow::Result<()> {
    let url = options.database.url()?;
    let (appender, writing) = Appender::start(url.expose(), AppenderOptions::default())?;
    let rotated = MasterKeyRotated {
        master_key: master_key.to_owned(),
        data_keys,
    };
    let event = EventData::json("MasterKeyRotated", &rotated)?;
    let mut append = Append::new(IdempotencyKey::unique());
    append = append.events(aggregate_type::KEYRING, domain::keyring_id(), 0, [event]);
    append.metadata.actor = Some("operator".into());
    let noted = appender.append_at_any_version(log, append).await;
    drop(appender);
    writing.await.context("the writing task")?;
    noted.context("the keys are wrapped again, but that was not recorded")?;
    Ok(())
}

async fn status(options: &KeysOptions) -> anyhow::Result<()> {
    let (log, vault) = open(options)?;
    let used = log.master_key_use().await.context(Inconclusive)?;
    let (names, active) = vault.master_keys();
    let missing: Vec<_> = used.keys().filter(|name| !names.contains(name)).collect();
    let older: u64 = used
        .iter()
        .filter(|(name, _)| **name != active)
        .map(|(_, count)| count)
        .sum();
    if options.json {
        print(&json!({"active": active, "in_file": names, "keys": used, "missing": missing}).to_string())?;
    } else {
        for name in &names {
            let role = if *name == active { ", active" } else { "" };
            let count = used.get(name).copied().unwrap_or(0);
            print(&format!("{name}: {count} keys{role}"))?;
        }
    }
    if !missing.is_empty() {
        bail!(Found::new(format!(
            "the file lacks a master key that keys are wrapped by: {missing:?}"
        )));
    }
    if older > 0 {
        bail!(Found::new(format!(
            "{older} keys are wrapped by an older master key: run `command-api keys rotate`"
        )));
    }
    Ok(())
}

fn open(options: &KeysOptions) -> anyhow::Result<(Log, Vault)> {
    let url = options.database.url().context(Inconclusive)?;
    let pool = postgres::pool(url.expose(), &PoolOptions::default(), "command-api keys");
    let vault = Vault::new(&options.master_key_file).context(Inconclusive)?;
    Ok((Log::new(pool.context(Inconclusive)?), vault))
}

async fn apply(options: &ApplyOptions) -> anyhow::Result<()> {
    let ledger = options.personal_data.ledger();
    let ledger = ledger.context("--erasures-file is required (ERASURES_FILE)")?;
    let url = options.database.url()?;
    let pool = postgres::pool(url.expose(), &PoolOptions::default(), "command-api erasures")?;
    let (vault, key) = (
        options.personal_data.vault()?,
        Arc::new(options.holder_key.key()?),
    );
    vault.begin(&pool).await?;
    let (appender, writing) = Appender::start(url.expose(), AppenderOptions::default())?;
    let handler = CommandHandler::new(
        Log::new(pool).with_vault(Arc::clone(&vault)),
        Loader::start(url.expose(), LoaderOptions::default())?,
        appender.with_vault(vault),
    );
    let handler = rule_seven::claiming(handler, &key);
    let done = carried_out(&handler, &key, &ledger).await;
    drop(handler);
    writing.await.context("the writing task")?;
    let (again, destroyed) = done?;
    if options.json {
        return print(&json!({"recorded_again": again, "keys_destroyed": destroyed}).to_string());
    }
    print(&format!(
        "{again} erasures recorded again, {destroyed} keys destroyed"
    ))
}

async fn carried_out(
    handler: &CommandHandler,
    key: &Arc<HolderKey>,
    ledger: &Ledger,
) -> anyhow::Result<(u64, u64)> {
    Ok(carry_out_ledger(handler, key, ledger).await?)
}

async fn list(options: ListOptions) -> anyhow::Result<()> {
    let entries = Ledger::new(options.erasures_file)
        .read()
        .await
        .context(Inconclusive)?;
    if options.json {
        return print(&json!(entries).to_string());
    }
    for entry in &entries {
        let (id, person, at) = (entry.erasure_id, entry.person_id, entry.recorded_at);
        print(&format!("{id}: person {person} at {at}"))?;
    }
    print(&format!("{} erasures", entries.len()))
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(stdout(), "{text}").context("cannot write to standard output")
}
