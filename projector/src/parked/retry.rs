//! Trying a parked aggregate again.

use deadpool_postgres::{Pool, Transaction};
use envelope::{Position, RecordedEvent};
use read_model::write;
use uuid::Uuid;

use crate::BUILD;
use crate::apply::{self, ApplyError};
use crate::poison::Reason;

/// How a retry ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retried {
    /// Nothing of the aggregate waits: somebody else was faster, or it never did.
    NotParked,
    /// All of its events are in the rows now.
    Released {
        /// How many.
        events: u64,
    },
    /// It still waits.
    Stuck {
        /// How many of its events are in the rows now.
        applied: u64,
        /// The event that it stands at.
        at: Position,
        /// Why, without row data.
        reason: String,
    },
}

/// Applies the events of a parked aggregate again, in order and in one transaction, by the code that applies all
/// events. What fits is no longer parked; from the first event that does not, the aggregate waits on, for the reason
/// found now. So the rows are what a replay by this build gives, as always.
///
/// Safe beside a live projector: it holds the checkpoint, so no later event of the aggregate comes in between.
pub async fn retry(pool: &Pool, aggregate_type: &str, aggregate_id: Uuid) -> Result<Retried, ApplyError> {
    let mut client = pool.get().await?;
    let mut transaction = client.transaction().await?;
    // First of all, as in every transaction that writes rows: never two of them at once.
    write::lock_checkpoint(&transaction).await?;
    let parked = write::load_parked(&transaction, aggregate_type, aggregate_id).await?;
    let retried = apply_again(&mut transaction, &parked).await?;
    let last = parked.last().map_or(0, |(position, _)| *position);
    match &retried {
        Retried::NotParked => {}
        Retried::Released { .. } => {
            write::release_parked(&transaction, aggregate_type, aggregate_id, last).await?;
            write::notify_retried(&transaction, "released").await?;
        }
        Retried::Stuck { at, reason, .. } => {
            let (at, behind) = (at.to_sql(), Reason::WaitsBehind(*at).to_string());
            write::release_parked(&transaction, aggregate_type, aggregate_id, at - 1).await?;
            write::explain_parked(
                &transaction,
                aggregate_type,
                aggregate_id,
                at,
                reason,
                &behind,
                BUILD,
            )
            .await?;
            write::notify_retried(&transaction, "stuck").await?;
        }
    }
    transaction.commit().await?;
    audit(&retried, aggregate_type, aggregate_id);
    Ok(retried)
}

async fn apply_again(
    transaction: &mut Transaction<'_>,
    parked: &[(i64, String)],
) -> Result<Retried, ApplyError> {
    let mut applied = 0;
    for (position, event) in parked {
        let at = Position::from_sql(*position);
        let outcome = match serde_json::from_str::<RecordedEvent>(event) {
            Ok(event) => apply::event(transaction, &event)
                .await?
                .map_err(|reason| reason.to_string()),
            // The error would quote the event.
            Err(_) => Err("the parked event is not a recorded event".to_owned()),
        };
        match outcome {
            Ok(()) => applied += 1,
            Err(reason) => return Ok(Retried::Stuck { applied, at, reason }),
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
