//! The stored state of a process manager: its checkpoint in the log and its open tasks.
//!
//! Planning moves the checkpoint and adds tasks in one statement, so an event leads to its tasks exactly once. Workers
//! lease tasks. When a worker dies, another one repeats its task, so a task must be safe to repeat; an idempotency key of
//! process and position makes it so. Therefore commits here need not wait for the disk: a crash of the database loses the
//! newest of them in order, plans and checkpoint together, and the lost ones are planned or done again.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::Pool;
use envelope::{Fingerprint, Mark, Position};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::error::Error;

/// The checkpoint and tasks of one process manager.
#[derive(Clone)]
pub struct Tasks {
    pool: Pool,
    process: Cow<'static, str>,
}

/// How far a process manager has read the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The last event that it has planned for.
    pub mark: Mark,
    /// The epoch of the log; none if only older builds, which store none, have planned.
    pub epoch: Option<Uuid>,
}

impl From<Position> for Reached {
    /// A position without fingerprint and epoch.
    fn from(position: Position) -> Self {
        Self {
            mark: position.into(),
            epoch: None,
        }
    }
}

/// A task that follows from an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// The aggregate it is about.
    pub aggregate_id: Uuid,
    /// The kind of task.
    pub kind: Cow<'static, str>,
    /// Not before.
    pub due_at: DateTime<Utc>,
    /// The event that led to it.
    pub position: Position,
    /// The request that led to that event.
    pub request_id: Option<String>,
    /// The correlation id of that request.
    pub correlation_id: Option<String>,
}

/// A due task, leased by the worker that claimed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The aggregate it is about.
    pub aggregate_id: Uuid,
    /// The kind of task.
    pub kind: String,
    /// The event that led to it.
    pub position: Position,
    /// The request that led to that event.
    pub request_id: Option<String>,
    /// The correlation id of that request.
    pub correlation_id: Option<String>,
    /// Number of claims since its last progress, this one included.
    pub attempts: u32,
}

/// The open tasks of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Backlog {
    /// The kind.
    pub kind: String,
    /// Their number.
    pub waiting: u64,
    /// Seconds since the oldest became due; 0 if none is due.
    pub overdue_seconds: f64,
    /// The first event that led to one of them.
    pub oldest: Position,
}

impl Tasks {
    /// The checkpoint and tasks of `process`, in the log's database.
    pub fn new(pool: Pool, process: impl Into<Cow<'static, str>>) -> Self {
        Self {
            pool,
            process: process.into(),
        }
    }

    /// Position of the last event that was planned for.
    pub async fn checkpoint(&self) -> Result<Position, Error> {
        Ok(self.reached().await?.mark.position)
    }

    /// The last event that was planned for, and the epoch of the log.
    pub async fn reached(&self) -> Result<Reached, Error> {
        let rows = self
            .query(include_str!("sql/read_checkpoint.sql"), &[&self.process])
            .await?;
        let Some(row) = rows.first() else {
            return Ok(Position::START.into());
        };
        let fingerprint: Option<&[u8]> = row.try_get(1)?;
        let mark = Mark {
            position: Position::from_sql(row.try_get(0)?),
            fingerprint: fingerprint.and_then(Fingerprint::from_bytes),
        };
        Ok(Reached {
            mark,
            epoch: row.try_get(2)?,
        })
    }

    /// Adds the fingerprint and the epoch to a checkpoint of an older build.
    pub async fn note(&self, reached: Reached) -> Result<(), Error> {
        let position = reached.mark.position.to_sql();
        let fingerprint = reached.mark.fingerprint.as_ref().map(Fingerprint::bytes);
        let binds: [&(dyn ToSql + Sync); 4] = [&self.process, &position, &fingerprint, &reached.epoch];
        self.query(include_str!("sql/note_checkpoint.sql"), &binds)
            .await
            .map(drop)
    }

    /// Resets the checkpoint to before the first event, in the epoch `epoch`, if the checkpoint is still at `reached` and the
    /// log is still in that epoch. Every event is then planned for once more; every task is safe to repeat.
    pub async fn start_over(&self, reached: Reached, epoch: Uuid) -> Result<bool, Error> {
        let position = reached.mark.position.to_sql();
        let fingerprint = reached.mark.fingerprint.as_ref().map(Fingerprint::bytes);
        let binds: [&(dyn ToSql + Sync); 4] = [&self.process, &position, &fingerprint, &epoch];
        Ok(!self
            .query(include_str!("sql/reset_checkpoint.sql"), &binds)
            .await?
            .is_empty())
    }

