//! How long after a fault it takes until somebody who comes now gets a license: order, payment, license, and the order
//! read back as fulfilled.

use std::time::Duration;

use tokio::time::Instant;

use super::customers::{Patience, Placed, approve, place, read_back};
use crate::Shop;
use crate::purchase::Purchase;

/// After this it is not a recovery any more.
const LONGEST: Duration = Duration::from_mins(2);

/// One who does not give up, and tries often, so that what is measured is the system and not the pause.
const EAGER: Patience = Patience {
    tries: 400,
    one_try: Duration::from_secs(2),
    pause: Duration::from_millis(25),
    rest: LONGEST,
};

/// What became of the probe.
pub(super) struct Probe {
    pub(super) key: String,
    pub(super) number: usize,
    /// If it was acknowledged: the purchase, and whether it was paid.
    pub(super) purchase: Option<(Purchase, bool)>,
    /// Since the end of the fault, if it went through.
    pub(super) took: Option<Duration>,
    /// Where it stopped, if it did not.
    pub(super) stopped: Option<String>,
}

/// Buys one license, and says how long after `since` it was there.
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
