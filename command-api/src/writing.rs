//! Begins to write: what every program that gives commands needs, in one order.

use std::sync::Arc;

use deadpool_postgres::Pool;
use domain::HolderKey;
use event_store::vault::Vault;
use event_store::{Appender, AppenderOptions, CommandHandler, Loader, LoaderOptions, Log, SnapshotOptions};
use tokio::task::JoinHandle;

use crate::erasure::{self, Ledger};
use crate::{club_names, receipts, rule_seven, rule_six};

/// Runs commands from here on. The task that is returned ends after the last batch is written.
pub(crate) async fn start_writing(
    url: &str,
    pool: &Pool,
    vault: &Arc<Vault>,
    snapshot_every: u64,
    holder_key: &Arc<HolderKey>,
    ledger: Option<&Ledger>,
) -> anyhow::Result<(CommandHandler, JoinHandle<()>)> {
    vault.begin(pool).await?;
    let (appender, writing) = Appender::start(url, AppenderOptions::default())?;
    let appender = appender.with_vault(Arc::clone(vault));
    let log = Log::new(pool.clone()).with_vault(Arc::clone(vault));
    let loader = Loader::start(url, LoaderOptions::default())?;
    let snapshots = SnapshotOptions {
        every: snapshot_every,
        schema_fingerprint: domain::SCHEMA_FINGERPRINT.into(),
    };
    let command_handler = CommandHandler::new(log, loader, appender.clone()).with_snapshots(snapshots);
    let command_handler = rule_seven::claiming(command_handler, holder_key);
    let command_handler = rule_six::claiming(receipts::claiming(club_names::claiming(command_handler)));
    club_names::begin(&command_handler, &appender).await?;
    rule_seven::begin(&command_handler, appender.clone(), holder_key).await?;
    erasure::note_older_holders(&command_handler, &appender, holder_key).await?;
    if let Some(ledger) = ledger {
        erasure::carry_out_ledger(&command_handler, holder_key, ledger).await?;
    }
    Ok((command_handler, writing))
}
