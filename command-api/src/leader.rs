//! One instance leads the relay, the planner and the sealer; the others stand by.
//!
//! Leadership is a lease in the event database: a leader that dies or is paused loses it within [`LASTS`]. It only
//! keeps instances from doing the same work. A paused ex-leader does no harm for other reasons: the stream accepts only the
//! next sequence, the planner's checkpoint moves only from its last value, and a seal accepts one successor.

use std::time::Duration;

use event_store::{Lease, Standing};
use metrics::gauge;
use tokio_util::sync::CancellationToken;

use crate::metrics::RELAY_LEADER;

/// The lease's name.
pub(crate) const NAME: &str = "relay";
/// How long a leader leads without renewing.
pub(crate) const LASTS: Duration = Duration::from_secs(2);

/// Runs `lead` whenever this instance leads, until `shutdown`.
pub(crate) async fn lead_whenever_possible<F, Leading>(lease: Lease, shutdown: CancellationToken, lead: F)
where
    F: Fn(CancellationToken) -> Leading,
    Leading: Future<Output = ()>,
{
    gauge!(RELAY_LEADER).set(0.0);
    let observe = |standing| match standing {
        Standing::Leads => {
            tracing::info!("leading the relay, the planner and the sealer");
            gauge!(RELAY_LEADER).set(1.0);
        }
        Standing::Led => {
            tracing::info!("no longer leading the relay, the planner and the sealer");
            gauge!(RELAY_LEADER).set(0.0);
        }
        Standing::StandsBy => {}
        Standing::Unknown(error) => tracing::warn!(error = %error, "leadership can't be sought"),
    };
    lease.lead_whenever_possible(&shutdown, observe, lead).await;
}
