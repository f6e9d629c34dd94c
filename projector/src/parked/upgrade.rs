//! What an older build could not apply, this one tries by itself: once, and again when something else stops the
//! aggregate. The builds that tried are kept with the event, so two builds that run at once do not take turns for ever.

use std::time::Duration;

use deadpool_postgres::Pool;
use read_model::{checkpoint, write};
use service::postgres::describe;
use tokio_util::sync::CancellationToken;

use super::{Retried, retry};
use crate::{BUILD, metrics};

/// How often it is looked for what waits untried: an older build that still runs may have parked more.
const EVERY: Duration = Duration::from_secs(5);
/// Aggregates that are listed at once.
const LISTED: i64 = 100;

/// Tries until shutdown.
pub(crate) async fn retry_untried(read: Pool, shutdown: CancellationToken) {
    loop {
        if let Err(reason) = sweep(&read, &shutdown).await {
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

/// Tries each aggregate that waits at an event which this build has not tried, one after the other.
async fn sweep(read: &Pool, shutdown: &CancellationToken) -> Result<(), String> {
    let (mut released, mut stuck) = (0_u64, 0_u64);
    while !shutdown.is_cancelled() {
        let untried = untried(read).await?;
        if untried.is_empty() {
            break;
        }
        for aggregate in untried {
            let retried = retry(read, &aggregate.aggregate_type, aggregate.aggregate_id)
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
        tracing::info!(released, stuck, build = BUILD, "tried what older builds parked");
    }
    Ok(())
}

/// Nothing while the tables are of another build, or of another log.
async fn untried(read: &Pool) -> Result<Vec<write::ParkedAggregate>, String> {
    read_model::check_schema(read)
        .await
        .map_err(|error| describe(&error))?;
    let client = read.get().await.map_err(|error| describe(&error))?;
    let standing = checkpoint::read_state(&**client)
        .await
        .map_err(|error| describe(&error))?;
    if standing.stale {
        return Ok(Vec::new());
    }
    let untried = write::list_untried(&client, BUILD, LISTED)
        .await
        .map_err(|error| describe(&error))?;
    let waiting = u32::try_from(untried.len()).unwrap_or(u32::MAX);
    ::metrics::gauge!(metrics::PARKED_UNTRIED).set(f64::from(waiting));
    Ok(untried)
}
