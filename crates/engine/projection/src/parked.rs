//! The parked queue: events that could not be applied, with the later events of their aggregates; and their retries.

mod count;
mod queue;
mod reason;
mod retry;
mod rows;
mod upgrade;

use std::fmt;

use deadpool_postgres::Pool;

use crate::apply::ApplyError;
use crate::projection::Projection;

pub use count::count_retries;
pub(crate) use queue::ParkedQueue;
pub(crate) use reason::{Reason, refusal};
pub use retry::{Retried, retry};
pub use rows::ParkedSummary;
pub(crate) use rows::{RETRIED, count, list_untried};
pub use upgrade::retry_untried;

/// Every aggregate with parked events, in the order of their first.
pub async fn list(projection: &impl Projection, pool: &Pool) -> Result<Vec<ParkedSummary>, ApplyError> {
    let client = pool.get().await?;
    Ok(rows::summarize(&client, projection).await?)
}

impl fmt::Display for ParkedSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            aggregate_type,
            aggregate_id,
            events,
            first_position,
            last_position,
            reason,
            parked_at,
            ..
        } = self;
        let since = parked_at.format("%F %T UTC");
        write!(
            f,
            "{aggregate_type} {aggregate_id}: {events} events, positions {first_position} to {last_position}, since {since}: {reason}"
        )
    }
}
