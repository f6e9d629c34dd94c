//! What a process manager remembers: how far it has read the log, and what it still has to do.
//!
//! Planning moves the checkpoint and adds tasks in one statement, so an event leads to its tasks exactly once. Workers
//! lease tasks, and repeat what a worker that died had begun: what they do must be safe to repeat, which an
//! idempotency key made of process and position gives. So the commits here need not wait for the disk: a crash of the
//! database makes it forget the newest of them in order, plans and checkpoint together, and what is forgotten is planned
//! or done again.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::Pool;
use envelope::{Fingerprint, Mark, Position};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::error::Error;

/// The memory of one process manager.
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
    /// The life of the log in which it did; none where no build that keeps it has planned yet.
    pub epoch: Option<Uuid>,
}

impl From<Position> for Reached {
    /// A place of which nothing else is known.
    fn from(position: Position) -> Self {
        Self {
            mark: position.into(),
            epoch: None,
        }
    }
}

/// Something to do because of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// The aggregate it is about.
    pub aggregate_id: Uuid,
    /// What to do.
    pub kind: Cow<'static, str>,
    /// Not before.
    pub due_at: DateTime<Utc>,
    /// The event that led to it.
    pub position: Position,
    /// The request that led to that event.
    pub request_id: Option<String>,
    /// What started the whole conversation.
    pub correlation_id: Option<String>,
}

/// Something to do now, held by whoever claimed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The aggregate it is about.
    pub aggregate_id: Uuid,
    /// What to do.
    pub kind: String,
    /// The event that led to it.
    pub position: Position,
    /// The request that led to that event.
    pub request_id: Option<String>,
    /// What started the whole conversation.
    pub correlation_id: Option<String>,
    /// How often it was taken, this time included, since it last made progress.
    pub attempts: u32,
}

/// How much of one kind is still to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Backlog {
    /// What.
    pub kind: String,
    /// How many.
    pub waiting: u64,
    /// For how many seconds the oldest has been due; 0 if none is.
    pub overdue_seconds: f64,
}

impl Tasks {
    /// The memory of `process`, in the log's database.
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

    /// The last event that was planned for, and in which life of the log.
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

    /// Says at which event, and in which life of the log, a checkpoint is that an older build left.
    pub async fn note(&self, reached: Reached) -> Result<(), Error> {
        let position = reached.mark.position.to_sql();
        let fingerprint = reached.mark.fingerprint.as_ref().map(Fingerprint::bytes);
        let binds: [&(dyn ToSql + Sync); 4] = [&self.process, &position, &fingerprint, &reached.epoch];
        self.query(include_str!("sql/note_checkpoint.sql"), &binds)
            .await
            .map(drop)
    }

    /// Begins again before the first event, in the life `epoch` of the log, if the checkpoint is still where `reached`
    /// says and the log still lives that life. Every event is then planned for once more, and every task is safe to repeat.
    pub async fn start_over(&self, reached: Reached, epoch: Uuid) -> Result<bool, Error> {
        let position = reached.mark.position.to_sql();
        let fingerprint = reached.mark.fingerprint.as_ref().map(Fingerprint::bytes);
        let binds: [&(dyn ToSql + Sync); 4] = [&self.process, &position, &fingerprint, &epoch];
        Ok(!self
            .query(include_str!("sql/reset_checkpoint.sql"), &binds)
            .await?
            .is_empty())
    }

    /// Adds what follows from the events after `old` up to `new`. False, and nothing done, if the checkpoint is not at
    /// `old` (any more): another reader was there first; or if the log does not live the life of `new`. Of two tasks of
    /// one kind for one aggregate the later counts.
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

    /// Takes at most `limit` due tasks of these kinds, the longest due first, and holds them for `lease`.
    pub async fn claim(&self, kinds: &[&str], limit: usize, lease: Duration) -> Result<Vec<Task>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let binds: [&(dyn ToSql + Sync); 4] = [&self.process, &kinds, &limit, &lease.as_secs_f64()];
        self.query(include_str!("sql/claim_tasks.sql"), &binds)
            .await?
            .iter()
            .map(task)
            .collect()
    }

    /// Holds a task on, for `lease` from now, if it is still this claim that holds it.
    pub async fn renew(&self, task: &Task, lease: Duration) -> Result<(), Error> {
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
        self.query(include_str!("sql/renew_task.sql"), &binds)
            .await
            .map(drop)
    }

    /// The task is done. If it was planned anew meanwhile, that stays.
    pub async fn finish(&self, task: &Task) -> Result<(), Error> {
        let position = task.position.to_sql();
        let binds: [&(dyn ToSql + Sync); 4] = [&self.process, &task.aggregate_id, &task.kind, &position];
        self.query(include_str!("sql/finish_task.sql"), &binds)
            .await
            .map(drop)
    }

    /// The task goes on at `due_at`: after an `error`, which must not hold personal data, or as planned.
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

    /// What is still to be done, by kind.
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

/// One statement can't touch a row twice: of several tasks for one row, the last planned is the one that counts.
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
