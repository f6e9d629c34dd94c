//! One instance leads the relay, the planner and the sealer; the others stand by.
//!
//! Leadership is a lease in the event database: a leader that dies or is paused loses it within [`LASTS`]. It only
//! keeps instances from doing the same work. A paused ex-leader does no harm for other reasons: the stream accepts only the
//! next sequence, the planner's checkpoint moves only from its last value, and a seal accepts one successor.

use std::time::Duration;

use event_store::Lease;
use metrics::gauge;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::metrics::RELAY_LEADER;

/// The lease's name.
pub(crate) const NAME: &str = "relay";
/// How long a leader leads without renewing.
pub(crate) const LASTS: Duration = Duration::from_secs(2);
/// How often a leader renews, and a standby asks.
const BEAT: Duration = Duration::from_millis(400);

/// Runs `lead` whenever this instance leads, until `shutdown`. The token given to it is cancelled when leadership is
/// lost; it is awaited before leadership is sought again.
pub(crate) async fn lead_whenever_possible<F, Leading>(lease: Lease, shutdown: CancellationToken, lead: F)
where
    F: Fn(CancellationToken) -> Leading,
    Leading: Future<Output = ()>,
{
    gauge!(RELAY_LEADER).set(0.0);
    let mut reachable = true;
    while !shutdown.is_cancelled() {
        match lease.hold().await {
            Ok(true) => {
                tracing::info!("leading the relay, the planner and the sealer");
                gauge!(RELAY_LEADER).set(1.0);
                // Ends with the shutdown, as a child of it, or with the leadership; the work ends in either case.
                let term = shutdown.child_token();
                tokio::join!(lead(term.clone()), renew(&lease, term));
                gauge!(RELAY_LEADER).set(0.0);
                reachable = true;
            }
            Ok(false) => reachable = true,
            Err(error) => {
                if std::mem::take(&mut reachable) {
                    tracing::warn!(error = %error, "leadership can't be sought");
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(BEAT) => {}
        }
    }
    // The next one need not wait; if this fails it waits until the lease runs out.
    let _ = tokio::time::timeout(BEAT, lease.release()).await;
}

/// Renews until `term` ends. Ends it as soon as the lease may have run out.
async fn renew(lease: &Lease, term: CancellationToken) {
    let mut runs_out = Instant::now() + LASTS;
    loop {
        tokio::select! {
            () = term.cancelled() => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        let asked = Instant::now();
        match timeout_at(runs_out, lease.hold()).await {
            Ok(Ok(true)) => runs_out = asked + LASTS,
            Ok(Err(error)) if Instant::now() < runs_out => {
                tracing::debug!(error = %error, "the lease could not be renewed yet");
            }
            _ => {
                tracing::warn!("lost the leadership of relay, planner and sealer");
                term.cancel();
                return;
            }
        }
    }
}
