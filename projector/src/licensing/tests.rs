mod batches;
mod granted;
mod refunds;

use chrono::{DateTime, Days, NaiveDate, Utc};
use envelope::{Metadata, Personal, Position, RecordedEvent};
use events::{
    CancelReason, CaptureAction, CaptureFailed, CaptureFailure, CaptureResolved, Category, Holder,
    LicenseTypeCreated, LicenseTypeFacts, LicenseTypePriceSet, OrderCancelled, OrderEvent, OrderExpired,
    OrderFulfilled, OrderLine, OrderPaid, OrderPlaced, OrderRefunded, PaymentCaptured, PaymentReconciled,
    PaymentRequested, RefundReason, RefundRequested, Role, Tax,
};
use read_model::write::{LicenseTypeRow, OrderRow};
use uuid::Uuid;

use super::{license_types, orders};
use crate::bounds;
use crate::misfit::Misfit;

fn recorded(number: u64) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(number * 10),
        aggregate_type: "order".into(),
        aggregate_id: Uuid::nil(),
        sequence: number,
        event_type: "Order".into(),
        event_version: "1".into(),
        payload: serde_json::value::to_raw_value(&()).unwrap(),
        metadata: Metadata::default(),
        recorded_at: DateTime::<Utc>::UNIX_EPOCH + Days::new(number),
    }
}

fn line(activity_date: NaiveDate, activity_days: u8) -> OrderLine {
    OrderLine {
        line: 1,
        license_id: Uuid::nil(),
        license_type: LicenseTypeFacts {
            code: "test".into(),
            category: Category::Test,
            discipline: "bil".into(),
            role: Role::Driver,
            name_nb: "Test".into(),
            name_en: "Test".into(),
        },
        club_id: Uuid::nil(),
        club_name: "NMK".into(),
        activity_date,
        activity_days,
        price_ore: 100,
        tax: Tax::default(),
        lifetime_cap: None,
        holder_id: None,
        holder: Holder {
            name: Personal::new("Kari".into()),
            birth_date: Personal::new(june(5)),
            phone: None,
            email: None,
            guardian: None,
        },
        vehicle: None,
    }
}

fn placed(lines: Vec<OrderLine>) -> OrderEvent {
    let placed = OrderPlaced {
        order_number: "BL-1".into(),
        customer_id: Uuid::nil(),
        lines,
        total_ore: 100,
        currency: "NOK".into(),
        payment_provider: "vipps".into(),
        payment_reference: "ref-1".into(),
        terms_version: "1".into(),
        terms_accepted_at: None,
        expires_at: DateTime::<Utc>::UNIX_EPOCH,
    };
    placed.into()
}

/// The order after these events.
fn order(events: Vec<OrderEvent>) -> Result<OrderRow, Misfit> {
    let mut row = None;
    for (number, event) in (1..).zip(events) {
        orders::apply(&mut row, &recorded(number), event)?;
    }
    row.ok_or(Misfit::NoRow)
}

fn june(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, day).unwrap()
}

#[test]
fn each_event_moves_the_order_to_its_status() {
    let (provider, reference) = ("vipps".to_owned(), "ref-1".to_owned());
    let requested = PaymentRequested {
        provider: provider.clone(),
        reference: reference.clone(),
        redirect_url: "http://pay.test".into(),
        amount_ore: 100,
    };
    let paid = OrderPaid {
        provider,
        reference: reference.clone(),
        authorized_ore: 100,
    };
    let captured = PaymentCaptured {
        reference: reference.clone(),
        captured_ore: 100,
    };
    let refund = RefundRequested {
        reason: RefundReason::PaidTooLate,
        reference: reference.clone(),
        amount_ore: 100,
    };
    let refunded = OrderRefunded {
        reference,
        released_ore: 100,
        refunded_ore: 0,
    };
    let cases: Vec<(OrderEvent, &str)> = vec![
        (requested.into(), "payment_pending"),
        (paid.into(), "paid"),
        (captured.into(), "placed"),
        (OrderFulfilled { license_ids: vec![] }.into(), "fulfilled"),
        (
            OrderCancelled {
                reason: CancelReason::PaymentDeclined,
            }
            .into(),
            "cancelled",
        ),
        (OrderExpired {}.into(), "expired"),
        (refund.into(), "refund_pending"),
        (refunded.into(), "refunded"),
    ];
    for (event, status) in cases {
        let row = order(vec![placed(vec![line(june(5), 1)]), event]).unwrap();
        assert_eq!(row.status.to_string(), status);
        assert_eq!((row.version, row.position), (2, 20), "{status}");
        assert_eq!(row.updated_at, recorded(2).recorded_at, "{status}");
        assert_eq!(row.created_at, recorded(1).recorded_at, "{status}");
    }
}

#[test]
fn an_orders_money_is_what_the_events_say() {
    let failed = CaptureFailed {
        reference: "ref-1".into(),
        reason: CaptureFailure::PartlyCollected,
        due_ore: 100,
        collected_ore: 40,
        refunded_ore: 0,
        collectable_ore: 60,
    };
    let resolved = |action, written_off_ore| CaptureResolved {
        action,
        policy_version: None,
        reason: None,
        written_off_ore,
    };
    let captured = PaymentCaptured {
        reference: "ref-1".into(),
        captured_ore: 100,
    };
    let found = PaymentReconciled {
        reference: "ref-1".into(),
        captured_ore: 100,
        refunded_ore: 30,
    };
    let begun = || vec![placed(vec![line(june(5), 1)]), failed.clone().into()];
    let after = |more: Vec<OrderEvent>| {
        let row = order(begun().into_iter().chain(more).collect()).unwrap();
        let sums = [row.captured_ore, row.refunded_ore, row.written_off_ore];
        (row.status.to_string(), sums, row.capture_failure)
    };
    let undecided = Some("partly_collected".to_owned());
    assert_eq!(after(vec![]), ("capture_failed".into(), [40, 0, 0], undecided));
    let rest = resolved(CaptureAction::CollectRest, 0);
    assert_eq!(after(vec![rest.into()]), ("fulfilled".into(), [40, 0, 0], None));
    let off = resolved(CaptureAction::WriteOff, 60);
    assert_eq!(after(vec![off.into()]), ("fulfilled".into(), [40, 0, 60], None));
    let revoked = resolved(CaptureAction::Revoke, 0);
    assert_eq!(
        after(vec![revoked.into()]),
        ("refund_pending".into(), [40, 0, 0], None)
    );
    let whole = vec![captured.into(), found.into()];
    assert_eq!(after(whole), ("fulfilled".into(), [100, 30, 0], None));
}

