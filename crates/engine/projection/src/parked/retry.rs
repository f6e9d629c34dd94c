//! Retries a parked aggregate.

use std::collections::BTreeSet;

use deadpool_postgres::{Pool, Transaction};
use envelope::{Position, RecordedEvent};
use event_store::Log;
use uuid::Uuid;

use super::reason::Reason;
use super::rows::{self, Explanation};
use crate::apply::{ApplyError, apply_alone};
use crate::checkpoint;
use crate::projection::Projection;

/// How a retry ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retried {
    /// The aggregate has no parked events: another process released it, or it was never parked.
    NotParked,
    /// All of its events are in the rows now.
    Released {
        /// How many.
        events: u64,
    },
    /// Some of its events are still parked.
    Stuck {
        /// How many of its events are in the rows now.
        applied: u64,
        /// The first event that is still parked.
        at: Position,
        /// Why, without data of the event.
        reason: String,
    },
}

/// Applies the parked events of one aggregate in order and in one transaction, by the code that applies all events. The
/// first event that does not fit stays parked with all that follow it, for the reason found now. So the rows are what a
/// replay by this build gives.
///
/// Safe while a projector runs: this locks the checkpoint, so no later event of the aggregate is applied meanwhile.
pub async fn retry<P: Projection>(
    projection: &P,
    pool: &Pool,
    log: &Log,
    aggregate_type: &str,
    aggregate_id: Uuid,
) -> Result<Retried, ApplyError> {
    let mut client = pool.get().await?;
    let mut transaction = client.transaction().await?;
    // First, as in every transaction that writes rows: one writes at a time.
    checkpoint::lock(&transaction, projection).await?;
    let parked = rows::load(&transaction, projection, aggregate_type, aggregate_id).await?;
    let mut changed = BTreeSet::new();
    let retried = apply_again(projection, &mut transaction, log, &parked, &mut changed).await?;
    if !changed.is_empty() {
        let at = checkpoint::read(&transaction, projection).await?;
        checkpoint::announce(&transaction, projection, at.position, &changed).await?;
    }
    let last = parked.last().map_or(Position::START, |(position, _)| *position);
    match &retried {
        Retried::NotParked => {}
        Retried::Released { .. } => {
            rows::release(&transaction, projection, aggregate_type, aggregate_id, last).await?;
            rows::notify_retried(&transaction, projection, "released").await?;
        }
        Retried::Stuck { at, reason, .. } => {
            let before = Position::new(at.get().saturating_sub(1));
            rows::release(&transaction, projection, aggregate_type, aggregate_id, before).await?;
            let explanation = Explanation {
                position: *at,
                reason,
                reason_of_others: &Reason::WaitsBehind(*at).to_string(),
            };
            rows::explain(
                &transaction,
                projection,
                aggregate_type,
                aggregate_id,
                explanation,
            )
            .await?;
            rows::notify_retried(&transaction, projection, "stuck").await?;
        }
    }
    transaction.commit().await?;
    audit(&retried, aggregate_type, aggregate_id);
    Ok(retried)
}

async fn apply_again<P: Projection>(
    projection: &P,
    transaction: &mut Transaction<'_>,
    log: &Log,
    parked: &[(Position, String)],
    changed: &mut BTreeSet<&'static str>,
) -> Result<Retried, ApplyError> {
    let mut applied = 0;
    for (at, event) in parked {
        let outcome = match serde_json::from_str::<RecordedEvent>(event) {
            Ok(event) => {
                let opened = log.open(vec![event]).await?;
                match (opened.failure(0), opened.events()) {
                    (None, [event]) => apply_alone(projection, transaction, event)
                        .await?
                        .map(|collections| changed.extend(collections))
                        .map_err(|reason| reason.to_string()),
                    (failure, _) => Err(failure.map(ToString::to_string).unwrap_or_default()),
                }
            }
            // The error would quote the event.
            Err(_) => Err("the parked event is not a recorded event".to_owned()),
        };
        match outcome {
            Ok(()) => applied += 1,
            Err(reason) => {
                return Ok(Retried::Stuck {
                    applied,
                    at: *at,
                    reason,
                });
            }
        }
    }
    Ok(match applied {
        0 => Retried::NotParked,
        events => Retried::Released { events },
    })
}

fn audit(retried: &Retried, aggregate_type: &str, aggregate_id: Uuid) {
    match retried {
        Retried::NotParked => tracing::info!(aggregate_type, %aggregate_id, "nothing to retry"),
        Retried::Released { events } => {
            tracing::info!(aggregate_type, %aggregate_id, events, "parked aggregate released");
        }
        Retried::Stuck { applied, at, reason } => tracing::warn!(
            aggregate_type, %aggregate_id, applied, position = at.get(), reason, "parked aggregate still waits"
        ),
    }
}