    /// Moves the checkpoint from `old` to `new` and adds the tasks of the events between. Returns false and changes nothing
    /// if the checkpoint is not at `old`, since another reader was first, or if the log is not in the epoch of `new`. Of two
    /// tasks of one kind for one aggregate the later one counts.
    pub async fn plan(
        &self,
        old: Position,
        new: impl Into<Reached>,
        tasks: Vec<NewTask>,
    ) -> Result<bool, Error> {
        let new = new.into();
        let fingerprint = new.mark.fingerprint.as_ref().map(Fingerprint::bytes);
        let tasks = latest_of_each(tasks);
        let ids: Vec<Uuid> = tasks.iter().map(|task| task.aggregate_id).collect();
        let kinds: Vec<&str> = tasks.iter().map(|task| &*task.kind).collect();
        let due: Vec<DateTime<Utc>> = tasks.iter().map(|task| task.due_at).collect();
        let positions: Vec<i64> = tasks.iter().map(|task| task.position.to_sql()).collect();
        let requests: Vec<Option<&str>> = tasks.iter().map(|task| task.request_id.as_deref()).collect();
        let correlations: Vec<Option<&str>> =
            tasks.iter().map(|task| task.correlation_id.as_deref()).collect();
        let binds: [&(dyn ToSql + Sync); 11] = [
            &self.process,
            &old.to_sql(),
            &new.mark.position.to_sql(),
            &ids,
            &kinds,
            &due,
            &positions,
            &requests,
            &correlations,
            &fingerprint,
            &new.epoch,
        ];
        Ok(!self
            .query(include_str!("sql/plan_tasks.sql"), &binds)
            .await?
            .is_empty())
    }

    /// Claims at most `limit` due tasks of these kinds for `lease`, the longest due first.
    pub async fn claim(&self, kinds: &[&str], limit: usize, lease: Duration) -> Result<Vec<Task>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let binds: [&(dyn ToSql + Sync); 4] = [&self.process, &kinds, &limit, &lease.as_secs_f64()];
        self.query(include_str!("sql/claim_tasks.sql"), &binds)
            .await?
            .iter()
            .map(task)
            .collect()
    }

    /// Extends the lease of a task to `lease` from now, if this claim still has it; returns whether it has.
    pub async fn renew(&self, task: &Task, lease: Duration) -> Result<bool, Error> {
        let (position, attempts) = (
            task.position.to_sql(),
            i32::try_from(task.attempts).unwrap_or(i32::MAX),
        );
        let seconds = lease.as_secs_f64();
        let binds: [&(dyn ToSql + Sync); 6] = [
            &self.process,
            &task.aggregate_id,
            &task.kind,
            &position,
            &attempts,
            &seconds,
        ];
        let renewed = self.query(include_str!("sql/renew_task.sql"), &binds).await?;
        Ok(!renewed.is_empty())
    }

    /// Deletes a done task. A task that was planned again since stays.
    pub async fn finish(&self, task: &Task) -> Result<(), Error> {
        let position = task.position.to_sql();
        let binds: [&(dyn ToSql + Sync); 4] = [&self.process, &task.aggregate_id, &task.kind, &position];
        self.query(include_str!("sql/finish_task.sql"), &binds)
            .await
            .map(drop)
    }

    /// Moves the task to `due_at`: after an `error`, which must not hold personal data, or after progress.
    pub async fn postpone(
        &self,
        task: &Task,
        due_at: DateTime<Utc>,
        error: Option<&str>,
    ) -> Result<(), Error> {
        let position = task.position.to_sql();
        let binds: [&(dyn ToSql + Sync); 6] = [
            &self.process,
            &task.aggregate_id,
            &task.kind,
            &position,
            &due_at,
            &error,
        ];
        self.query(include_str!("sql/postpone_task.sql"), &binds)
            .await
            .map(drop)
    }

    /// The open tasks, by kind.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, Error> {
        let rows = self
            .query(include_str!("sql/count_tasks.sql"), &[&self.process])
            .await?;
        let backlog = |row: &Row| {
            let waiting: i64 = row.try_get(1)?;
            Ok(Backlog {
                kind: row.try_get(0)?,
                waiting: u64::try_from(waiting).unwrap_or(0),
                overdue_seconds: row.try_get(2)?,
                oldest: Position::from_sql(row.try_get(3)?),
            })
        };
        rows.iter().map(backlog).collect()
    }

    async fn query(&self, sql: &str, binds: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, binds).await?)
    }
}

/// One statement can't change a row twice: of several tasks for one row, the last one counts.
fn latest_of_each(tasks: Vec<NewTask>) -> Vec<NewTask> {
    let mut seen = std::collections::HashSet::new();
    let mut latest: Vec<NewTask> = tasks
        .into_iter()
        .rev()
        .filter(|task| seen.insert((task.aggregate_id, task.kind.clone())))
        .collect();
    latest.reverse();
    latest
}

fn task(row: &Row) -> Result<Task, Error> {
    let attempts: i32 = row.try_get(5)?;
    Ok(Task {
        aggregate_id: row.try_get(0)?,
        kind: row.try_get(1)?,
        position: Position::from_sql(row.try_get(2)?),
        request_id: row.try_get(3)?,
        correlation_id: row.try_get(4)?,
        attempts: u32::try_from(attempts).unwrap_or(0),
    })
}
