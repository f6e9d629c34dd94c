use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use events::{Category, LicenseTypeCreated, LicenseTypeEvent, LicenseTypeFacts, LicenseTypePriceSet, Role};

use super::{LicenseType, LicenseTypeCommand, NewLicenseType};
use crate::{Field, Refusal, Rule};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 8, 0, 0).unwrap()
}

fn new() -> NewLicenseType {
    NewLicenseType {
        code: "banedag-racing".into(),
        category: Category::TrackDay,
        discipline: "racing".into(),
        role: Role::Driver,
        name_nb: "Racing".into(),
        name_en: "Racing".into(),
        price_ore: 22_000,
        min_age: Some(16),
        max_age: None,
        max_days: Some(3),
    }
}

fn created() -> Vec<LicenseTypeEvent> {
    let facts = LicenseTypeFacts {
        code: "banedag-racing".into(),
        category: Category::TrackDay,
        discipline: "racing".into(),
        role: Role::Driver,
        name_nb: "Racing".into(),
        name_en: "Racing".into(),
    };
    vec![
        LicenseTypeCreated {
            facts,
            min_age: Some(16),
            max_age: None,
            max_days: 3,
        }
        .into(),
        LicenseTypePriceSet {
            price_ore: 22_000,
            valid_from: now(),
        }
        .into(),
    ]
}

fn refused(change: impl Fn(&mut NewLicenseType), pointer: &str, rule: Rule) {
    let mut new = new();
    change(&mut new);
    TestFramework::<LicenseType>::with(())
        .given_no_previous_events()
        .when(LicenseTypeCommand::Create { new, now: now() })
        .then_expect_error(Refusal::Invalid(vec![Field {
            pointer: pointer.into(),
            rule,
        }]));
}

#[test]
fn a_type_is_created_once_with_its_first_price() {
    TestFramework::<LicenseType>::with(())
        .given_no_previous_events()
        .when(LicenseTypeCommand::Create {
            new: new(),
            now: now(),
        })
        .then_expect_events(created());
    TestFramework::<LicenseType>::with(())
        .given(created())
        .when(LicenseTypeCommand::Create {
            new: new(),
            now: now(),
        })
        .then_expect_error(Refusal::Exists);
}

#[test]
fn a_type_must_make_sense() {
    for code in ["Banedag", "bane dag", " banedag", "banedag_racing", "baneæ"] {
        refused(|new| new.code = code.into(), "/code", Rule::Code);
    }
    refused(|new| new.code = String::new(), "/code", Rule::Required);
    refused(|new| new.price_ore = 0, "/price_ore", Rule::Price);
    refused(|new| new.price_ore = -1, "/price_ore", Rule::Price);
    refused(|new| new.price_ore = i64::MAX, "/price_ore", Rule::Price);
    refused(|new| new.name_en = String::new(), "/name_en", Rule::Required);
    refused(|new| new.max_age = Some(15), "/min_age", Rule::AgeRange);
    refused(|new| new.max_days = Some(0), "/max_days", Rule::ActivityDays);
    refused(|new| new.max_days = Some(4), "/max_days", Rule::ActivityDays);
    refused(
        |new| new.category = Category::Competition,
        "/max_days",
        Rule::ActivityDays,
    );
}

#[test]
fn a_price_holds_from_its_moment_on() {
    let mut kind = LicenseType::default();
    assert_eq!(kind.offer_at(now()), None);
    for event in created() {
        kind.apply(event);
    }
    let later = now() + TimeDelta::days(10);
    kind.apply(
        LicenseTypePriceSet {
            price_ore: 25_000,
            valid_from: later,
        }
        .into(),
    );
    let price = |moment| kind.offer_at(moment).map(|offer| offer.price_ore);
    assert_eq!(price(now() - TimeDelta::seconds(1)), None);
    assert_eq!(price(now()), Some(22_000));
    assert_eq!(price(later - TimeDelta::seconds(1)), Some(22_000));
    assert_eq!(price(later), Some(25_000));
}

#[test]
fn of_two_prices_from_the_same_moment_the_later_decision_wins() {
    let mut kind = LicenseType::default();
    for event in created() {
        kind.apply(event);
    }
    kind.apply(
        LicenseTypePriceSet {
            price_ore: 1,
            valid_from: now(),
        }
        .into(),
    );
    assert_eq!(kind.offer_at(now()).map(|offer| offer.price_ore), Some(1));
}

#[test]
fn a_price_is_set_for_now_or_later_on_a_type_that_exists() {
    let set = |price_ore, valid_from| LicenseTypeCommand::SetPrice {
        price_ore,
        valid_from,
        now: now(),
    };
    TestFramework::<LicenseType>::with(())
        .given(created())
        .when(set(30_000, None))
        .then_expect_events(vec![
            LicenseTypePriceSet {
                price_ore: 30_000,
                valid_from: now(),
            }
            .into(),
        ]);
    TestFramework::<LicenseType>::with(())
        .given(created())
        .when(set(30_000, Some(now() - TimeDelta::seconds(1))))
        .then_expect_error(Refusal::Invalid(vec![Field {
            pointer: "/valid_from".into(),
            rule: Rule::ActivityPast,
        }]));
    TestFramework::<LicenseType>::with(())
        .given_no_previous_events()
        .when(set(30_000, None))
        .then_expect_error(Refusal::Unknown);
}
