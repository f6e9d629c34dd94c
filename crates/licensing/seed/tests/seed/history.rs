//! What a small history has in it, and that it is always the same.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Utc, Weekday};
use envelope::RecordedEvent;
use events::{Event, LicenseEvent, OrderEvent, ReceiptSeriesEvent};
use vocabulary::ReceiptKind;

use crate::log::{EmptyLog, digest};

/// A hundredth of the ten years: 1,000 orders.
const SMALL: &[&str] = &["--scale", "0.01", "--seed", "7"];

#[tokio::test]
async fn the_same_seed_makes_the_same_history_also_after_a_kill() {
    let (one, other) = (EmptyLog::new().await, EmptyLog::new().await);
    let whole = one.seed(SMALL).await;
    whole.well();
    let mut killed = other.begin(SMALL, 1_500).await;
    killed.kill().await.unwrap();
    let left = other.log.head().await.unwrap().position;
    let rest = other.seed(SMALL).await;
    assert!(rest.well()["events"].as_u64() >= Some(left.get()));

    let (events, again) = (one.events().await, other.events().await);
    assert_eq!(events.len(), again.len());
    assert_eq!(digest(&events), digest(&again));

    // Once more changes nothing, and another history is refused.
    assert_eq!(one.seed(SMALL).await.well()["outcome"], "was there");
    let another = one.seed(&["--scale", "0.01", "--seed", "8"]).await;
    assert_eq!(another.status.code(), Some(1), "{}", another.said);
    assert!(another.said.contains("seed 7 scale 0.01"), "{}", another.said);
    assert_eq!(one.log.head().await.unwrap().position.get(), events.len() as u64);

    seasons_and_weekends(&events);
    times_of_a_history(&events);
    money_has_its_receipts(&events, &whole.report["counts"]);
    all_kinds_of_lives(&events, &whole.report["counts"]);
}

#[tokio::test]
async fn another_seed_makes_another_history_and_a_late_end_is_refused() {
    let (one, other) = (EmptyLog::new().await, EmptyLog::new().await);
    let tiny = |seed| ["--scale", "0.001", "--seed", seed];
    one.seed(&tiny("1")).await.well();
    other.seed(&tiny("2")).await.well();
    assert_ne!(digest(&one.events().await), digest(&other.events().await));

    let today = Utc::now().date_naive().to_string();
    let late = EmptyLog::new().await.seed(&["--until", &today]).await;
    assert_eq!(late.status.code(), Some(2), "{}", late.said);
    assert!(late.said.contains("at most"), "{}", late.said);
}

fn decoded(events: &[RecordedEvent]) -> impl Iterator<Item = (DateTime<Utc>, Event)> + '_ {
    let read = |event| -> Vec<Event> { Event::read(event).unwrap() };
    events.iter().flat_map(move |event| {
        read(event)
            .into_iter()
            .map(|payload| (event.recorded_at, payload))
    })
}

fn orders(events: &[RecordedEvent]) -> Vec<(DateTime<Utc>, OrderEvent)> {
    let orders = decoded(events).filter_map(|(at, event)| match event {
        Event::Order(event) => Some((at, event)),
        _ => None,
    });
    orders.collect()
}

fn seasons_and_weekends(events: &[RecordedEvent]) {
    let (mut months, mut weekend, mut all, mut families) = ([0; 12], 0, 0, 0);
    for (_, event) in orders(events) {
        let OrderEvent::OrderPlaced(placed) = event else {
            continue;
        };
        let day = placed.lines[0].activity_date;
        months[day.month0() as usize] += 1;
        weekend += u32::from(matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
        families += u32::from(placed.lines.len() > 1);
        all += 1;
    }
    let season: u32 = months[3..10].iter().sum();
    assert!(season * 100 > all * 85, "{months:?}");
    assert!(
        months[11] + months[0] + months[1] > 0,
        "winter is light and not empty: {months:?}"
    );
    assert!(weekend * 100 > all * 65, "{weekend} of {all} on weekends");
    assert!(
        (all / 10..all / 2).contains(&families),
        "{families} of {all} with several lines"
    );
}

fn times_of_a_history(events: &[RecordedEvent]) {
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].recorded_at <= pair[1].recorded_at)
    );
    let (first, last) = (
        events.first().unwrap().recorded_at,
        events.last().unwrap().recorded_at,
    );
    assert_eq!(first.date_naive().to_string(), "2016-10-01");
    assert!(last.date_naive().to_string().starts_with("2026-09"), "{last}");
    let years: BTreeMap<i32, usize> = orders(events).iter().fold(BTreeMap::new(), |mut years, (at, _)| {
        *years.entry(at.year()).or_default() += 1;
        years
    });
    assert_eq!(years.len(), 11, "{years:?}");
    assert!(years[&2020] < years[&2019], "the pandemic: {years:?}");
}

