//! What a customer has seen and accepted: price, terms, club. And whom a cap counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Days, TimeDelta};
use proptest::prelude::*;
use vocabulary::ClubStatus;

use super::{date, line, now, place};
use crate::orders::{CapClaim, RequestedLine};
use crate::{Refusal, Rule, Terms};

#[test]
fn the_version_of_the_terms_and_when_they_were_accepted_are_kept() {
    let placed = place(vec![line()]).check().unwrap();
    assert_eq!(
        (placed.terms_version.as_str(), placed.terms_accepted_at),
        ("2026-01", Some(now()))
    );
    let mut spelled = place(vec![line()]);
    spelled.terms_version = " 2026-01\u{a0}".into();
    assert_eq!(spelled.check().unwrap().terms_version, "2026-01");
}

#[test]
fn terms_that_are_not_in_force_are_refused() {
    let mut order = place(vec![line()]);
    order.terms_version = "2025-12".into();
    let current = "2026-01".to_owned();
    assert_eq!(order.check(), Err(Refusal::TermsUnknown { current }));
    let mut order = place(vec![line()]);
    order.now = now() - TimeDelta::days(2);
    assert_eq!(order.check(), Err(Refusal::TermsMissing), "not in force yet");
    let mut order = place(vec![line()]);
    order.terms = Arc::new(Terms::default());
    assert_eq!(order.check(), Err(Refusal::TermsMissing));
}

#[test]
fn another_total_than_the_customer_saw_is_refused_with_the_new_one() {
    for (seen, total_ore) in [
        (42_000, None),
        (41_999, Some(42_000)),
        (-1, Some(42_000)),
        (i64::MIN, Some(42_000)),
    ] {
        let mut order = place(vec![line()]);
        order.expected_total_ore = Some(seen);
        let refusal = total_ore.map(|total_ore| Refusal::PriceChanged { total_ore });
        assert_eq!(order.check().err(), refusal, "{seen}");
    }
}

#[test]
fn an_inactive_club_can_not_be_ordered_for() {
    let mut line = line();
    line.club.as_mut().unwrap().status = ClubStatus::Inactive;
    let refusal = Refusal::field("/lines/0/club_id", Rule::ClubInactive);
    assert_eq!(place(vec![line]).check(), Err(refusal));
}

/// A line of a capped type on the day with this number.
fn capped(cap: Option<u16>, day: u64, holder: &str) -> RequestedLine {
    let mut line = line();
    line.offer.as_mut().unwrap().lifetime_cap = cap;
    line.asked.activity_date = date(2026, 7, 1) + Days::new(day);
    line.asked.holder.name = holder.into();
    line
}

#[test]
fn each_license_of_a_capped_type_counts_for_its_holder_in_every_spelling() {
    let lines = vec![
        capped(Some(4), 0, "Kari \u{c5}sen"),
        capped(Some(4), 1, "KARI A\u{30a}SEN"),
        capped(Some(4), 2, "Ola \u{c5}sen"),
        capped(None, 3, "Kari \u{c5}sen"),
    ];
    let order = place(lines);
    let claims = order.claims();
    let [first, second, other] = claims.caps.as_slice() else {
        panic!("{:?}", claims.caps)
    };
    assert_eq!((&first.key, first.at_most), (&second.key, 4));
    assert_ne!(first.license_id, second.license_id);
    assert_ne!(first.key, other.key);
    assert_eq!(claims.days.len(), 4);
    let CapClaim { license_id, line, .. } = first;
    assert_eq!((*license_id, *line), (crate::license_id(order.order_id, 1), 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The total is the sum of the catalogue's prices, and a customer who saw another one is told.
    #[test]
    fn the_total_is_the_sum_of_the_lines(prices in proptest::collection::vec(1_i64..10_000_000, 1..100), off in -3_i64..=3) {
        let lines = prices.iter().zip(0..).map(|(price_ore, day)| {
            let mut line = capped(None, day, "Kari Nordmann");
            line.offer.as_mut().unwrap().price_ore = *price_ore;
            line
        });
        let mut order = place(lines.collect());
        let sum: i64 = prices.iter().sum();
        order.expected_total_ore = Some(sum + off);
        match order.check() {
            Ok(placed) => prop_assert_eq!((placed.total_ore, off), (sum, 0)),
            Err(refusal) => {
                prop_assert_ne!(off, 0);
                prop_assert_eq!(refusal, Refusal::PriceChanged { total_ore: sum });
            }
        }
    }

    /// Every line of a capped type counts once, under one key for each holder.
    #[test]
    fn caps_count_licenses(holders in proptest::collection::vec(0_usize..3, 1..20)) {
        let names = ["Kari Nordmann", "Ola Nordmann", "Per Nordmann"];
        let lines = holders.iter().zip(0..).map(|(holder, day)| capped(Some(4), day, names[*holder]));
        let caps = place(lines.collect()).claims().caps;
        let owners: BTreeSet<_> = caps.iter().map(|cap| cap.license_id).collect();
        let keys: BTreeSet<_> = caps.iter().map(|cap| &cap.key).collect();
        let distinct: BTreeSet<_> = holders.iter().collect();
        prop_assert_eq!((caps.len(), owners.len(), keys.len()), (holders.len(), holders.len(), distinct.len()));
    }
}
