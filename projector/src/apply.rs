//! A run of events becomes one transaction: rows, checkpoint, and word to those who wait.

use std::collections::BTreeSet;
use std::time::Instant;

use deadpool_postgres::{Client, Pool, PoolError, Transaction};
use envelope::{Fingerprint, Position, RecordedEvent};
use futures_util::try_join;
use read_model::{Checkpoint, write};

use crate::licensing::{self, ProjectionBatch};
use crate::metrics;
use crate::poison::{self, Reason, Waiting};

/// So many events are rather applied one by one than parted again.
const FEW: usize = 500;

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The checkpoint is not where this caller left it.
    #[error("the checkpoint moved: another projector owns it")]
    NotOwner,
    /// No connection could be had.
    #[error("no connection to the read database")]
    Pool(#[from] PoolError),
    /// The database failed, for a reason that is not in the events.
    #[error("the read database failed")]
    Database(#[from] tokio_postgres::Error),
}

/// Applies events that follow `checkpoint` without a hole, and gives the new checkpoint. All or nothing: after an
/// error the checkpoint in the database is where it was, unless the connection was lost just at the commit.
///
/// Events that can't be applied are set aside with all later ones of their aggregate, and the others go on.
pub async fn apply(
    pool: &Pool,
    checkpoint: Checkpoint,
    events: &[RecordedEvent],
) -> Result<Checkpoint, ApplyError> {
    apply_and_tell(pool, checkpoint, events, Tell::Everybody).await
}

/// As [`apply`], without a word to those who wait for the live rows: for rows beside those.
pub(crate) async fn apply_quietly(
    pool: &Pool,
    checkpoint: Checkpoint,
    events: &[RecordedEvent],
) -> Result<Checkpoint, ApplyError> {
    apply_and_tell(pool, checkpoint, events, Tell::Nobody).await
}

/// Applies events of aggregates that nobody else writes to tables that nobody else reads: any number of them, without
/// a checkpoint, and in as many transactions as it takes to find those that can't be applied.
pub(crate) async fn load(client: &mut Client, events: &[RecordedEvent]) -> Result<(), ApplyError> {
    let mut runs = vec![events];
    while let Some(run) = runs.pop() {
        match load_run(client, run, How::Together).await {
            // Some row was refused and took the others with it: find out which.
            Err(ApplyError::Database(error)) if poison::refusal(&error).is_some() => {
                if run.len() > FEW {
                    let (first, rest) = run.split_at(run.len() / 2);
                    runs.extend([rest, first]);
                } else {
                    load_run(client, run, How::OneByOne).await?;
                }
            }
            other => other?,
        }
    }
    Ok(())
}

async fn load_run(client: &mut Client, events: &[RecordedEvent], how: How) -> Result<(), ApplyError> {
    let mut transaction = client.transaction().await?;
    let rows = read_rows(&transaction, events, how).await?;
    write_rows(&mut transaction, events, rows).await?;
    transaction.commit().await?;
    Ok(())
}

async fn apply_and_tell(
    pool: &Pool,
    checkpoint: Checkpoint,
    events: &[RecordedEvent],
    tell: Tell,
) -> Result<Checkpoint, ApplyError> {
    let Some(last) = events.last() else {
        return Ok(checkpoint);
    };
    let started = Instant::now();
    let mut client = pool.get().await?;
    let to = Checkpoint {
        position: last.position.get(),
        ..checkpoint
    };
    let parked = match transact(&mut client, checkpoint, to, events, How::Together, tell).await {
        // Some row was refused and took the others with it: find out which.
        Err(ApplyError::Database(error)) if poison::refusal(&error).is_some() => {
            transact(&mut client, checkpoint, to, events, How::OneByOne, tell).await?
        }
        other => other?,
    };
    let (count, set_aside) = (events.len() as u64, parked.len() as u64);
    ::metrics::histogram!(metrics::APPLY_SECONDS).record(started.elapsed());
    ::metrics::histogram!(metrics::BATCH_SIZE).record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    let foreign = |event: &&RecordedEvent| !licensing::reads(&event.aggregate_type);
    let skipped = events.iter().filter(foreign).count() as u64;
    ::metrics::counter!(metrics::EVENTS, "outcome" => "applied").increment(count - set_aside - skipped);
    ::metrics::counter!(metrics::EVENTS, "outcome" => "skipped").increment(skipped);
    ::metrics::counter!(metrics::EVENTS, "outcome" => "parked").increment(set_aside);
    log_applied(events, &parked, started);
    Ok(to)
}

#[derive(Clone, Copy)]
enum Tell {
    Everybody,
    Nobody,
}

#[derive(Clone, Copy)]
enum How {
    Together,
    OneByOne,
}

/// One transaction; gives the positions of the events set aside.
async fn transact(
    client: &mut Client,
    from: Checkpoint,
    to: Checkpoint,
    events: &[RecordedEvent],
    how: How,
    tell: Tell,
) -> Result<BTreeSet<Position>, ApplyError> {
    let mut transaction = client.transaction().await?;
    let (from_position, to_position) = (position(from), position(to));
    let fingerprint = events.last().map(Fingerprint::of);
    let fingerprint = fingerprint.as_ref().map(Fingerprint::bytes);
    write::prepare_to_move(&transaction).await?;
    // One round trip. The move is sent first: its row lock keeps a second projector out, and anybody who retries, before
    // anything is read, until this one commits; and then it tells that one to stop.
    // Word goes out with the commit, whenever it is given.
    let (moved, (), rows) = try_join!(
        write::move_checkpoint(&transaction, from_position, to_position, to.epoch, fingerprint),
        async {
            match tell {
                Tell::Everybody => write::notify_projected(&transaction, to_position).await,
                Tell::Nobody => Ok(()),
            }
        },
        read_rows(&transaction, events, how),
    )?;
    if !moved {
        return Err(ApplyError::NotOwner);
    }
    let parked = write_rows(&mut transaction, events, rows).await?;
    transaction.commit().await?;
    Ok(parked)
}

/// Which aggregates wait, and the rows as they are, unless each event reads its own.
type Rows = (Waiting, Option<ProjectionBatch>);

async fn read_rows(
    transaction: &Transaction<'_>,
    events: &[RecordedEvent],
    how: How,
) -> Result<Rows, tokio_postgres::Error> {
    Ok(match how {
        How::Together => {
            let (waiting, fold) = try_join!(
                Waiting::load(transaction, events),
                ProjectionBatch::load(transaction, events)
            )?;
            (waiting, Some(fold))
        }
        How::OneByOne => (Waiting::load(transaction, events).await?, None),
    })
}

/// What the events make of the rows, and of those that wait; gives the positions of the events set aside.
async fn write_rows(
    transaction: &mut Transaction<'_>,
    events: &[RecordedEvent],
    (mut waiting, fold): Rows,
) -> Result<BTreeSet<Position>, tokio_postgres::Error> {
    match fold {
        Some(fold) => apply_all(fold, events, &mut waiting).store(transaction).await?,
        None => one_by_one(transaction, events, &mut waiting).await?,
    }
    waiting.store(transaction).await
}

fn apply_all(mut fold: ProjectionBatch, events: &[RecordedEvent], waiting: &mut Waiting) -> ProjectionBatch {
    for event in events {
        let outcome = match waiting.reason(event) {
            Some(reason) => Err(reason),
            None => poison::apply(&mut fold, event),
        };
        if let Err(reason) = outcome {
            waiting.park(event, &reason);
        }
    }
    fold
}

async fn one_by_one(
    transaction: &mut Transaction<'_>,
    events: &[RecordedEvent],
    waiting: &mut Waiting,
) -> Result<(), tokio_postgres::Error> {
    for event in events {
        if let Some(reason) = waiting.reason(event) {
            waiting.park(event, &reason);
            continue;
        }
        if let Err(reason) = self::event(transaction, event).await? {
            waiting.park(event, &reason);
        }
    }
    Ok(())
}

/// Applies one event in a transaction, which goes on as if nothing had happened if it can't be applied.
pub(crate) async fn event(
    transaction: &mut Transaction<'_>,
    event: &RecordedEvent,
) -> Result<Result<(), Reason>, tokio_postgres::Error> {
    let savepoint = transaction.savepoint("event").await?;
    let outcome = alone(&savepoint, event).await?;
    match outcome {
        Ok(()) => savepoint.commit().await?,
        Err(_) => savepoint.rollback().await?,
    }
    Ok(outcome)
}

async fn alone(
    savepoint: &Transaction<'_>,
    event: &RecordedEvent,
) -> Result<Result<(), Reason>, tokio_postgres::Error> {
    let mut fold = ProjectionBatch::load(savepoint, std::slice::from_ref(event)).await?;
    if let Err(reason) = poison::apply(&mut fold, event) {
        return Ok(Err(reason));
    }
    match fold.store(savepoint).await {
        Ok(()) => Ok(Ok(())),
        Err(error) => match poison::refusal(&error) {
            Some(refusal) => Ok(Err(Reason::Refused(refusal))),
            None => Err(error),
        },
    }
}

fn position(checkpoint: Checkpoint) -> i64 {
    Position::new(checkpoint.position).to_sql()
}

fn log_applied(events: &[RecordedEvent], parked: &BTreeSet<Position>, started: Instant) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for event in events.iter().filter(|event| !parked.contains(&event.position)) {
        tracing::debug!(
            position = event.position.get(),
            event_type = event.event_type,
            aggregate_id = %event.aggregate_id,
            request_id = event.metadata.request_id,
            correlation_id = event.metadata.correlation_id,
            "event projected"
        );
    }
    let through = events.last().map(|event| event.position.get());
    tracing::debug!(
        events = events.len(),
        through,
        seconds = started.elapsed().as_secs_f64(),
        "batch projected"
    );
}
