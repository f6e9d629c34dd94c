//! Batches: many commands of one kind, received whole, then done one by one.
//!
//! [`receive`] reads a file of any size as a stream and stages its items, sealed, next to the log. One command then records
//! `BatchSubmitted`, and the planner makes a task of it. [`run`] does the items a chunk at a time ([`items`]) and records what
//! became of each chunk; the chunk is deleted after that. An item has a key of its own, so one that was done before a crash is
//! not done again.

pub(crate) mod columns;
pub(crate) mod csv;
mod grant;
pub(crate) mod intake;
pub(crate) mod item;
pub(crate) mod items;
pub(crate) mod json;
mod prices;
pub(crate) mod problems;
pub(crate) mod receive;
pub(crate) mod run;

use std::time::Duration;

use domain::Batch;
use event_store::{CommandHandler, Error, Staging};
use tokio_util::sync::CancellationToken;

/// Most items in a chunk. Their results are one event, which has to fit into the log whatever they say.
pub(crate) const CHUNK_ITEMS: usize = 250;
/// Most bytes in a chunk, about: the item that reaches it is the chunk's last.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// Most bytes of one item.
pub(crate) const MAX_ITEM_BYTES: usize = 64 << 10;
/// Most bytes of a batch.
pub(crate) const MAX_BATCH_BYTES: usize = 32 << 20;
/// Items of an upload that broke off are kept this long.
const ABANDONED: Duration = Duration::from_hours(24);
/// How many such uploads are looked for at a time.
const ABANDONED_AT_ONCE: u32 = 1_000;

/// How often such uploads are looked for.
const LOOK: Duration = Duration::from_hours(1);

/// Uploads at once; one more is asked to come again. Each holds a thread while its bytes come.
pub(crate) const UPLOADS: usize = 4;

/// Deletes the items of uploads that broke off, until `shutdown`.
pub(crate) async fn forget_abandoned(
    staging: Staging,
    command_handler: CommandHandler,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        if let Err(error) = remove_abandoned(&staging, &command_handler).await {
            tracing::warn!(error = %error, "uploads that broke off could not be looked for");
        }
        shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await;
    }
}

async fn remove_abandoned(staging: &Staging, command_handler: &CommandHandler) -> Result<(), Error> {
    for batch_id in staging.older_than(ABANDONED, ABANDONED_AT_ONCE).await? {
        let batch = command_handler.load::<Batch>(batch_id).await?.aggregate;
        if batch.submitted().is_none() {
            staging.remove(batch_id, u32::MAX).await?;
            tracing::info!(%batch_id, "the items of an upload that broke off are deleted");
        }
    }
    Ok(())
}
