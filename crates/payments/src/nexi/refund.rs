//! Nexi refunds single charges. A payment has several when a part was taken in the provider's portal.
//!
//! The provider does not tell which charge a refund belongs to. What is refunded already is taken to be of the oldest
//! charges. A charge that refuses its share, because the portal refunded it in another order, leaves it to the others.

use reqwest::Method;

use super::{Nexi, wire};
use crate::checks::refused;
use crate::port::{Charges, Error, Payment};

/// More charges than this are not looked at.
const MAX_CHARGES: usize = 100;

pub(super) async fn refund(
    nexi: &Nexi,
    payment: &Payment,
    amount_ore: i64,
    idempotency_key: &str,
) -> Result<(), Error> {
    let charges = &payment.charges;
    if charges.refunding_ore > 0 {
        return Err(Error::Unavailable("a refund is under way".to_owned()));
    }
    let made = charges.made.get(..MAX_CHARGES).unwrap_or(&charges.made);
    let Some(shares) = shares(made, payment.refunded_ore, amount_ore) else {
        return Err(refused(
            400,
            "the amount exceeds what is charged and not refunded",
        ));
    };
    let (mut left_ore, mut refusal) = (0, None);
    for (number, share_ore) in &shares {
        match of_charge(nexi, charges, *number, *share_ore, idempotency_key).await {
            Ok(()) => {}
            Err(refused @ Error::Refused { .. }) => {
                left_ore += share_ore;
                refusal = Some(refused);
            }
            Err(error) => return Err(error),
        }
    }
    for (number, (_, charged_ore)) in made.iter().enumerate() {
        if left_ore == 0 || shares.iter().any(|(taken, _)| *taken == number) {
            continue;
        }
        let share_ore = left_ore.min(*charged_ore);
        match of_charge(nexi, charges, number, share_ore, idempotency_key).await {
            Ok(()) => left_ore -= share_ore,
            Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    match refusal {
        Some(refusal) if left_ore > 0 => Err(refusal),
        _ => Ok(()),
    }
}

async fn of_charge(
    nexi: &Nexi,
    charges: &Charges,
    number: usize,
    amount_ore: i64,
    idempotency_key: &str,
) -> Result<(), Error> {
    let Some((charge_id, _)) = charges.made.get(number) else {
        return Ok(());
    };
    let key = key(idempotency_key, number, charges.failed_refunds);
    let path = format!("v1/charges/{charge_id}/refunds");
    let body = Some(wire::change_of(amount_ore));
    nexi.change("refund", Method::POST, path, Some(&key), body).await
}

/// The key of one charge's share. The provider answers a used key with the first refund, also when that one has failed
/// since, so a refund after a failed one has another key.
fn key(idempotency_key: &str, number: usize, failed: usize) -> String {
    match failed {
        0 => format!("{idempotency_key}-{number}"),
        failed => format!("{idempotency_key}-{number}-{failed}"),
    }
}

/// Which charge gives back how much: the oldest first, after `refunded_ore` of them. `None` if there is not enough.
fn shares(made: &[(String, i64)], refunded_ore: i64, amount_ore: i64) -> Option<Vec<(usize, i64)>> {
    let (mut skip_ore, mut left_ore) = (refunded_ore, amount_ore);
    let mut shares = Vec::new();
    for (number, (_, charged_ore)) in made.iter().enumerate() {
        let skipped_ore = skip_ore.min(*charged_ore);
        skip_ore -= skipped_ore;
        let share_ore = left_ore.min(charged_ore - skipped_ore);
        if share_ore > 0 {
            shares.push((number, share_ore));
            left_ore -= share_ore;
        }
    }
    (left_ore == 0).then_some(shares)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn charges(amounts: &[i64]) -> Vec<(String, i64)> {
        let id = |number| format!("charge-{number}");
        amounts.iter().enumerate().map(|(n, ore)| (id(n), *ore)).collect()
    }

    #[test]
    fn the_oldest_charges_are_refunded_first() {
        let two = charges(&[400, 600]);
        assert_eq!(shares(&two, 0, 1000), Some(vec![(0, 400), (1, 600)]));
        assert_eq!(shares(&two, 0, 300), Some(vec![(0, 300)]));
        assert_eq!(shares(&two, 300, 200), Some(vec![(0, 100), (1, 100)]));
        assert_eq!(shares(&two, 400, 600), Some(vec![(1, 600)]));
        assert_eq!(shares(&two, 401, 600), None);
        assert_eq!(shares(&[], 0, 1), None);
    }

    #[test]
    fn keys_fit_and_differ() {
        let longest = "k".repeat(crate::MAX_IDEMPOTENCY_KEY);
        assert!(key(&longest, MAX_CHARGES, 1_000_000).len() <= 64);
        assert_ne!(key("k", 1, 0), key("k", 0, 1));
        assert_ne!(key("k", 0, 0), key("k", 1, 0));
    }

    proptest! {
        #[test]
        fn shares_add_up_and_no_charge_gives_more_than_it_took(
            amounts in proptest::collection::vec(1_i64..100_000, 0..8),
            refunded in 0_i64..400_000,
            amount in 1_i64..400_000,
        ) {
            let made = charges(&amounts);
            let charged: i64 = amounts.iter().sum();
            match shares(&made, refunded, amount) {
                None => prop_assert!(refunded + amount > charged),
                Some(shares) => {
                    prop_assert_eq!(shares.iter().map(|(_, ore)| ore).sum::<i64>(), amount);
                    prop_assert!(shares.iter().all(|(n, ore)| *ore > 0 && *ore <= amounts[*n]));
                    prop_assert!(refunded + amount <= charged);
                }
            }
        }
    }
}
