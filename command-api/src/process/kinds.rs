//! The kinds of tasks, as the `tasks` table and metrics name them.
//!
//! Tasks that ask a payment provider have a kind for each provider, so that each is claimed within bounds of its own and
//! none waits behind a provider that hangs. Those of Vipps have the bare kind: there was no other provider at first.

use std::borrow::Cow;

use vocabulary::{PaymentProvider, Word as _};

/// The name that checkpoint and tasks are kept under.
pub(crate) const PROCESS: &str = "orders";

/// Issue the licenses of a paid order.
pub(crate) const FULFILL: &str = "fulfill";
/// Ask the provider about a payment, and expire an order that ran out of time. Stored as `settle` since the first tasks.
pub(crate) const RECONCILE: &str = "settle";
/// Collect the money of a fulfilled order.
pub(crate) const CAPTURE: &str = "capture";
/// Give money back.
pub(crate) const REFUND: &str = "refund";
/// Revoke the licenses of an order that ended.
pub(crate) const REVOKE: &str = "revoke";
/// Look for money that moved outside the shop. Stored as `reconcile` since the first tasks.
pub(crate) const RECHECK: &str = "reconcile";
/// Wait for a decision on money that can't be collected.
pub(crate) const RESOLVE: &str = "resolve";

/// Send a letter. Its tasks are about a letter, not about an order.
pub(crate) const LETTER: &str = "letter";
/// Forget an erased person.
pub(crate) const ERASE: &str = "erase";
/// Do the items of a batch.
pub(crate) const BATCH: &str = "batch";

/// The name that the checkpoint and tasks of the scheduled comparison are kept under.
pub(crate) const RECONCILIATION: &str = "reconciliation";

/// Compare orders with their payments: a slice of a round.
pub(crate) const SWEEP: &str = "sweep";
/// Compare an order again that differed from its payment.
pub(crate) const UNMATCHED: &str = "unmatched";

/// Every kind of task that the planner plans, as metrics name them.
pub(crate) const KINDS: [&str; 10] = [
    FULFILL, RECONCILE, CAPTURE, REFUND, REVOKE, RECHECK, RESOLVE, ERASE, BATCH, LETTER,
];

/// The kinds that ask a payment provider.
pub(crate) const AT_PROVIDER: [&str; 4] = [RECONCILE, CAPTURE, REFUND, RECHECK];

/// The kind, as it is stored for an order that is paid through `provider`.
pub(crate) fn at(kind: &'static str, provider: PaymentProvider) -> Cow<'static, str> {
    if provider == PaymentProvider::Vipps || !AT_PROVIDER.contains(&kind) {
        return kind.into();
    }
    format!("{kind}@{}", provider.as_str()).into()
}

/// The kind without its provider.
pub(crate) fn general(stored: &str) -> &str {
    stored.split_once('@').map_or(stored, |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;
    use vocabulary::PaymentProvider;

    use super::{AT_PROVIDER, FULFILL, KINDS, at, general};

    #[test]
    fn a_stored_kind_names_one_kind_and_one_provider() {
        let stored = PaymentProvider::VARIANTS
            .iter()
            .flat_map(|provider| AT_PROVIDER.map(|kind| (kind, at(kind, *provider))));
        let stored: Vec<_> = stored.collect();
        for (place, (kind, name)) in stored.iter().enumerate() {
            assert_eq!(general(name), *kind);
            assert!(stored[..place].iter().all(|(_, other)| other != name), "{name}");
        }
        assert_eq!(at(FULFILL, PaymentProvider::Nexi), FULFILL);
        assert!(KINDS.iter().all(|kind| at(kind, PaymentProvider::Vipps) == *kind));
    }
}