fn money_has_its_receipts(events: &[RecordedEvent], counts: &serde_json::Value) {
    let (mut collected, mut back) = (0, 0);
    for (_, event) in orders(events) {
        match event {
            OrderEvent::PaymentCaptured(captured) => collected += captured.captured_ore,
            // Sums of one order: each is refunded once here.
            OrderEvent::LinesRefunded(refunded) => back += refunded.refunded_ore,
            OrderEvent::OrderRefunded(refunded) => back += refunded.refunded_ore,
            _ => {}
        }
    }
    let (mut sum, mut numbers) = (0, BTreeMap::<i32, u32>::new());
    for (at, event) in decoded(events) {
        let Event::ReceiptSeries(ReceiptSeriesEvent::ReceiptIssued(issued)) = event else {
            continue;
        };
        let number = numbers.entry(issued.year).or_default();
        *number += 1;
        assert_eq!(issued.number, *number, "{} has no gap", issued.year);
        assert!(issued.happened_at <= at && issued.happened_at.year() == issued.year);
        match issued.kind {
            ReceiptKind::Receipt => sum += issued.gross_ore,
            ReceiptKind::CreditNote => {
                assert!(issued.corrects.is_some());
                sum -= issued.gross_ore;
            }
        }
    }
    assert!(collected > 0 && back > 0);
    assert_eq!(sum, collected - back);
    assert_eq!(counts["captured_ore"], collected);
    assert_eq!(counts["refunded_ore"], back);
}

fn all_kinds_of_lives(events: &[RecordedEvent], counts: &serde_json::Value) {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events {
        *kinds.entry(event.event_type.as_str()).or_default() += 1;
    }
    for kind in [
        "ClubRegistered",
        "LicenseCheckedIn",
        "LicenseRevoked",
        "LicenseScannedAgain",
        "LicenseTypePriceSet",
        "LetterSent",
        "LinesRefunded",
        "OrderCancelled",
        "OrderCancelledByCustomer",
        "OrderExpired",
        "OrderRefunded",
        "SuspensionImposed",
        "TermsPublished",
        "UserContactChanged",
        "UserRolesSet",
    ] {
        assert!(kinds.contains_key(kind), "no {kind} in {kinds:?}");
    }
    assert_eq!(kinds["OrderPlaced"], counts["orders"].as_u64().unwrap());
    let refused = counts["refused"].as_u64().unwrap();
    assert!(
        refused * 20 < kinds["OrderPlaced"],
        "{refused} orders were refused"
    );
    assert_eq!(kinds["LicenseIssued"], counts["licenses"].as_u64().unwrap());
    assert_eq!(
        kinds["PaymentCaptured"], kinds["OrderFulfilled"],
        "nothing is left to collect"
    );
    assert_eq!(
        kinds["LineRefundsRequested"],
        kinds["LinesRefunded"] + kinds["OrderRefunded"],
        "nothing is left to pay back"
    );
    // All names are there: with Norwegian letters, and of persons with ids of their own.
    let names = decoded(events).filter_map(|(_, event)| match event {
        Event::License(LicenseEvent::LicenseIssued(issued)) => Some(issued.holder.name.into_exposed()),
        _ => None,
    });
    let norwegian = names.filter(|name| name.contains(['æ', 'ø', 'å', 'Æ', 'Ø', 'Å']));
    assert!(norwegian.count() > 50);
}
