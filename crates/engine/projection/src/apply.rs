//! A run of events becomes one transaction: rows, checkpoint, and a notification to readers.

use std::collections::BTreeSet;
use std::slice;
use std::time::Instant;

use deadpool_postgres::{Client, Pool, PoolError, Transaction};
use envelope::{Mark, Position, RecordedEvent};
use event_store::vault::Opened;
use futures_util::try_join;
use tokio_postgres::Error;

use crate::checkpoint::{self, Checkpoint};
use crate::metrics;
use crate::parked::{ParkedQueue, Reason, refusal};
use crate::projection::{Inapplicable, Projection, ProjectionBatch};

/// From this size on, bisect a failing run of [`load`]; apply a smaller one event by event.
const FEW: usize = 500;

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The checkpoint is not where the caller expects it.
    #[error("the checkpoint moved: another projector owns it")]
    NotOwner,
    /// The pool gave no connection.
    #[error("no connection to the read database")]
    Pool(#[from] PoolError),
    /// The personal data of the events could not be read.
    #[error("the event database: {0}")]
    Log(#[from] event_store::Error),
    /// The database failed, for a reason that is not in the events.
    #[error("the read database failed")]
    Database(#[from] Error),
}

/// Applies events that follow `checkpoint` without a hole, and gives the new checkpoint. All or nothing: after an
/// error the checkpoint in the database is unchanged, unless the connection was lost during the commit.
///
/// An event that can't be applied is parked with all later events of its aggregate; the other events are applied.
pub async fn apply<P: Projection>(
    projection: &P,
    pool: &Pool,
    checkpoint: Checkpoint,
    events: &Opened,
) -> Result<Checkpoint, ApplyError> {
    apply_and_notify(projection, pool, checkpoint, events, Notify::Readers).await
}

/// As [`apply`], without a notification: for rows in a shadow schema.
pub(crate) async fn apply_quietly<P: Projection>(
    projection: &P,
    pool: &Pool,
    checkpoint: Checkpoint,
    events: &Opened,
) -> Result<Checkpoint, ApplyError> {
    apply_and_notify(projection, pool, checkpoint, events, Notify::None).await
}

/// Applies any number of events to tables that no other process reads, of aggregates that no other worker writes. Uses no
/// checkpoint, and as many transactions as it takes to find the events that can't be applied.
pub(crate) async fn load<P: Projection>(
    projection: &P,
    client: &mut Client,
    events: Opened,
) -> Result<(), ApplyError> {
    let mut runs = vec![events];
    while let Some(run) = runs.pop() {
        match load_run(projection, client, &run, How::Together).await {
            // One refused row fails the run: find out which.
            Err(ApplyError::Database(error)) if refusal(&error).is_some() => {
                let count = run.events().len();
                if count > FEW {
                    let (first, rest) = run.split(count / 2);
                    runs.extend([rest, first]);
                } else {
                    load_run(projection, client, &run, How::OneByOne).await?;
                }
            }
            other => other?,
        }
    }
    Ok(())
}

async fn load_run<P: Projection>(
    projection: &P,
    client: &mut Client,
    events: &Opened,
    how: How,
) -> Result<(), ApplyError> {
    let mut transaction = client.transaction().await?;
    let rows = read_rows(projection, &transaction, events, how).await?;
    apply_each(projection, &mut transaction, events, rows, None).await?;
    transaction.commit().await?;
    Ok(())
}

async fn apply_and_notify<P: Projection>(
    projection: &P,
    pool: &Pool,
    checkpoint: Checkpoint,
    events: &Opened,
    notify: Notify,
) -> Result<Checkpoint, ApplyError> {
    let Some(last) = events.last_recorded() else {
        return Ok(checkpoint);
    };
    let started = Instant::now();
    let mut client = pool.get().await?;
    let to = Mark::of(&last);
    let moved = (checkpoint, to);
    let parked = match transact(projection, &mut client, moved, events, How::Together, notify).await {
        // One refused row fails the batch: find out which.
        Err(ApplyError::Database(error)) if refusal(&error).is_some() => {
            transact(projection, &mut client, moved, events, How::OneByOne, notify).await?
        }
        other => other?,
    };
    measure(projection, events.events(), &parked, started);
    log_applied(events.events(), &parked, started);
    Ok(Checkpoint {
        position: to.position,
        ..checkpoint
    })
}

#[derive(Clone, Copy)]
enum Notify {
    Readers,
    None,
}

#[derive(Clone, Copy)]
enum How {
    Together,
    OneByOne,
}

/// One transaction; gives the positions of the parked events.
async fn transact<P: Projection>(
    projection: &P,
    client: &mut Client,
    (from, to): (Checkpoint, Mark),
    events: &Opened,
    how: How,
    notify: Notify,
) -> Result<BTreeSet<Position>, ApplyError> {
    let mut transaction = client.transaction().await?;
    checkpoint::prepare_to_move(&transaction).await?;
    // One round trip. The move is sent first: before anything is read, its row lock keeps out every other process that
    // applies or retries, until this transaction commits. A second projector then finds the checkpoint moved and stops.
    let (moved, rows) = try_join!(
        checkpoint::move_to(&transaction, projection, from, to),
        read_rows(projection, &transaction, events, how),
    )?;
    if !moved {
        return Err(ApplyError::NotOwner);
    }
    let announced = match notify {
        Notify::Readers => Some(to.position),
        Notify::None => None,
    };
    let parked = apply_each(projection, &mut transaction, events, rows, announced).await?;
    transaction.commit().await?;
    Ok(parked)
}

/// Which aggregates wait, and the rows of all events; without a batch, each event reads its own rows.
type Rows<B> = (ParkedQueue, Option<B>);

async fn read_rows<P: Projection>(
    projection: &P,
    transaction: &Transaction<'_>,
    events: &Opened,
    how: How,
) -> Result<Rows<P::Batch>, Error> {
    let events = events.events();
    let queue = ParkedQueue::load(transaction, projection, events);
    Ok(match how {
        How::Together => {
            let (queue, batch) = try_join!(queue, P::Batch::load(transaction, events))?;
            (queue, Some(batch))
        }
        How::OneByOne => (queue.await?, None),
    })
}

/// Applies each event, or parks it; gives the positions of the parked events. Readers are told that the rows are at the
/// position `announced`, and of what collections there are other rows.
async fn apply_each<P: Projection>(
    projection: &P,
    transaction: &mut Transaction<'_>,
    opened: &Opened,
    (mut queue, mut batch): Rows<P::Batch>,
    announced: Option<Position>,
) -> Result<BTreeSet<Position>, Error> {
    let mut changed = BTreeSet::new();
    let mine = |(_, event): &(usize, &RecordedEvent)| projection.reads(&event.aggregate_type);
    for (index, event) in opened.events().iter().enumerate().filter(mine) {
        let outcome = match (queue.blocks(event), opened.failure(index), &mut batch) {
            (Some(reason), ..) => Err(reason),
            (None, Some(failure), _) => Err(Inapplicable::new(failure).into()),
            (None, None, Some(batch)) => batch.apply(event).map_err(Reason::from),
            (None, None, None) => {
                let alone = apply_alone(projection, transaction, event).await?;
                alone.map(|collections| changed.extend(collections))
            }
        };
        if let Err(reason) = outcome
            && let Some(recorded) = opened.recorded(index)
        {
            // As the log holds it: what is parked outlives the keys of its personal data.
            queue.park(&recorded, &reason);
        }
    }
    changed.extend(batch.iter().flat_map(ProjectionBatch::changes));
    let transaction = &*transaction;
    // Sent with the rows, in one round trip; Postgres notifies with the commit.
    try_join!(
        async {
            match announced {
                Some(position) => checkpoint::announce(transaction, projection, position, &changed).await,
                None => Ok(()),
            }
        },
        async {
            match batch {
                Some(batch) => batch.store(transaction).await,
                None => Ok(()),
            }
        },
    )?;
    queue.store(transaction, projection).await
}

/// Applies one event under a savepoint, and gives the collections whose rows it changed. If the event can't be applied, the
/// transaction continues without its changes.
pub(crate) async fn apply_alone<P: Projection>(
    projection: &P,
    transaction: &mut Transaction<'_>,
    event: &RecordedEvent,
) -> Result<Result<Vec<&'static str>, Reason>, Error> {
    if !projection.reads(&event.aggregate_type) {
        return Ok(Ok(Vec::new()));
    }
    let savepoint = transaction.savepoint("event").await?;
    let outcome = try_alone::<P>(&savepoint, event).await?;
    match outcome {
        Ok(_) => savepoint.commit().await?,
        Err(_) => savepoint.rollback().await?,
    }
    Ok(outcome)
}

async fn try_alone<P: Projection>(
    savepoint: &Transaction<'_>,
    event: &RecordedEvent,
) -> Result<Result<Vec<&'static str>, Reason>, Error> {
    let mut batch = P::Batch::load(savepoint, slice::from_ref(event)).await?;
    if let Err(reason) = batch.apply(event) {
        return Ok(Err(reason.into()));
    }
    let changes = batch.changes();
    match batch.store(savepoint).await {
        Ok(()) => Ok(Ok(changes)),
        Err(error) => match refusal(&error) {
            Some(refusal) => Ok(Err(Reason::Refused(refusal))),
            None => Err(error),
        },
    }
}

fn measure(
    projection: &impl Projection,
    events: &[RecordedEvent],
    parked: &BTreeSet<Position>,
    started: Instant,
) {
    let (count, parked) = (events.len() as u64, parked.len() as u64);
    let foreign = |event: &&RecordedEvent| !projection.reads(&event.aggregate_type);
    let skipped = events.iter().filter(foreign).count() as u64;
    let name = || projection.name().to_owned();
    ::metrics::histogram!(metrics::APPLY_SECONDS, "projection" => name()).record(started.elapsed());
    ::metrics::histogram!(metrics::BATCH_SIZE, "projection" => name())
        .record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    let applied = count - parked - skipped;
    for (outcome, count) in [("applied", applied), ("skipped", skipped), ("parked", parked)] {
        ::metrics::counter!(metrics::EVENTS, "projection" => name(), "outcome" => outcome).increment(count);
    }
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
