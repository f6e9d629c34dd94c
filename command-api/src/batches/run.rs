//! Does the items of a batch, a chunk at a time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::Utc;
use domain::{Batch, BatchCommand};
use envelope::Metadata;
use event_store::{Chunk, CommandHandler, CommandRequest, IdempotencyKey, Loaded, Staging, Task};
use events::{BatchItemsDone, BatchSubmitted, ItemOutcome, ItemResult, aggregate_type};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use metrics::counter;
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;
use vocabulary::Word as _;

use super::item::Item;
use super::items::{Desk, ItemCommand};
use super::problems::NotNow;
use crate::metrics::BATCH_ITEMS_TOTAL;
use crate::process::context::ProcessContext;
use crate::process::step::{self, Outcome, StepError};

/// Chunks that may be done and not noted when an attempt begins: while one is noted, the next one is done.
const CHUNKS_IN_DOUBT: u8 = 2;
/// How long one attempt works before another batch may have its turn.
const SLICE: Duration = Duration::from_secs(20);

/// Does what is left of the task's batch. Died at any point, the next attempt continues with the first chunk that is not
/// noted: an item that was done is known by its key.
pub(crate) async fn run(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let (command_handler, batch_id) = (&context.desk.command_handler, task.aggregate_id);
    let begun = Instant::now();
    let loaded = command_handler.load::<Batch>(batch_id).await?;
    let Some(submitted) = loaded.aggregate.submitted().cloned() else {
        return Ok(Outcome::Done);
    };
    let metadata = who_submitted(context, batch_id).await?;
    // Customers wait for their commands.
    let yielding = command_handler.clone().yielding();
    let handler = if submitted.dry_run {
        yielding.clone().rehearsing()
    } else {
        yielding.clone()
    };
    let desk = Desk {
        command_handler: &handler,
        shop: &context.desk.shop,
        batch_id,
        kind: submitted.kind,
        attempts: task.attempts,
        user_id: metadata
            .actor
            .as_deref()
            .and_then(|actor| actor.parse().ok())
            .unwrap_or_default(),
        metadata: &metadata,
    };
    let mut recorder = Recorder {
        staging: &context.desk.staging,
        command_handler: yielding,
        task,
        done: loaded.aggregate.done(),
        known: Some(loaded),
    };
    let (mut next_item, mut waiting, mut may_be_done) = (recorder.done, None, CHUNKS_IN_DOUBT);
    loop {
        let pause = begun.elapsed() > SLICE;
        // While the results of one chunk are recorded, the next one is done.
        let (noted, next) = tokio::join!(recorder.note(waiting.take()), async {
            if pause || next_item >= submitted.total {
                return Ok(None);
            }
            do_next(
                &desk,
                &context.desk.staging,
                &submitted,
                next_item,
                may_be_done > 0,
            )
            .await
            .map(Some)
        });
        noted?;
        let Some(results) = next? else {
            break;
        };
        count(&desk, &results);
        next_item += u32::try_from(results.len()).unwrap_or(u32::MAX);
        may_be_done = may_be_done.saturating_sub(1);
        waiting = Some(results);
    }
    if recorder.done < submitted.total {
        return Ok(Outcome::Later(Utc::now()));
    }
    context.desk.staging.remove(batch_id, u32::MAX).await?;
    tracing::info!(%batch_id, kind = submitted.kind.as_str(), total = submitted.total, dry_run = submitted.dry_run, "a batch is done");
    Ok(Outcome::Done)
}

/// The events of its items name who submitted the batch, and by which request.
async fn who_submitted(context: &ProcessContext, batch_id: Uuid) -> Result<Metadata, StepError> {
    let log = context.desk.command_handler.log();
    let first = log.read_stream(aggregate_type::BATCH, batch_id, 0, 1).await?;
    let Some(submitted) = first.into_iter().next() else {
        return Ok(Metadata::default());
    };
    Ok(Metadata {
        causation_position: Some(submitted.position),
        ..submitted.metadata
    })
}

