//! Prices over time, against a model that knows nothing of events.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate as _;
use proptest::prelude::*;

use super::{created, now};
use crate::LicenseTypeCommand;
use crate::license_types::LicenseType;

/// What staff do, some minutes after what they did before.
#[derive(Clone, Debug)]
enum Act {
    /// Sets a price, some minutes ahead or now.
    Set(i64, Option<i64>),
    /// Withdraws the price of this minute of the whole time.
    Withdraw(i64),
}

fn act() -> impl Strategy<Value = (i64, Act)> {
    let set = (1_i64..100_000, proptest::option::of(-1_i64..12)).prop_map(|(ore, from)| Act::Set(ore, from));
    let withdraw = (0_i64..40).prop_map(Act::Withdraw);
    (0_i64..4, prop_oneof![3 => set, 2 => withdraw])
}

fn minute(minute: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minute)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Of the prices that were set and not withdrawn, the one with the latest start holds, and of equal starts the one decided
    /// last. No command changes what held before it.
    #[test]
    fn an_offer_is_the_models_and_the_past_never_changes(acts in proptest::collection::vec(act(), 0..16)) {
        let mut kind = LicenseType::default();
        for event in created() {
            kind.apply(event);
        }
        // Start and price, in the order of the decisions.
        let mut model = vec![(0, 22_000)];
        let price = |kind: &LicenseType, at: i64| kind.offer_at(minute(at)).map(|offer| offer.price_ore);
        let mut at = 0;
        for (pause, act) in acts {
            at += pause;
            let before: Vec<_> = (0..at).map(|at| price(&kind, at)).collect();
            let command = match act {
                Act::Set(price_ore, ahead) => {
                    // A minute in the past is a browser's late "now".
                    model.push((at + ahead.unwrap_or(0).max(0), price_ore));
                    let valid_from = ahead.map(|ahead| minute(at + ahead));
                    LicenseTypeCommand::SetPrice { price_ore, valid_from, now: minute(at) }
                }
                Act::Withdraw(from) => {
                    if from > at {
                        model.retain(|(start, _)| *start != from);
                    }
                    LicenseTypeCommand::WithdrawPrice { valid_from: minute(from), now: minute(at) }
                }
            };
            // A refused withdrawal changes nothing.
            for event in kind.decide(command).unwrap_or_default() {
                kind.apply(event);
            }
            let after: Vec<_> = (0..at).map(|at| price(&kind, at)).collect();
            prop_assert_eq!(before, after);
            for at in -1..80 {
                let begun = model.iter().filter(|(start, _)| *start <= at);
                let holds = begun.max_by_key(|(start, _)| *start).map(|(_, ore)| *ore);
                prop_assert_eq!(price(&kind, at), holds, "minute {}", at);
            }
        }
    }
}
