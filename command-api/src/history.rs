//! The beginning of a log that goes on from a history: of an older shop, or of one that is made up to try this one with.
//!
//! No route and no subcommand leads here: a program of its own decides what happened and records it, as long as no shop runs
//! on the log. What the shop does once for each log is done first. Then every part of the history is recorded with its claims,
//! and the planner's checkpoint moves with it: nothing is charged, mailed or asked because of the past.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Args;
use domain::HolderKey;
use envelope::{Metadata, Position, RecordedEvent};
use event_store::vault::Vault;
use event_store::{
    Append, AppendError, Appender, AppenderOptions, Claims, CommandHandler, IdempotencyKey, Importer, Lease,
    Past,
};
use service::Found;
use service::postgres::{self, EventsDatabase, PoolOptions};

use crate::leader;
use crate::process::kinds::PROCESS;
use crate::shop_settings::HolderKeyArgs;
use crate::writing::start_writing;

/// Under which keys the log remembers its history.
const ONCE: &str = "history";

/// Which log the history is for, and with which keys.
#[derive(Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    database: EventsDatabase,
    #[command(flatten)]
    holder_key: HolderKeyArgs,
    /// File with the master keys of personal data, the active one first
    #[arg(long, env = "MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: PathBuf,
}

/// A log that takes its history.
pub struct History {
    command_handler: CommandHandler,
    appender: Appender,
    importer: Importer,
    holder_key: Arc<HolderKey>,
    lease: Lease,
    renewed: Instant,
}

impl History {
    /// Begins the history that `plan` names, or continues it where it was interrupted. Refuses a log that holds anything else,
    /// or on which a shop runs.
    pub async fn begin(args: &HistoryArgs, plan: &str) -> anyhow::Result<Self> {
        let url = args.database.url()?;
        let pool = postgres::pool(url.expose(), &PoolOptions::default(), "history")?;
        event_store::check_schema(&pool)
            .await
            .context("the log can't take a history: is it there, and was `command-api migrate` run?")?;
        let vault = Arc::new(Vault::new(&args.master_key_file).context("--master-key-file")?);
        let holder_key = Arc::new(args.holder_key.key()?);
        let lease = Lease::new(pool.clone(), leader::NAME, leader::LASTS);
        led_by_us(&lease).await?;
        let log = event_store::Log::new(pool.clone());
        let (head, begun) = (log.head().await?, log.outcome(ONCE, "plan").await?);
        if begun.is_none() && head.position > Position::START {
            bail!(Found::new(format!(
                "the log holds {} events and none of them is of a history: take an empty log (`make clean-data` makes one)",
                head.position
            )));
        }
        let (command_handler, _) = start_writing(url.expose(), &pool, &vault, 0, &holder_key, None).await?;
        let appender = Appender::start(url.expose(), AppenderOptions::default())?.0;
        let response = serde_json::json!({ "plan": plan }).to_string();
        match once(&appender, "plan", plan, response).await {
            Ok(()) => {}
            Err(AppendError::KeyReused) => bail!(Found::new(format!(
                "the log was begun with another history: {}",
                begun.map(|outcome| outcome.response).unwrap_or_default()
            ))),
            Err(error) => return Err(error.into()),
        }
        Ok(Self {
            command_handler,
            appender,
            importer: Importer::start(url.expose(), Some(vault), &[PROCESS]).await?,
            holder_key,
            lease,
            renewed: Instant::now(),
        })
    }

    /// Decides what happened, with the claims of the shop.
    pub const fn command_handler(&self) -> &CommandHandler {
        &self.command_handler
    }

    /// Makes holder ids.
    pub const fn holder_key(&self) -> &Arc<HolderKey> {
        &self.holder_key
    }

    /// Up to where the log holds the history.
    pub const fn recorded(&self) -> Position {
        self.importer.recorded()
    }

    /// The event at a position that the log holds.
    pub async fn event_at(&self, position: Position) -> anyhow::Result<Option<RecordedEvent>> {
        let before = Position::new(position.get().saturating_sub(1));
        let found = self.command_handler.log().read_after(before, 1).await?;
        Ok(found.into_iter().find(|event| event.position == position))
    }

    /// Whether all of the history is recorded. The shop may have gone on since.
    pub async fn is_whole(&self) -> anyhow::Result<bool> {
        let whole = self.command_handler.log().outcome(ONCE, "whole").await?;
        Ok(whole.is_some())
    }

    /// Records the next part.
    pub async fn record(&mut self, past: Vec<Past>) -> anyhow::Result<()> {
        if self.renewed.elapsed() * 4 > leader::LASTS {
            led_by_us(&self.lease).await?;
            self.renewed = Instant::now();
        }
        Ok(self.importer.record(past).await?)
    }

    /// Waits until all that was recorded is on disk. The shop may start from here on; `whole` if nothing of the history is
    /// missing.
    pub async fn end(mut self, whole: bool) -> anyhow::Result<Position> {
        let end = self.importer.finish().await?;
        if whole {
            once(&self.appender, "whole", "whole", "{}".into()).await?;
        }
        self.lease.release().await?;
        Ok(end)
    }
}

/// Relay, planner and receipts of a shop would take the history for news.
async fn led_by_us(lease: &Lease) -> anyhow::Result<()> {
    let since = Instant::now();
    while !lease.hold().await? {
        // Who led last may be gone without having released the lease.
        if since.elapsed() > leader::LASTS * 2 {
            bail!(Found::new(
                "a command-api leads on this log: stop it, because a history is recorded while no shop runs"
            ));
        }
        tokio::time::sleep(leader::LASTS / 8).await;
    }
    Ok(())
}

async fn once(appender: &Appender, key: &str, request: &str, response: String) -> Result<(), AppendError> {
    let append = Append {
        key: IdempotencyKey::new(ONCE, key, request),
        response,
        events: Vec::new(),
        claims: Claims::default(),
        metadata: Metadata::default(),
    };
    appender.append(append).await.map(|_| ())
}
