//! Snapshots: the state of an aggregate after its events, so that a load reads only the events after it.
//!
//! A task of its own writes them after the commit, without delaying a command: when its queue is full, a snapshot is
//! dropped. A snapshot is never needed for a right answer. The statement that loads uses one only if it belongs to the
//! log's epoch, was made by the same program text, and the log holds its last event; one that can't be read is ignored.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cqrs_es::Aggregate;
use deadpool_postgres::Pool;
use envelope::Position;
use metrics::counter;
use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::error::Error;
use crate::metrics::SNAPSHOTS_TOTAL;
use crate::vault::is_clear;

/// Most snapshots waiting to be written.
const QUEUE: usize = 256;
/// Most in one statement.
const BATCH: usize = 64;
/// How long one statement may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// When to take snapshots, and which to use.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// Events after which an aggregate gets a new snapshot. 0: never.
    pub every: u64,
    /// Names the shape of the aggregates and how they apply their events. Snapshots under another name are not used. A
    /// program that makes another state of the same events must use another name.
    pub schema_fingerprint: String,
}

/// Takes and offers snapshots.
#[derive(Clone)]
pub(crate) struct Snapshots {
    pub(crate) schema_fingerprint: Arc<str>,
    every: u64,
    queue: mpsc::Sender<Job>,
}

/// The aggregate right after a command.
pub(crate) struct Taken<A> {
    pub(crate) aggregate: A,
    pub(crate) aggregate_id: Uuid,
    pub(crate) sequence: u64,
    pub(crate) position: Position,
    pub(crate) epoch: Uuid,
    pub(crate) correlation_id: Option<String>,
}

struct Job {
    of: Of,
    /// The task also serializes the state.
    state: Box<dyn FnOnce() -> serde_json::Result<String> + Send>,
}

struct Of {
    aggregate_type: &'static str,
    aggregate_id: Uuid,
    sequence: i64,
    position: i64,
    epoch: Uuid,
    correlation_id: Option<String>,
}

impl Snapshots {
    /// Starts the task that writes them. It ends when the last clone is dropped.
    pub(crate) fn start(pool: Pool, options: SnapshotOptions) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let schema_fingerprint: Arc<str> = options.schema_fingerprint.into();
        tokio::spawn(run(pool, Arc::clone(&schema_fingerprint), waiting));
        Self {
            schema_fingerprint,
            every: options.every,
            queue,
        }
    }

    /// Whether an aggregate at `version`, whose snapshot is at `sequence`, should get a new one.
    pub(crate) fn is_due(&self, version: u64, sequence: u64) -> bool {
        self.every > 0 && version.saturating_sub(sequence) >= self.every
    }

    /// Hands one to the task, if it has room.
    pub(crate) fn take<A: Aggregate + 'static>(&self, taken: Taken<A>) {
        let Ok(room) = self.queue.try_reserve() else {
            counter!(SNAPSHOTS_TOTAL, "outcome" => "dropped").increment(1);
            return;
        };
        let aggregate = taken.aggregate;
        room.send(Job {
            of: Of {
                aggregate_type: A::TYPE,
                aggregate_id: taken.aggregate_id,
                sequence: Position::new(taken.sequence).to_sql(),
                position: taken.position.to_sql(),
                epoch: taken.epoch,
                correlation_id: taken.correlation_id,
            },
            state: Box::new(move || serde_json::to_string(&aggregate)),
        });
    }
}

async fn run(pool: Pool, schema_fingerprint: Arc<str>, mut waiting: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut jobs, BATCH).await > 0 {
        let rows = states(jobs.drain(..));
        let count = rows.len() as u64;
        let written = tokio::time::timeout(PATIENCE, write(&pool, &schema_fingerprint, &rows)).await;
        let failure = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the database did not answer in time".into()),
        };
        let outcome = if failure.is_none() { "written" } else { "failed" };
        counter!(SNAPSHOTS_TOTAL, "outcome" => outcome).increment(count);
        if let Some(error) = failure {
            tracing::warn!(snapshots = count, error, "snapshots were not written");
        }
    }
}

/// The newest of each aggregate, with its state as JSON.
fn states(jobs: impl Iterator<Item = Job>) -> Vec<(Of, String)> {
    let mut newest: HashMap<(&'static str, Uuid), Job> = HashMap::new();
    for job in jobs {
        let key = (job.of.aggregate_type, job.of.aggregate_id);
        if newest
            .get(&key)
            .is_none_or(|other| other.of.position < job.of.position)
        {
            newest.insert(key, job);
        }
    }
    let mut rows = Vec::with_capacity(newest.len());
    for Job { of, state } in newest.into_values() {
        match state() {
            // It would keep in clear what its events seal, and survive the person's erasure.
            Ok(state) if is_clear(&state) => {
                counter!(SNAPSHOTS_TOTAL, "outcome" => "personal").increment(1);
            }
            Ok(state) => rows.push((of, state)),
            Err(_) => counter!(SNAPSHOTS_TOTAL, "outcome" => "failed").increment(1),
        }
    }
    // Sorted, so that two writers wait for each other instead of deadlocking.
    rows.sort_unstable_by_key(|(of, _)| (of.aggregate_type, of.aggregate_id));
    rows
}

async fn write(pool: &Pool, schema_fingerprint: &str, rows: &[(Of, String)]) -> Result<(), Error> {
    let all = || rows.iter().map(|(of, _)| of);
    let aggregate_types: Vec<&str> = all().map(|of| of.aggregate_type).collect();
    let aggregate_ids: Vec<Uuid> = all().map(|of| of.aggregate_id).collect();
    let sequences: Vec<i64> = all().map(|of| of.sequence).collect();
    let positions: Vec<i64> = all().map(|of| of.position).collect();
    let epochs: Vec<Uuid> = all().map(|of| of.epoch).collect();
    let shapes: Vec<&str> = all().map(|_| schema_fingerprint).collect();
    let correlations: Vec<Option<&str>> = all().map(|of| of.correlation_id.as_deref()).collect();
    let states: Vec<&str> = rows.iter().map(|(_, state)| state.as_str()).collect();
    let binds: [&(dyn ToSql + Sync); 8] = [
        &aggregate_types,
        &aggregate_ids,
        &sequences,
        &positions,
        &epochs,
        &shapes,
        &correlations,
        &states,
    ];
    let client = pool.get().await?;
    let statement = client
        .prepare_cached(include_str!("sql/write_snapshots.sql"))
        .await?;
    client.execute(&statement, &binds).await?;
    Ok(())
}
