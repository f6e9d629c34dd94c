//! The log's seals on the command line: verify them, prove an event, make the key; and the settings of a server that seals.

use std::io::{Write as _, stderr, stdout};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use event_store::Log;
use event_store::seal::{Proof, PublicKey, SealKey, SealerOptions, prove, verify};
use service::postgres::{self, EventsDatabase, PoolOptions};
use service::{Found, Inconclusive};

#[derive(Args)]
#[expect(clippy::struct_field_names, reason = "the flags are named after the fields")]
pub(crate) struct SealArgs {
    /// File with the Ed25519 key that seals the log (see `log keygen`); without one the log is not sealed
    #[arg(long, env = "SEAL_KEY_FILE", value_name = "FILE")]
    seal_key_file: Option<PathBuf>,
    /// File outside the database that every seal is appended to
    #[arg(long, env = "SEAL_FILE", value_name = "FILE")]
    seal_file: Option<PathBuf>,
    /// Seconds between two rounds of sealing
    #[arg(long, env = "SEAL_INTERVAL_S", default_value_t = 5, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    seal_interval_s: u32,
}

impl SealArgs {
    /// How to seal, if at all.
    pub(crate) fn options(&self) -> anyhow::Result<Option<SealerOptions>> {
        match (&self.seal_key_file, &self.seal_file) {
            (None, None) => {
                tracing::info!("the log is not sealed: no key is configured");
                Ok(None)
            }
            (Some(key), Some(file)) => {
                let key = SealKey::read(key)?;
                tracing::info!(public_key = %key.public_key(), "the log is sealed");
                Ok(Some(SealerOptions {
                    key: Arc::new(key),
                    file: file.clone(),
                    interval: Duration::from_secs(self.seal_interval_s.into()),
                }))
            }
            _ => bail!("--seal-key-file and --seal-file are given together or not at all"),
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Compare every event with its seal; exit status 1 if anything was changed, removed or added, 2 if that could not be told
    Verify(VerifyOptions),
    /// Print a proof that one event is in the sealed log; it shows the event, payload included
    Prove(ProveOptions),
    /// Check a proof, with nothing but the public key; exit status 1 if it proves nothing, 2 if it is none
    CheckProof(CheckOptions),
    /// Make a key that seals the log, and print its public key
    Keygen(KeyOptions),
    /// Print the public key of a key
    PublicKey(KeyOptions),
    /// Begin a new epoch after the log was restored to an earlier point: everything made of its events is rebuilt
    NewEpoch(NewEpochOptions),
}

#[derive(Args)]
pub(crate) struct NewEpochOptions {
    #[command(flatten)]
    database: EventsDatabase,
    /// Why, for those who verify the log later
    #[arg(long, env = "NEW_EPOCH_REASON", value_name = "TEXT", value_parser = in_words)]
    reason: String,
}

/// Not empty: no other record of the reason exists.
fn in_words(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why in words".into()),
        words => Ok(words.to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct VerifyOptions {
    #[command(flatten)]
    database: EventsDatabase,
    #[command(flatten)]
    keys: PublicKeys,
    /// File outside the database that every seal was appended to
    #[arg(long, env = "SEAL_FILE", value_name = "FILE")]
    seal_file: PathBuf,
    /// Print the whole report as JSON
    #[arg(long, env = "JSON")]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ProveOptions {
    #[command(flatten)]
    database: EventsDatabase,
    /// The event's position in the log
    #[arg(long, env = "PROOF_POSITION", value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..))]
    position: i64,
}

#[derive(Args)]
pub(crate) struct CheckOptions {
    /// The proof, as `log prove` printed it
    #[arg(env = "PROOF_FILE")]
    file: PathBuf,
    #[command(flatten)]
    keys: PublicKeys,
}

#[derive(Args)]
pub(crate) struct KeyOptions {
    /// The key's file, in PKCS#8 form
    #[arg(long, env = "SEAL_KEY_FILE", value_name = "FILE")]
    seal_key_file: PathBuf,
}

#[derive(Args)]
struct PublicKeys {
    /// Public key of the seals; several, separated by commas, if the key was changed
    #[arg(
        long,
        env = "SEAL_PUBLIC_KEY",
        hide_env_values = true,
        value_name = "HEX",
        required = true,
        value_delimiter = ','
    )]
    seal_public_key: Vec<PublicKey>,
}

/// Does one of them. Results go to standard output, everything else to standard error.
pub(crate) async fn run(command: LogCommand) -> anyhow::Result<()> {
    match command {
        LogCommand::Verify(options) => run_verify(options).await,
        LogCommand::Prove(ProveOptions { database, position }) => {
            let proof = prove(&pool(&database)?, position).await?;
            print(&serde_json::to_string_pretty(&proof)?)
        }
        LogCommand::CheckProof(CheckOptions { file, keys }) => {
            let proof = read_proof(&file).context(Inconclusive)?;
            proof
                .check(&keys.seal_public_key)
                .map_err(|wrong| Found::new(wrong.to_string()))?;
            print(&format!(
                "position {} is in the log as it was sealed at {}",
                proof.leaf.position, proof.seal.sealed_at
            ))
        }
        LogCommand::Keygen(KeyOptions { seal_key_file }) => {
            keep(&seal_key_file, &SealKey::generate()?)?;
            print(&SealKey::read(&seal_key_file)?.public_key().to_string())
        }
        LogCommand::PublicKey(KeyOptions { seal_key_file }) => {
            print(&SealKey::read(&seal_key_file)?.public_key().to_string())
        }
        LogCommand::NewEpoch(NewEpochOptions { database, reason }) => {
            let log = Log::new(pool(&database)?);
            let ends = log.head().await?.epoch;
            let begun = log.begin_epoch(ends, &reason).await?;
            let begun = begun.context("another process began a new epoch at the same time")?;
            print(&format!(
                "epoch {} began after position {}",
                begun.epoch, begun.position
            ))
        }
    }
}

fn read_proof(file: &Path) -> anyhow::Result<Proof> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no proof", file.display()))
}

async fn run_verify(options: VerifyOptions) -> anyhow::Result<()> {
    let pool = pool(&options.database).context(Inconclusive)?;
    let mut printed = Instant::now();
    let progress = |done: i64, of: i64| {
        if printed.elapsed() >= Duration::from_secs(1) {
            printed = Instant::now();
            // Progress is optional: a closed standard error does not stop the verification.
            let _ = writeln!(stderr(), "verified up to position {done} of {of}");
        }
    };
    let verified = verify(&pool, &options.seal_file, &options.keys.seal_public_key, progress).await;
    let report = verified.context(Inconclusive)?;
    if options.json {
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&report.to_string())?;
    }
    if !report.is_clean() {
        bail!(Found::new("the log is not what was sealed"));
    }
    Ok(())
}

fn pool(database: &EventsDatabase) -> anyhow::Result<deadpool_postgres::Pool> {
    postgres::pool(
        database.url()?.expose(),
        &PoolOptions::default(),
        "command-api log",
    )
}

/// A key is never written over another: seals would lose what verifies them.
fn keep(path: &Path, key: &[u8]) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(key)?;
    Ok(file.sync_all()?)
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(stdout(), "{text}").context("cannot write to standard output")
}
