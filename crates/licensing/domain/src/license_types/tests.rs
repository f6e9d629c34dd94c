mod prices;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use events::{
    Category, LicenseTypeCreated, LicenseTypeEvent, LicenseTypeFacts, LicenseTypePriceSet,
    LicenseTypePriceWithdrawn, LicenseTypeRetired, Role, Tax,
};

use super::{LicenseType, LicenseTypeCommand, NewLicenseType, create};
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
        lifetime_cap: None,
        tax_code: None,
        tax_rate_permille: None,
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
            lifetime_cap: None,
            tax: Tax::default(),
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
    refused(|new| new.max_age = Some(121), "/max_age", Rule::Age);
    refused(|new| new.discipline = "★".into(), "/discipline", Rule::TextEmpty);
    refused(
        |new| new.name_nb = "\u{3164}".into(),
        "/name_nb",
        Rule::TextInvisible,
    );
    refused(|new| new.max_days = Some(0), "/max_days", Rule::ActivityDays);
    refused(|new| new.max_days = Some(4), "/max_days", Rule::ActivityDays);
    refused(
        |new| new.category = Category::Competition,
        "/max_days",
        Rule::ActivityDays,
    );
}

#[test]
fn cap_and_tax_are_bounded_and_an_exempt_type_has_no_tax() {
    for cap in [0, 1001, u16::MAX] {
        refused(
            |new| new.lifetime_cap = Some(cap),
            "/lifetime_cap",
            Rule::LifetimeCap,
        );
    }
    refused(
        |new| new.tax_code = Some("MVA 25".into()),
        "/tax_code",
        Rule::Code,
    );
    refused(
        |new| new.tax_rate_permille = Some(250),
        "/tax_rate_permille",
        Rule::TaxRate,
    );
    let mut taxed = new();
    (taxed.lifetime_cap, taxed.tax_code, taxed.tax_rate_permille) =
        (Some(4), Some("high".into()), Some(1001));
    let refusal = create(&taxed, now()).unwrap_err();
    assert_eq!(refusal, Refusal::field("/tax_rate_permille", Rule::TaxRate));
    taxed.tax_rate_permille = Some(250);
    let mut kind = LicenseType::default();
    create(&taxed, now())
        .unwrap()
        .into_iter()
        .for_each(|event| kind.apply(event));
    let offer = kind.offer_at(now()).unwrap();
    assert_eq!(
        (
            offer.lifetime_cap,
            offer.tax.code.as_str(),
            offer.tax.rate_permille
        ),
        (Some(4), "high", 250)
    );
}

#[test]
fn a_retired_type_is_not_sold_and_gets_no_price_and_stays_retired() {
    let retired: LicenseTypeEvent = LicenseTypeRetired {}.into();
    TestFramework::<LicenseType>::with(())
        .given(created())
        .when(LicenseTypeCommand::Retire)
        .then_expect_events(vec![retired.clone()]);
    let mut history = created();
    history.push(retired);
    TestFramework::<LicenseType>::with(())
        .given(history.clone())
        .when(LicenseTypeCommand::Retire)
        .then_expect_events(vec![]);
    let set = LicenseTypeCommand::SetPrice {
        price_ore: 30_000,
        valid_from: None,
        now: now(),
    };
    TestFramework::<LicenseType>::with(())
        .given(history.clone())
        .when(set)
        .then_expect_error(Refusal::Retired);
    TestFramework::<LicenseType>::with(())
        .given_no_previous_events()
        .when(LicenseTypeCommand::Retire)
        .then_expect_error(Refusal::Unknown);
    let mut kind = LicenseType::default();
    for event in history {
        kind.apply(event);
    }
    assert_eq!(kind.offer_at(now()), None);
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
    // A browser's "now" is a little old when it arrives. The price still never holds for the past.
    TestFramework::<LicenseType>::with(())
        .given(created())
        .when(set(30_000, Some(now() - TimeDelta::seconds(59))))
        .then_expect_events(vec![
            LicenseTypePriceSet {
                price_ore: 30_000,
                valid_from: now(),
            }
            .into(),
        ]);
    for (from, rule) in [
        (now() - TimeDelta::seconds(61), Rule::ValidFromPast),
        (now() + TimeDelta::days(733), Rule::ValidFromTooFar),
        (DateTime::<Utc>::MAX_UTC, Rule::ValidFromTooFar),
        (DateTime::<Utc>::MIN_UTC, Rule::ValidFromPast),
    ] {
        TestFramework::<LicenseType>::with(())
            .given(created())
            .when(set(30_000, Some(from)))
            .then_expect_error(Refusal::Invalid(vec![Field {
                pointer: "/valid_from".into(),
                rule,
            }]));
    }
    TestFramework::<LicenseType>::with(())
        .given_no_previous_events()
        .when(set(30_000, None))
        .then_expect_error(Refusal::Unknown);
}

