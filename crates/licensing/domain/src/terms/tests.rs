use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use cqrs_es::Aggregate as _;
use cqrs_es::test::TestFramework;
use events::TermsPublished;
use proptest::prelude::*;

use super::{NewTerms, Terms, TermsCommand};
use crate::{Refusal, Rule};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 8, 0, 0).unwrap()
}

fn new(name: &str) -> NewTerms {
    NewTerms {
        terms_version: name.into(),
        valid_from: None,
        title_nb: "Vilkår".into(),
        title_en: "Terms".into(),
        text_nb: "  1. Én person.\r\n\r\n2.  Én dag.\n ".into(),
        text_en: "1. One person.\n\n2. One day.".into(),
        declaration_nb: "Jeg er frisk.".into(),
        declaration_en: "I am well.".into(),
    }
}

fn published(name: &str, valid_from: DateTime<Utc>) -> TermsPublished {
    TermsPublished {
        terms_version: name.into(),
        valid_from,
        title_nb: "Vilkår".into(),
        title_en: "Terms".into(),
        text_nb: "1. Én person.\n\n2. Én dag.".into(),
        text_en: "1. One person.\n\n2. One day.".into(),
        declaration_nb: "Jeg er frisk.".into(),
        declaration_en: "I am well.".into(),
    }
}

fn publish(new: NewTerms) -> TermsCommand {
    TermsCommand::Publish {
        new: Box::new(new),
        now: now(),
    }
}

/// The terms with these versions, each some hours after `now`.
fn terms(versions: &[(&str, i64)]) -> Terms {
    let mut terms = Terms::default();
    for (name, hours) in versions {
        terms.apply(published(name, now() + TimeDelta::hours(*hours)).into());
    }
    terms
}

#[test]
fn a_version_is_published_once_with_its_lines() {
    TestFramework::<Terms>::with(())
        .given_no_previous_events()
        .when(publish(new(" 2026-01 ")))
        .then_expect_events(vec![published("2026-01", now()).into()]);
    TestFramework::<Terms>::with(())
        .given(vec![published("2026-01", now() - TimeDelta::days(30)).into()])
        .when(publish(new("2026-01")))
        .then_expect_error(Refusal::Exists);
    let mut later = new("2026-02");
    later.valid_from = Some(now() + TimeDelta::days(30));
    TestFramework::<Terms>::with(())
        .given(vec![published("2026-01", now()).into()])
        .when(publish(later))
        .then_expect_events(vec![published("2026-02", now() + TimeDelta::days(30)).into()]);
}

#[test]
fn what_no_version_can_say_is_refused_by_field() {
    type Change = fn(&mut NewTerms);
    let changes: [(Change, &str, Rule); 8] = [
        (
            |new| new.terms_version = " ".into(),
            "/terms_version",
            Rule::Required,
        ),
        (
            |new| new.title_nb = "x".repeat(121),
            "/title_nb",
            Rule::TextTooLong,
        ),
        (|new| new.text_nb = " \n\n ".into(), "/text_nb", Rule::Required),
        (|new| new.text_en = "a\u{0}b".into(), "/text_en", Rule::Text),
        (
            |new| new.text_en = "æ".repeat(50_001),
            "/text_en",
            Rule::TextTooLong,
        ),
        (
            |new| new.declaration_en = "a\n\u{202e}b".into(),
            "/declaration_en",
            Rule::TextInvisible,
        ),
        (
            |new| new.valid_from = Some(now() - TimeDelta::hours(1)),
            "/valid_from",
            Rule::ValidFromPast,
        ),
        (
            |new| new.valid_from = Some(now() + TimeDelta::days(367)),
            "/valid_from",
            Rule::ValidFromTooFar,
        ),
    ];
    for (change, pointer, rule) in changes {
        let mut wrong = new("2026-01");
        change(&mut wrong);
        TestFramework::<Terms>::with(())
            .given_no_previous_events()
            .when(publish(wrong))
            .then_expect_error(Refusal::field(pointer, rule));
    }
}

#[test]
fn an_order_accepts_the_current_version_and_the_one_before_it_for_a_day() {
    assert_eq!(
        Terms::default().accept("2026-01", now()),
        Err(Refusal::TermsMissing)
    );
    let upcoming = terms(&[("2026-01", 1)]);
    assert_eq!(upcoming.accept("2026-01", now()), Err(Refusal::TermsMissing));
    let terms = terms(&[("a", -100), ("b", 0), ("c", 48)]);
    let at = |hours: i64| now() + TimeDelta::hours(hours);
    let outdated = |current: &str| {
        Err(Refusal::TermsOutdated {
            current: current.into(),
        })
    };
    let unknown = |current: &str| {
        Err(Refusal::TermsUnknown {
            current: current.into(),
        })
    };
    let accepted = [
        ("a", -100),
        ("a", -1),
        ("a", 0),
        ("a", 23),
        ("b", 0),
        ("b", 48),
        ("b", 71),
        ("c", 48),
        ("c", 9999),
    ];
    for (version, hours) in accepted {
        assert_eq!(terms.accept(version, at(hours)), Ok(()), "{version} {hours}");
    }
    for (version, hours, refused) in [
        ("a", 24, outdated("b")),
        ("b", 72, outdated("c")),
        ("b", -1, unknown("a")),
        ("c", 47, unknown("b")),
        ("d", 0, unknown("b")),
        ("A", 0, unknown("b")),
    ] {
        assert_eq!(terms.accept(version, at(hours)), refused, "{version} {hours}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Versions published in any order, some for the same moment: at every moment the current one is the one with the latest
    /// start, and what was current at some moment of the last day is accepted.
    #[test]
    fn what_is_accepted_was_current_within_a_day(starts in proptest::collection::vec(0_i64..60, 1..6), hours in 0_i64..100) {
        let names: Vec<String> = (0..starts.len()).map(|at| format!("v{at}")).collect();
        let versions: Vec<(&str, i64)> = names.iter().map(String::as_str).zip(starts.iter().copied()).collect();
        let terms = terms(&versions);
        // In half hours, because starts are whole ones.
        let current = |half_hours: i64| {
            let begun = versions.iter().filter(|(_, start)| start * 2 <= half_hours);
            begun.max_by_key(|(_, start)| *start).map(|(name, _)| *name)
        };
        let moment = now() + TimeDelta::hours(hours);
        prop_assert_eq!(terms.current(moment), current(hours * 2));
        for (name, _) in &versions {
            let was_current = (hours * 2 - 47..=hours * 2).any(|at| current(at) == Some(*name));
            prop_assert_eq!(terms.accept(name, moment).is_ok(), was_current, "{} at {}", name, hours);
        }
    }
}
