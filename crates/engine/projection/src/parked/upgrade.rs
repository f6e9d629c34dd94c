//! Retries once what another build parked. The builds that tried are stored with the event, so two builds that run at the
//! same time do not take turns for ever.

use std::time::Duration;

use deadpool_postgres::Pool;
use event_store::Log;
use service::postgres::describe;
use tokio_util::sync::CancellationToken;

use super::retry::{Retried, retry};
use super::rows::{self, ParkedAggregate};
use crate::projection::Projection;
use crate::{checkpoint, metrics};

/// How often untried events are looked for: an older build that still runs may park more.
const EVERY: Duration = Duration::from_secs(5);
/// Aggregates that are listed at once.
const LISTED: i64 = 100;

/// Retries until shutdown.
pub async fn retry_untried<P: Projection>(projection: P, read: Pool, log: Log, shutdown: CancellationToken) {
    loop {
        if let Err(reason) = sweep(&projection, &read, &log, &shutdown).await {
            tracing::warn!(reason, "what an older build parked could not be tried again");
        }
        if shutdown
            .run_until_cancelled(tokio::time::sleep(EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Retries each aggregate whose first parked event this build has not tried, one after the other.
async fn sweep<P: Projection>(
    projection: &P,
    read: &Pool,
    log: &Log,
    shutdown: &CancellationToken,
) -> Result<(), String> {
    let (mut released, mut stuck) = (0_u64, 0_u64);
    while !shutdown.is_cancelled() {
        let untried = untried(projection, read).await?;
        if untried.is_empty() {
            break;
        }
        for aggregate in untried {
            let retried = retry(
                projection,
                read,
                log,
                &aggregate.aggregate_type,
                aggregate.aggregate_id,
            )
            .await
            .map_err(|error| describe(&error))?;
            match retried {
                Retried::Released { .. } => released += 1,
                Retried::Stuck { .. } => stuck += 1,
                Retried::NotParked => {}
            }
        }
    }
    if released + stuck > 0 {
        let build = projection.build();
        tracing::info!(released, stuck, build, "tried what older builds parked");
    }
    Ok(())
}

/// None while the tables are of another build, or of another log.
async fn untried<P: Projection>(projection: &P, read: &Pool) -> Result<Vec<ParkedAggregate>, String> {
    let checked = projection.migrations().check(read).await;
    checked.map_err(|error| describe(&error))?;
    let client = read.get().await.map_err(|error| describe(&error))?;
    let state = checkpoint::read_state(&client, projection)
        .await
        .map_err(|error| describe(&error))?;
    if state.stale {
        return Ok(Vec::new());
    }
    let untried = rows::list_untried(&client, projection, LISTED)
        .await
        .map_err(|error| describe(&error))?;
    let waiting = u32::try_from(untried.len()).unwrap_or(u32::MAX);
    ::metrics::gauge!(metrics::PARKED_UNTRIED, "projection" => projection.name().to_owned())
        .set(f64::from(waiting));
    Ok(untried)
}