#[test]
fn a_price_that_changes_nothing_is_not_recorded() {
    let coming = now() + TimeDelta::days(10);
    let mut history = created();
    let price = |price_ore, valid_from| {
        LicenseTypeEvent::from(LicenseTypePriceSet {
            price_ore,
            valid_from,
        })
    };
    history.push(price(25_000, coming));
    let set = |price_ore, valid_from| LicenseTypeCommand::SetPrice {
        price_ore,
        valid_from,
        now: now() + TimeDelta::hours(1),
    };
    let later = coming + TimeDelta::days(1);
    for (command, recorded) in [
        (set(22_000, None), vec![]),
        (set(25_000, Some(coming)), vec![]),
        // What holds from then on could change before that day.
        (set(25_000, Some(later)), vec![price(25_000, later)]),
        (set(26_000, Some(coming)), vec![price(26_000, coming)]),
    ] {
        TestFramework::<LicenseType>::with(())
            .given(history.clone())
            .when(command)
            .then_expect_events(recorded);
    }
}

#[test]
fn prices_of_a_type_are_bounded() {
    let mut kind = LicenseType::default();
    for event in created() {
        kind.apply(event);
    }
    let day = |days| now() + TimeDelta::days(days);
    let mut set = |price_ore, valid_from, now| {
        let command = LicenseTypeCommand::SetPrice {
            price_ore,
            valid_from,
            now,
        };
        let events = kind.decide(command)?;
        for event in events {
            kind.apply(event);
        }
        Ok::<_, Refusal>(kind.prices.len())
    };
    for ahead in 1..=50 {
        set(30_000 + ahead, Some(day(ahead)), now()).unwrap();
    }
    let too_many = Refusal::field("/valid_from", Rule::TooManyPrices);
    assert_eq!(set(1, Some(day(51)), now()), Err(too_many));
    // Another price for a start that is there, and one that holds at once.
    assert_eq!(set(1, Some(day(50)), now()), Ok(51));
    assert_eq!(set(2, None, now()), Ok(51));
    for second in 1..=1000 {
        let at = now() + TimeDelta::seconds(second);
        assert!(set(2 + second, None, at).unwrap() <= super::KNOWN_PRICES);
    }
    let price = |moment| kind.offer_at(moment).map(|offer| offer.price_ore);
    assert_eq!(price(now() + TimeDelta::seconds(990)), Some(992));
    assert_eq!((price(day(49)), price(day(60))), (Some(30_049), Some(1)));
}

#[test]
fn a_price_is_withdrawn_until_it_is_in_force() {
    let coming = now() + TimeDelta::days(10);
    let mut history = created();
    for price_ore in [25_000, 26_000] {
        let valid_from = coming;
        history.push(
            LicenseTypePriceSet {
                price_ore,
                valid_from,
            }
            .into(),
        );
    }
    let withdraw = |valid_from, now| LicenseTypeCommand::WithdrawPrice { valid_from, now };
    let withdrawn = LicenseTypePriceWithdrawn { valid_from: coming };
    TestFramework::<LicenseType>::with(())
        .given(history.clone())
        .when(withdraw(coming, now()))
        .then_expect_events(vec![withdrawn.clone().into()]);
    for (from, at, refusal) in [
        (coming, coming, Refusal::PriceInForce),
        (now(), now(), Refusal::PriceInForce),
        (coming + TimeDelta::seconds(1), now(), Refusal::Unknown),
    ] {
        TestFramework::<LicenseType>::with(())
            .given(history.clone())
            .when(withdraw(from, at))
            .then_expect_error(refusal);
    }
    // Once withdrawn it is gone: the price before it holds, and it can't be withdrawn again.
    history.push(withdrawn.into());
    let mut kind = LicenseType::default();
    history.iter().cloned().for_each(|event| kind.apply(event));
    assert_eq!(kind.offer_at(coming).map(|offer| offer.price_ore), Some(22_000));
    TestFramework::<LicenseType>::with(())
        .given(history)
        .when(withdraw(coming, now()))
        .then_expect_error(Refusal::Unknown);
    TestFramework::<LicenseType>::with(())
        .given_no_previous_events()
        .when(withdraw(coming, now()))
        .then_expect_error(Refusal::Unknown);
}
