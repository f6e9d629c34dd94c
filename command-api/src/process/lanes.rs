//! Which tasks run side by side, and within which bounds.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use vocabulary::PaymentProvider;

use super::kinds::{
    self, BATCH, CAPTURE, ERASE, FULFILL, LETTER, RECHECK, RECONCILE, REFUND, RESOLVE, REVOKE, SWEEP,
    UNMATCHED,
};

/// Kinds of tasks that a worker of their own does.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) kinds: Vec<Cow<'static, str>>,
    /// How many at once.
    pub(crate) at_once: usize,
    /// How long one attempt may take.
    pub(crate) attempt: Duration,
}

/// Wakes the worker of a lane when tasks of its kinds were planned, and no other one.
#[derive(Debug, Default)]
pub(crate) struct Planned(HashMap<Cow<'static, str>, Arc<Notify>>);

impl Planned {
    pub(crate) fn of(lanes: &[Lane]) -> Self {
        let of_lane = |lane: &Lane| {
            let wake = Arc::new(Notify::new());
            lane.kinds
                .clone()
                .into_iter()
                .map(move |kind| (kind, Arc::clone(&wake)))
        };
        Self(lanes.iter().flat_map(of_lane).collect())
    }

    /// What wakes the worker of this lane.
    pub(crate) fn waking(&self, lane: &Lane) -> Arc<Notify> {
        let of_lane = lane.kinds.first().and_then(|kind| self.0.get(kind));
        of_lane.map(Arc::clone).unwrap_or_default()
    }

    /// Tasks of these kinds are due. A worker that is busy looks when it is done.
    pub(crate) fn wake<'a>(&self, kinds: impl IntoIterator<Item = &'a str>) {
        for kind in kinds.into_iter().collect::<BTreeSet<_>>() {
            if let Some(wake) = self.0.get(kind) {
                wake.notify_one();
            }
        }
    }
}

/// How long a task is held without a renewal. After that its worker is presumed dead and another one begins the task
/// again. Short, because customers wait for most tasks.
pub(crate) const LEASE: Duration = Duration::from_secs(15);
/// How often a worker renews the lease of its task. What is left of the lease when the attempt ends is enough to record
/// the outcome.
pub(crate) const RENEW: Duration = Duration::from_secs(4);

/// How long an attempt may take that asks the payment provider, which may take its time.
const PROVIDER: Duration = Duration::from_secs(45);

/// The scheduled comparison of orders with their payments. A slice takes twenty seconds, and then waits for its last calls.
pub(crate) fn reconciliation() -> Lane {
    Lane {
        kinds: [SWEEP, UNMATCHED].map(Cow::from).into(),
        at_once: 4,
        attempt: Duration::from_mins(2),
    }
}

/// The lanes of one payment provider. A capture makes two or three calls: at 300 ms each, 96 at once make 100 and more a
/// second. Tests and the bench hold that.
const AT_PROVIDER: [(&str, usize); 4] = [(CAPTURE, 96), (REFUND, 8), (RECONCILE, 32), (RECHECK, 4)];

/// What runs side by side: three lanes that need only the log, one at the mail server, and for each provider a lane for each
/// kind of task there.
pub(crate) fn lanes(providers: impl IntoIterator<Item = PaymentProvider>) -> Vec<Lane> {
    let of_the_log = Lane {
        kinds: [FULFILL, REVOKE, RESOLVE].map(Cow::from).into(),
        at_once: 16,
        attempt: Duration::from_secs(10),
    };
    let of_people = Lane {
        kinds: vec![ERASE.into()],
        at_once: 2,
        attempt: Duration::from_secs(10),
    };
    // One batch at a time: its items are side by side.
    let of_batches = Lane {
        kinds: vec![BATCH.into()],
        at_once: 1,
        attempt: Duration::from_mins(2),
    };
    // Longer than a mail server may take for all steps, so that what it took is recorded by the attempt that sent it.
    let of_letters = Lane {
        kinds: vec![LETTER.into()],
        at_once: 4,
        attempt: Duration::from_mins(12),
    };
    let at_providers = providers.into_iter().flat_map(|provider| {
        AT_PROVIDER.map(|(kind, at_once)| Lane {
            kinds: vec![kinds::at(kind, provider)],
            at_once,
            attempt: PROVIDER,
        })
    });
    [of_the_log, of_people, of_batches, of_letters]
        .into_iter()
        .chain(at_providers)
        .collect()
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;
    use vocabulary::PaymentProvider;

    use super::{Planned, lanes};
    use crate::process::kinds::{AT_PROVIDER, KINDS, at};

    #[tokio::test]
    async fn what_is_planned_wakes_its_lane_alone() {
        let lanes = lanes(PaymentProvider::VARIANTS.iter().copied());
        let planned = Planned::of(&lanes);
        let kind = lanes[0].kinds.last().unwrap();
        planned.wake([&**kind, &**kind, "unknown"]);
        for (number, lane) in lanes.iter().enumerate() {
            let waking = planned.waking(lane);
            let woken = futures_util::FutureExt::now_or_never(waking.notified());
            assert_eq!(woken.is_some(), number == 0, "{:?}", lane.kinds);
        }
    }

    #[test]
    fn every_kind_has_one_lane_and_each_at_a_provider_a_lane_of_its_own() {
        let lanes = lanes(PaymentProvider::VARIANTS.iter().copied());
        for provider in PaymentProvider::VARIANTS {
            for kind in KINDS {
                let stored = at(kind, *provider);
                let of_kind: Vec<_> = lanes.iter().filter(|lane| lane.kinds.contains(&stored)).collect();
                assert_eq!(of_kind.len(), 1, "{stored}");
                if AT_PROVIDER.contains(&kind) {
                    assert_eq!(of_kind[0].kinds, [stored]);
                }
            }
        }
    }
}
