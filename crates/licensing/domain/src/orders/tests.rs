mod accepting;
mod adding_up;
mod ages;
mod claiming;
mod collecting;
mod differences;
mod erasing;
mod life;
mod matrix;
mod midnight;
mod payment_ids;
mod placing;
mod refunding;
mod suspended;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use cqrs_es::Aggregate as _;
use cqrs_es::test::TestFramework;
use events::{
    Category, LicenseTypeFacts, OrderEvent, OrderFulfilled, OrderPaid, OrderPlaced, PaymentRequested,
    RefundReason, RefundRequested, Role, Tax, TermsPublished,
};
use uuid::Uuid;
use vocabulary::{ClubStatus, PaymentProvider};

use super::{AskedLine, Order, OrderClub, OrderCommand, PlaceOrder, RequestedLine};
use crate::{HolderKey, Offer, Refusal, RequestedHolder, RequestedVehicle, Terms};

const ORDER: Uuid = Uuid::from_u128(0x0198_c5a2_7d1e_7000_8000_0000_0000_0001);

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 5, 40, 0).unwrap()
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

pub(crate) fn line() -> RequestedLine {
    RequestedLine {
        asked: AskedLine {
            license_type: "konkurranse-bilcross".into(),
            club_id: Uuid::from_u128(1),
            activity_date: date(2026, 6, 5),
            activity_days: None,
            holder: RequestedHolder {
                name: "Kari Nordmann".into(),
                birth_date: date(1990, 5, 17),
                phone: Some("900 00 000".into()),
                email: None,
                guardian: None,
            },
            vehicle: Some(RequestedVehicle {
                registration: Some("ab12345".into()),
                ..RequestedVehicle::default()
            }),
        },
        offer: Some(Offer {
            facts: LicenseTypeFacts {
                code: "konkurranse-bilcross".into(),
                category: Category::Competition,
                discipline: "bilcross".into(),
                role: Role::Driver,
                name_nb: "Bilcross".into(),
                name_en: "Bilcross".into(),
            },
            price_ore: 42_000,
            min_age: None,
            max_age: None,
            max_days: 1,
            lifetime_cap: None,
            tax: Tax::default(),
        }),
        club: Some(OrderClub {
            club_id: Uuid::from_u128(1),
            name: "NMK Testby".into(),
            status: ClubStatus::Active,
        }),
    }
}

/// One version, in force since the day before.
fn terms() -> Terms {
    let mut terms = Terms::default();
    terms.apply(
        TermsPublished {
            terms_version: "2026-01".into(),
            valid_from: now() - TimeDelta::days(1),
            title_nb: "Vilkår".into(),
            title_en: "Terms".into(),
            text_nb: "Vilkår".into(),
            text_en: "Terms".into(),
            declaration_nb: "Frisk".into(),
            declaration_en: "Well".into(),
        }
        .into(),
    );
    terms
}

fn place(lines: Vec<RequestedLine>) -> PlaceOrder {
    PlaceOrder {
        order_id: ORDER,
        customer_id: Uuid::from_u128(2),
        lines,
        payment_provider: PaymentProvider::Vipps,
        terms_version: "2026-01".into(),
        terms: Arc::new(terms()),
        expected_total_ore: None,
        now: now(),
        time_to_pay: TimeDelta::minutes(15),
        holder_key: Arc::new(HolderKey::new(&[7; 32]).unwrap()),
        suspended: BTreeSet::new(),
    }
}

fn placed() -> OrderPlaced {
    place(vec![line()]).check().unwrap()
}

fn requested() -> PaymentRequested {
    PaymentRequested {
        provider: "vipps".into(),
        reference: ORDER.to_string(),
        redirect_url: "https://pay.example/1".into(),
        amount_ore: 42_000,
    }
}

fn paid() -> OrderPaid {
    OrderPaid {
        provider: "vipps".into(),
        reference: ORDER.to_string(),
        authorized_ore: 42_000,
    }
}

fn fulfilled() -> OrderFulfilled {
    OrderFulfilled {
        license_ids: vec![crate::license_id(ORDER, 1)],
    }
}

fn refund(reason: RefundReason, amount_ore: i64) -> RefundRequested {
    RefundRequested {
        reason,
        reference: ORDER.to_string(),
        amount_ore,
    }
}

fn confirm(authorized_ore: i64, now: DateTime<Utc>) -> OrderCommand {
    OrderCommand::ConfirmPayment {
        reference: ORDER.to_string(),
        authorized_ore,
        now,
        days_taken: false,
    }
}

fn pending() -> Vec<OrderEvent> {
    vec![placed().into(), requested().into()]
}

fn and(mut events: Vec<OrderEvent>, more: impl Into<OrderEvent>) -> Vec<OrderEvent> {
    events.push(more.into());
    events
}

fn expect(given: Vec<OrderEvent>, when: OrderCommand, then: Vec<OrderEvent>) {
    TestFramework::<Order>::with(())
        .given(given)
        .when(when)
        .then_expect_events(then);
}

fn expect_refusal(given: Vec<OrderEvent>, when: OrderCommand, refusal: Refusal) {
    TestFramework::<Order>::with(())
        .given(given)
        .when(when)
        .then_expect_error(refusal);
}
