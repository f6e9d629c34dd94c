//! What happens in a shop: commands' events, ready to be appended.

use chrono::{NaiveDate, TimeZone, Utc};
use envelope::{EventPayload, Personal};
use event_store::NewEvent;
use events::{
    Category, ClubEvent, ClubRegistered, Guardian, Holder, LicenseEvent, LicenseIssued, LicenseTypeCreated,
    LicenseTypeEvent, LicenseTypeFacts, LicenseTypePriceSet, OrderEvent, OrderFulfilled, OrderLine,
    OrderPaid, OrderPlaced, PaymentCaptured, PaymentRequested, Role, Tax, Vehicle, aggregate_type,
};
use uuid::Uuid;

/// A purchase of two licenses, each event of it a command of its own, as in the shop.
pub(crate) fn purchase(number: u32) -> Vec<Vec<NewEvent>> {
    purchase_of(Uuid::now_v7(), placed(number))
}

/// The purchase of this order.
pub(crate) fn purchase_of(order: Uuid, placed: OrderPlaced) -> Vec<Vec<NewEvent>> {
    let reference = placed.payment_reference.clone();
    let issued = placed.lines.iter().map(|line| {
        (
            line.license_id,
            LicenseEvent::from(LicenseIssued::of_line(order, &placed, line)),
        )
    });
    let issued: Vec<_> = issued
        .map(|(id, event)| vec![new(aggregate_type::LICENSE, id, 1, &event)])
        .collect();
    let license_ids = placed.lines.iter().map(|line| line.license_id).collect();
    let requested = PaymentRequested {
        provider: "vipps".into(),
        reference: reference.clone(),
        redirect_url: format!("http://pay.test/{reference}"),
        amount_ore: placed.total_ore,
    };
    let paid = OrderPaid {
        provider: "vipps".into(),
        reference: reference.clone(),
        authorized_ore: placed.total_ore,
    };
    let captured = PaymentCaptured {
        reference,
        captured_ore: placed.total_ore,
    };
    let own = |sequence, event: OrderEvent| vec![new(aggregate_type::ORDER, order, sequence, &event)];
    let mut commands = vec![
        own(1, placed.into()),
        own(2, requested.into()),
        own(3, paid.into()),
    ];
    commands.extend(issued);
    commands.push(own(4, OrderFulfilled { license_ids }.into()));
    commands.push(own(5, captured.into()));
    commands
}

/// A license of an order with this id.
pub(crate) fn issued(order_id: Uuid) -> LicenseIssued {
    let placed = placed(1);
    LicenseIssued::of_line(order_id, &placed, &placed.lines[0])
}

/// A license type and its first price.
pub(crate) fn license_type(id: Uuid, code: &str) -> Vec<NewEvent> {
    let created = LicenseTypeCreated {
        facts: facts(code),
        min_age: Some(16),
        max_age: None,
        max_days: 3,
        lifetime_cap: None,
        tax: Tax::default(),
    };
    let created = LicenseTypeEvent::from(created);
    vec![
        new(aggregate_type::LICENSE_TYPE, id, 1, &created),
        price(id, 2, 42_000),
    ]
}

pub(crate) fn price(id: Uuid, sequence: u64, price_ore: i64) -> NewEvent {
    // A price of its own, not one instead of another.
    let valid_from = format!("2026-01-01T{:02}:{:02}:00Z", sequence / 60, sequence % 60);
    price_from(id, sequence, price_ore, &valid_from)
}

pub(crate) fn price_from(id: Uuid, sequence: u64, price_ore: i64, valid_from: &str) -> NewEvent {
    let valid_from = valid_from.parse().unwrap();
    let set = LicenseTypeEvent::from(LicenseTypePriceSet {
        price_ore,
        valid_from,
    });
    new(aggregate_type::LICENSE_TYPE, id, sequence, &set)
}

pub(crate) fn club(name: &str) -> Vec<NewEvent> {
    let registered = ClubEvent::from(ClubRegistered { name: name.into() });
    vec![new(aggregate_type::CLUB, Uuid::now_v7(), 1, &registered)]
}

pub(crate) fn new(
    aggregate_type: &'static str,
    aggregate_id: Uuid,
    sequence: u64,
    event: &impl EventPayload,
) -> NewEvent {
    let (event_type, event_version) = (event.event_type(), event.event_version());
    let payload = event.encode().unwrap();
    NewEvent {
        aggregate_type: aggregate_type.into(),
        aggregate_id,
        sequence,
        event_type: event_type.to_owned().into(),
        event_version: event_version.to_owned().into(),
        payload,
    }
}

/// An order of two lines, for one club.
pub(crate) fn placed(number: u32) -> OrderPlaced {
    let lines = vec![line(1, number, 1), line(2, number, 3)];
    OrderPlaced {
        order_number: format!("BL-{number:05}"),
        customer_id: Uuid::now_v7(),
        total_ore: lines.iter().map(|line| line.price_ore).sum(),
        lines,
        currency: "NOK".into(),
        payment_provider: "vipps".into(),
        payment_reference: format!("ref-{number}"),
        terms_version: "2026-1".into(),
        terms_accepted_at: None,
        expires_at: Utc.with_ymd_and_hms(2026, 6, 1, 12, 0, 0).unwrap(),
    }
}

fn line(line: u16, number: u32, activity_days: u8) -> OrderLine {
    let junior = line == 2;
    OrderLine {
        line,
        license_id: Uuid::now_v7(),
        license_type: facts("banedag-bil"),
        club_id: Uuid::from_u128(u128::from(number % 7)),
        club_name: "NMK Bodø".into(),
        activity_date: NaiveDate::from_ymd_opt(2026, 6, 5).unwrap(),
        activity_days,
        price_ore: 42_000,
        tax: Tax::default(),
        lifetime_cap: None,
        holder_id: None,
        holder: Holder {
            name: Personal::new(format!("Kari Nordmann {number}")),
            birth_date: Personal::new(NaiveDate::from_ymd_opt(2010, 5, 17).unwrap()),
            phone: Some(Personal::new("22 22 22 22".into())),
            email: None,
            guardian: junior.then(|| Guardian {
                name: Personal::new("Ola Nordmann".into()),
                phone: Personal::new("33 33 33 33".into()),
                consent: true,
            }),
        },
        vehicle: (!junior).then(|| Vehicle {
            registration: Some(Personal::new("AB 12345".into())),
            ..Vehicle::default()
        }),
    }
}

fn facts(code: &str) -> LicenseTypeFacts {
    LicenseTypeFacts {
        code: code.into(),
        category: Category::TrackDay,
        discipline: "bil".into(),
        role: Role::Driver,
        name_nb: "Banedag".into(),
        name_en: "Track day".into(),
    }
}
