//! Measures recovery: the time from the end of a fault until a new purchase is ordered, paid, and read back as fulfilled.

use std::time::Duration;

use tokio::time::Instant;

use super::customers::{Patience, Placed, approve, place, read_back};
use crate::Shop;
use crate::purchase::Purchase;

/// A longer recovery counts as failed.
const LONGEST: Duration = Duration::from_mins(2);

/// A customer with short pauses, so that they do not add to the measured time.
const EAGER: Patience = Patience {
    tries: 400,
    one_try: Duration::from_secs(2),
    pause: Duration::from_millis(25),
    rest: LONGEST,
};

/// The outcome of a probe.
pub(super) struct Probe {
    pub(super) key: String,
    pub(super) number: usize,
    /// The purchase, if it was acknowledged, and whether it was paid.
    pub(super) purchase: Option<(Purchase, bool)>,
    /// The time since the end of the fault, if the purchase was completed.
    pub(super) took: Option<Duration>,
    /// The step that failed, if it was not.
    pub(super) stopped: Option<String>,
}

/// Buys one license, and returns the time from `since` until the license was readable.
pub(super) async fn probe(shop: &Shop, number: usize, since: Instant) -> Probe {
    let deadline = Instant::now() + LONGEST;
    let key = format!("probe-{number}");
    let mut probe = Probe {
        key: key.clone(),
        number,
        purchase: None,
        took: None,
        stopped: None,
    };
    let placing = place(shop, &key, number, EAGER);
    match tokio::time::timeout_at(deadline, placing).await {
        Ok(Placed::Acknowledged(purchase)) => {
            let paid = approve(shop, &purchase, deadline).await;
            let there = paid && read_back(shop, &purchase, deadline).await;
            if there {
                probe.took = Some(since.elapsed());
            } else {
                let step = if paid { "fulfilled" } else { "paid" };
                probe.stopped = Some(format!("it was not {step} within {} s", LONGEST.as_secs()));
            }
            probe.purchase = Some((purchase, paid));
        }
        Ok(Placed::Refused(why)) => probe.stopped = Some(format!("it was refused: {why}")),
        Ok(Placed::Over | Placed::Unknown) | Err(_) => {
            probe.stopped = Some(format!("it was not acknowledged within {} s", LONGEST.as_secs()));
        }
    }
    probe
}