#[test]
fn the_activity_spans_all_days_of_all_lines() {
    let row = order(vec![placed(vec![
        line(june(8), 1),
        line(june(5), 2),
        line(june(7), 3),
    ])])
    .unwrap();
    assert_eq!((row.activity_from, row.activity_to), (june(5), june(9)));
    assert_eq!(
        row.activity_dates,
        [june(5), june(6), june(7), june(8), june(9)],
        "each day once"
    );
    assert_eq!(row.license_types, ["test"], "each type once");
}

#[test]
fn what_does_not_fit_is_a_misfit() {
    assert_eq!(order(vec![OrderExpired {}.into()]).err(), Some(Misfit::NoRow));
    assert_eq!(order(vec![placed(vec![])]).err(), Some(Misfit::NoLines));
    assert_eq!(
        order(vec![placed(vec![line(NaiveDate::MAX, 2)])]).err(),
        Some(Misfit::OutOfRange("activity_date"))
    );
    let twice = vec![placed(vec![line(june(5), 1)]), placed(vec![line(june(5), 1)])];
    assert_eq!(order(twice).err(), Some(Misfit::RowExists));
}

/// A license type before its first price.
fn license_type(code: &str) -> Result<LicenseTypeRow, Misfit> {
    let created = LicenseTypeCreated {
        facts: LicenseTypeFacts {
            code: code.into(),
            ..line(june(5), 1).license_type
        },
        min_age: None,
        max_age: None,
        max_days: 1,
        lifetime_cap: None,
        tax: Tax::default(),
    };
    let mut row = None;
    license_types::apply(&mut row, &recorded(1), created.into())?;
    row.ok_or(Misfit::NoRow)
}

#[test]
fn a_price_that_no_column_holds_is_a_misfit_and_leaves_the_row_as_it_was() {
    let before = license_type("a").unwrap();
    let set = |price_ore, valid_from: &str| {
        let valid_from = valid_from.parse().unwrap();
        let set = LicenseTypePriceSet {
            price_ore,
            valid_from,
        };
        let mut row = Some(before.clone());
        let outcome = license_types::apply(&mut row, &recorded(2), set.into());
        (outcome, row.unwrap())
    };
    for (price_ore, valid_from, field) in [
        (1, "1899-12-31T23:59:59Z", "valid_from"),
        (1, "-0001-01-01T00:00:00Z", "valid_from"),
        (i64::MAX, "2026-01-01T00:00:00Z", "price_ore"),
        (1 << 53, "2026-01-01T00:00:00Z", "price_ore"),
    ] {
        let (outcome, row) = set(price_ore, valid_from);
        assert_eq!(
            outcome,
            Err(Misfit::OutOfRange(field)),
            "{price_ore} {valid_from}"
        );
        assert!(row == before, "{price_ore} {valid_from}");
    }
    let (outcome, row) = set((1 << 53) - 1, "9999-12-31T23:59:59.999999999Z");
    assert_eq!(outcome, Ok(()));
    assert_eq!(row.prices_ore, [(1 << 53) - 1]);
    let kept: DateTime<Utc> = "9999-12-31T23:59:59.999999Z".parse().unwrap();
    assert_eq!(row.prices_valid_from, [kept], "as the database keeps it");
    let (outcome, row) = set(1, "+20266-01-01T00:00:00Z");
    assert_eq!(outcome, Ok(()));
    assert_eq!(
        (row.prices.0.len(), row.prices_valid_from.len()),
        (1, 0),
        "it never comes into force"
    );
}

#[test]
fn a_text_that_no_index_holds_is_a_misfit() {
    assert!(license_type(&"\u{10ffff}".repeat(500)).is_ok());
    assert_eq!(
        license_type(&"x".repeat(501)).err(),
        Some(Misfit::TooLong("code"))
    );
}

#[test]
fn days_beyond_what_a_license_may_span_are_a_misfit() {
    for days in [0, 32, u8::MAX] {
        assert_eq!(
            order(vec![placed(vec![line(june(5), days)])]).err(),
            Some(Misfit::OutOfRange("activity_days"))
        );
    }
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
    assert!(order(vec![placed(vec![line(last, 1)])]).is_ok());
    assert_eq!(
        order(vec![placed(vec![line(last, 2)])]).err(),
        Some(Misfit::OutOfRange("activity_date"))
    );
}

#[test]
fn only_the_character_that_no_database_holds_is_found_in_a_payload() {
    let holds = |payload: &str| {
        let recorded = RecordedEvent {
            payload: serde_json::from_str(payload).unwrap(),
            ..recorded(1)
        };
        bounds::without_nul(&recorded).is_err()
    };
    assert!(holds(r#"{"name": "a\u0000b"}"#));
    assert!(holds(r#"{"name": "a\\\u0000b"}"#));
    assert!(!holds(r#"{"name": "a\\u0000b \u0001"}"#), "an escaped backslash");
}