/// Does the chunk that follows item `done`.
async fn do_next(
    desk: &Desk<'_>,
    staging: &Staging,
    submitted: &BatchSubmitted,
    done: u32,
    may_be_done: bool,
) -> Result<Vec<ItemResult>, StepError> {
    let staged = staging.next(desk.batch_id, done).await?;
    match staged.filter(|chunk| chunk.first == done + 1) {
        Some(chunk) => do_chunk(desk, chunk, may_be_done).await,
        None => Ok(lost(submitted, done)),
    }
}

async fn do_chunk(desk: &Desk<'_>, chunk: Chunk, may_be_done: bool) -> Result<Vec<ItemResult>, StepError> {
    let texts: Vec<Box<RawValue>> = serde_json::from_slice(&chunk.content)
        .map_err(|_| event_store::Error::Broken("a chunk of a batch is no list".into()))?;
    let mut subjects: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for (number, text) in (chunk.first..).zip(texts) {
        let item = Item::new(number, text);
        subjects.entry(item.subject(desk.kind)).or_default().push(item);
    }
    let mut turns: Vec<Vec<ItemCommand>> = subjects.into_values().map(|items| desk.commands(items)).collect();
    let mut results = BTreeMap::new();
    if may_be_done {
        let commands = turns.iter().flatten();
        let keys: Vec<IdempotencyKey> = commands.map(|command| desk.key(command)).collect();
        let answers = desk.command_handler.log().answers(&keys).await?;
        let mut place = 0;
        for turn in &mut turns {
            turn.retain(|command| {
                let answer = answers.get(&place);
                place += 1;
                if let Some(answer) = answer {
                    results.extend(desk.succeeded(command, answer));
                }
                answer.is_none()
            });
        }
    }
    let done = stream::iter(turns.into_iter().map(|commands| desk.in_turn(commands)))
        .buffer_unordered(super::CHUNK_ITEMS)
        .try_collect::<Vec<_>>();
    let done = done.await.map_err(|not_now: NotNow| StepError::Item(not_now))?;
    results.extend(done.into_iter().flatten());
    Ok(results.into_values().collect())
}

/// Chunks and events are in one database and go together; if chunks are deleted by hand, the batch still ends.
fn lost(submitted: &BatchSubmitted, done: u32) -> Vec<ItemResult> {
    tracing::error!(done, "the items of a batch are gone");
    let lost = ItemResult {
        outcome: ItemOutcome::Failed,
        target: None,
        code: Some("item_lost".into()),
        fields: Vec::new(),
    };
    let left = usize::try_from(submitted.total - done).unwrap_or_default();
    vec![lost; left.min(super::CHUNK_ITEMS)]
}

/// Records what became of chunks, one after the other.
struct Recorder<'a> {
    staging: &'a Staging,
    /// Yields, as the items' commands do: its own would hold them up otherwise.
    command_handler: CommandHandler,
    task: &'a Task,
    /// How many items are done, by what is recorded.
    done: u32,
    known: Option<Loaded<Batch>>,
}

impl Recorder<'_> {
    /// Records the results of the next chunk, and deletes the chunk.
    async fn note(&mut self, results: Option<Vec<ItemResult>>) -> Result<(), StepError> {
        let Some(results) = results else {
            return Ok(());
        };
        let (batch_id, first) = (self.task.aggregate_id, self.done + 1);
        let done = self.done + u32::try_from(results.len()).unwrap_or(u32::MAX);
        let request = CommandRequest {
            aggregate_id: batch_id,
            command: BatchCommand::NoteDone(BatchItemsDone { first, results }),
            key: IdempotencyKey::new("batch:done", format!("{batch_id}:{first}"), "done"),
            metadata: step::metadata(self.task),
            expected_version: None,
            creates: false,
        };
        let noted = self
            .command_handler
            .execute_on::<Batch>(self.known.take(), request, |_, _| json!({}));
        (_, self.known) = noted.await?;
        self.done = done;
        self.staging.remove(batch_id, done).await?;
        Ok(())
    }
}

fn count(desk: &Desk<'_>, results: &[ItemResult]) {
    for outcome in [ItemOutcome::Succeeded, ItemOutcome::Failed] {
        let count = results.iter().filter(|result| result.outcome == outcome).count();
        counter!(BATCH_ITEMS_TOTAL, "kind" => desk.kind.as_str(), "outcome" => outcome.as_str())
            .increment(count as u64);
    }
}
