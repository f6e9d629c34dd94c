use chrono::{DateTime, TimeZone as _, Utc};
use cqrs_es::Aggregate as _;
use cqrs_es::test::TestFramework;
use events::{
    OrderEvent, OrderRefunded, PaymentCaptured, PaymentReconciled, ReceiptLine, ReceiptSeriesEvent,
};
use proptest::prelude::*;
use uuid::Uuid;
use vocabulary::ReceiptKind;

use super::{DueReceipt, ReceiptSeries, ReceiptSeriesCommand, issued, moved_ore, receipt_year};
use crate::orders::Order;

fn at(year: i32, month: u32, day: u32, hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, day, hour, 0, 0).unwrap()
}

fn due(cause: u64, kind: ReceiptKind, gross_ore: i64) -> DueReceipt {
    DueReceipt {
        kind,
        corrects: (kind == ReceiptKind::CreditNote).then(|| "2026-000001".into()),
        order_id: Uuid::from_u128(1),
        order_number: "BL-1".into(),
        customer_id: Uuid::from_u128(2),
        provider: "vipps".into(),
        payment_reference: "p".into(),
        cause,
        happened_at: at(2026, 6, 5, 7),
        lines: vec![ReceiptLine {
            line: 1,
            license_type: "konkurranse-bilcross".into(),
            name_nb: "Bilcross".into(),
            name_en: "Bilcross".into(),
            club_name: "NMK Testby".into(),
            activity_date: at(2026, 6, 5, 7).date_naive(),
            activity_days: 1,
            gross_ore,
            tax_code: "exempt".into(),
            tax_rate_permille: 0,
            tax_ore: 0,
        }],
    }
}

fn issue(due: Vec<DueReceipt>) -> ReceiptSeriesCommand {
    ReceiptSeriesCommand::Issue { year: 2026, due }
}

#[test]
fn numbers_follow_each_other_and_an_event_gets_its_numbers_once() {
    let first = due(10, ReceiptKind::Receipt, 42_000);
    let back = due(12, ReceiptKind::CreditNote, 42_000);
    let one: ReceiptSeriesEvent = issued(2026, 1, first.clone()).into();
    let two: ReceiptSeriesEvent = issued(2026, 2, back.clone()).into();
    TestFramework::<ReceiptSeries>::with(())
        .given_no_previous_events()
        .when(issue(vec![first.clone(), back.clone()]))
        .then_expect_events(vec![one.clone(), two.clone()]);
    TestFramework::<ReceiptSeries>::with(())
        .given(vec![one.clone()])
        .when(issue(vec![first.clone(), back]))
        .then_expect_events(vec![two.clone()]);
    TestFramework::<ReceiptSeries>::with(())
        .given(vec![one, two])
        .when(issue(vec![first]))
        .then_expect_events(vec![]);
}

#[test]
fn a_receipt_has_a_number_that_people_can_sort() {
    let receipt = issued(2026, 42, due(1, ReceiptKind::Receipt, 100));
    assert_eq!(receipt.receipt_number, "2026-000042");
    assert_eq!((receipt.gross_ore, receipt.tax_ore), (100, 0));
}

#[test]
fn the_year_turns_at_midnight_in_norway() {
    assert_eq!(receipt_year(at(2026, 12, 31, 22)), 2026);
    assert_eq!(receipt_year(at(2026, 12, 31, 23)), 2027);
}

fn after(events: &[OrderEvent]) -> Order {
    let mut order = Order::default();
    events.iter().cloned().for_each(|event| order.apply(event));
    order
}

#[test]
fn what_was_collected_has_a_receipt_and_what_went_back_a_credit_note() {
    let captured: OrderEvent = PaymentCaptured {
        reference: "p".into(),
        captured_ore: 42_000,
    }
    .into();
    let moved = |captured_ore, refunded_ore| {
        OrderEvent::from(PaymentReconciled {
            reference: "p".into(),
            captured_ore,
            refunded_ore,
        })
    };
    let refunded = |released_ore, refunded_ore| {
        OrderEvent::from(OrderRefunded {
            reference: "p".into(),
            released_ore,
            refunded_ore,
        })
    };
    let nothing = Order::default();
    // `PaymentCaptured` counts only for an order that was fulfilled; the sums of the books always do.
    let paid = after(&[moved(42_000, 0)]);
    assert_eq!(moved_ore(&nothing, &paid), (42_000, 0));
    assert_eq!(moved_ore(&paid, &after(&[moved(42_000, 0), captured])), (0, 0));
    let part = after(&[moved(42_000, 1_000)]);
    assert_eq!(moved_ore(&paid, &part), (0, 1_000));
    let all = after(&[moved(42_000, 1_000), refunded(0, 42_000)]);
    assert_eq!(moved_ore(&part, &all), (0, 41_000));
    // Released, never taken.
    assert_eq!(moved_ore(&nothing, &after(&[refunded(42_000, 0)])), (0, 0));
    // Taken and paid back before the shop recorded either.
    assert_eq!(
        moved_ore(&nothing, &after(&[refunded(0, 42_000)])),
        (42_000, 42_000)
    );
}

#[test]
fn a_credit_note_of_the_same_event_corrects_the_receipt_before_it() {
    let mut back = due(10, ReceiptKind::CreditNote, 42_000);
    back.corrects = None;
    let decided = ReceiptSeries::default().decide(issue(vec![due(10, ReceiptKind::Receipt, 42_000), back]));
    let [
        ReceiptSeriesEvent::ReceiptIssued(receipt),
        ReceiptSeriesEvent::ReceiptIssued(note),
    ] = &decided.unwrap()[..]
    else {
        panic!("two documents");
    };
    assert_eq!(note.corrects.as_ref(), Some(&receipt.receipt_number));
}

proptest! {
    /// However the events arrive, repeated or not, the numbers have no gap and no double, and follow the log.
    #[test]
    fn a_series_has_no_gap(runs in proptest::collection::vec(proptest::collection::vec(1_u64..60, 1..8), 1..30)) {
        let (mut series, mut numbers, mut causes) = (ReceiptSeries::default(), Vec::new(), Vec::new());
        for mut run in runs {
            run.sort_unstable();
            run.dedup();
            let due = run.iter().map(|cause| due(*cause, ReceiptKind::Receipt, 1)).collect();
            for event in series.decide(issue(due)).unwrap() {
                let ReceiptSeriesEvent::ReceiptIssued(receipt) = &event;
                numbers.push(receipt.number);
                causes.push(receipt.cause);
                series.apply(event);
            }
        }
        prop_assert!(numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap()));
        prop_assert!(causes.windows(2).all(|pair| pair[0] < pair[1]), "{causes:?}");
    }
}
