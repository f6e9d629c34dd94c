//! A log as a busy shop writes it: a catalogue, then purchases that overlap, each of several events.

use std::collections::VecDeque;
use std::pin::pin;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use envelope::{EventPayload, Personal};
use events::{
    Category, ClubEvent, ClubRegistered, Holder, LicenseEvent, LicenseIssued, LicenseTypeCreated,
    LicenseTypeEvent, LicenseTypeFacts, LicenseTypePriceSet, OrderEvent, OrderExpired, OrderFulfilled,
    OrderLine, OrderPaid, OrderPlaced, PaymentCaptured, PaymentRequested, Role, Tax, Vehicle, aggregate_type,
};
use serde_json::{Value, json};
use tokio_postgres::NoTls;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// Purchases under way at once.
const OPEN: usize = 64;
const CLUBS: u64 = 300;
const FIRST_NAMES: [&str; 8] = [
    "Kari", "Ola", "Ingrid", "Bjørn", "Astrid", "Håkon", "Sigrid", "Øystein",
];
const LAST_NAMES: [&str; 8] = [
    "Nordmann", "Hansen", "Åsen", "Lie", "Bakke", "Solberg", "Dahl", "Moen",
];

/// Writes `count` events straight into the empty event database at `url`, as its owner.
pub(crate) async fn write(url: &str, count: u64) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let driver = tokio::spawn(connection);
    let sink = client
        .copy_in(
            "copy events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
             from stdin (format binary)",
        )
        .await?;
    let types = [
        Type::INT8,
        Type::TEXT,
        Type::UUID,
        Type::INT8,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TIMESTAMPTZ,
    ];
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for (position, event) in (1..).zip(Shop::default().take(usize::try_from(count)?)) {
        let metadata = json!({
            "request_id": Uuid::now_v7(), "correlation_id": Uuid::now_v7(), "actor": event.aggregate_id,
        })
        .to_string();
        let payload = event.payload.to_string();
        let recorded_at = moment(1_767_000_000_000 + position);
        let values: [&(dyn ToSql + Sync); 9] = [
            &position,
            &event.aggregate_type,
            &event.aggregate_id,
            &event.sequence,
            &event.event_type,
            &event.event_version,
            &payload,
            &metadata,
            &recorded_at,
        ];
        writer.as_mut().write(&values).await?;
    }
    writer.finish().await?;
    client
        .execute(
            "update log_head set position = (select max(position) from events)",
            &[],
        )
        .await?;
    client.batch_execute("vacuum analyze events").await?;
    drop(client);
    driver.await??;
    Ok(())
}

/// An event that is not in a log yet.
pub(crate) struct Written {
    pub(crate) aggregate_type: &'static str,
    aggregate_id: Uuid,
    sequence: i64,
    pub(crate) event_type: String,
    pub(crate) event_version: String,
    pub(crate) payload: Value,
}

/// An order placed now, which may be paid for a quarter of an hour.
pub(crate) fn fresh_order(order: Uuid) -> Written {
    let placed = OrderPlaced {
        expires_at: Utc::now() + TimeDelta::minutes(15),
        ..placed(order, 1)
    };
    written(aggregate_type::ORDER, order, 1, &OrderEvent::from(placed))
}

/// Events without end.
#[derive(Default)]
struct Shop {
    clubs: u64,
    orders: u64,
    open: VecDeque<VecDeque<Written>>,
}

impl Iterator for Shop {
    type Item = Written;

    fn next(&mut self) -> Option<Written> {
        if self.clubs < CLUBS {
            self.clubs += 1;
            let registered = ClubRegistered {
                name: format!("NMK {}", self.clubs),
            };
            return Some(written(
                aggregate_type::CLUB,
                Uuid::from_u128(u128::from(self.clubs)),
                1,
                &ClubEvent::from(registered),
            ));
        }
        if self.open.is_empty() && self.orders == 0 {
            self.open.push_back(catalogue());
        }
        while self.open.len() < OPEN {
            self.orders += 1;
            self.open.push_back(purchase(self.orders));
        }
        let mut purchase = self.open.pop_front()?;
        let event = purchase.pop_front();
        if !purchase.is_empty() {
            self.open.push_back(purchase);
        }
        event
    }
}

fn catalogue() -> VecDeque<Written> {
    let id = Uuid::from_u128(1 << 64);
    let created = LicenseTypeCreated {
        facts: facts(),
        min_age: Some(16),
        max_age: None,
        max_days: 3,
        lifetime_cap: None,
        tax: Tax::default(),
    };
    let price = LicenseTypePriceSet {
        price_ore: 42_000,
        valid_from: DateTime::UNIX_EPOCH,
    };
    let kind = aggregate_type::LICENSE_TYPE;
    VecDeque::from([
        written(kind, id, 1, &LicenseTypeEvent::from(created)),
        written(kind, id, 2, &LicenseTypeEvent::from(price)),
    ])
}

/// One to three licenses; every twelfth customer never pays.
fn purchase(number: u64) -> VecDeque<Written> {
    let order = Uuid::now_v7();
    let placed = placed(order, number);
    let reference = placed.payment_reference.clone();
    let mut events: Vec<OrderEvent> = vec![
        placed.clone().into(),
        PaymentRequested {
            provider: "vipps".into(),
            reference: reference.clone(),
            redirect_url: format!("https://pay.test/{reference}"),
            amount_ore: placed.total_ore,
        }
        .into(),
    ];
    if number.is_multiple_of(12) {
        events.push(OrderExpired {}.into());
        return own(order, &events, 1).collect();
    }
    events.push(
        OrderPaid {
            provider: "vipps".into(),
            reference: reference.clone(),
            authorized_ore: placed.total_ore,
        }
        .into(),
    );
    let last: Vec<OrderEvent> = vec![
        OrderFulfilled {
            license_ids: placed.lines.iter().map(|line| line.license_id).collect(),
        }
        .into(),
        PaymentCaptured {
            reference,
            captured_ore: placed.total_ore,
        }
        .into(),
    ];
    let issued = placed.lines.iter().map(|line| {
        let event = LicenseEvent::from(LicenseIssued::of_line(order, &placed, line));
        written(aggregate_type::LICENSE, line.license_id, 1, &event)
    });
    own(order, &events, 1)
        .chain(issued)
        .chain(own(order, &last, 4))
        .collect()
}

fn own(order: Uuid, events: &[OrderEvent], first: i64) -> impl Iterator<Item = Written> {
    (first..)
        .zip(events)
        .map(move |(sequence, event)| written(aggregate_type::ORDER, order, sequence, event))
}

#[expect(clippy::expect_used, reason = "our own events always are JSON")]
fn written(
    aggregate_type: &'static str,
    aggregate_id: Uuid,
    sequence: i64,
    event: &impl EventPayload,
) -> Written {
    let payload = event.encode().expect("an event is JSON");
    Written {
        aggregate_type,
        aggregate_id,
        sequence,
        event_type: event.event_type().to_owned(),
        event_version: event.event_version().to_owned(),
        payload: serde_json::from_str(payload.get()).expect("an event is JSON"),
    }
}

fn placed(order: Uuid, number: u64) -> OrderPlaced {
    let lines: Vec<OrderLine> = (1..=1 + u16::try_from(number % 3).unwrap_or(0))
        .map(|line| self::line(order, number, line))
        .collect();
    OrderPlaced {
        order_number: format!("BL-{number:07}"),
        customer_id: Uuid::from_u128((u128::from(number / 3) << 32) | 7),
        total_ore: lines.iter().map(|line| line.price_ore).sum(),
        lines,
        currency: "NOK".into(),
        payment_provider: "vipps".into(),
        payment_reference: order.to_string(),
        terms_version: "2026-1".into(),
        terms_accepted_at: None,
        expires_at: moment(1_780_000_000_000),
    }
}

fn line(order: Uuid, number: u64, line: u16) -> OrderLine {
    let pick = |names: [&'static str; 8], by: u64| names[usize::try_from(by % 8).unwrap_or(0)];
    let (first, last) = (pick(FIRST_NAMES, number), pick(LAST_NAMES, number / 8));
    let club = 1 + number % CLUBS;
    OrderLine {
        line,
        // As the shop does: from the order and the line.
        license_id: Uuid::new_v5(&order, &line.to_be_bytes()),
        license_type: facts(),
        club_id: Uuid::from_u128(u128::from(club)),
        club_name: format!("NMK {club}"),
        activity_date: NaiveDate::from_ymd_opt(2026, 6, 1 + u32::try_from(number % 28).unwrap_or(0))
            .unwrap_or_default(),
        activity_days: 1,
        price_ore: 42_000,
        tax: Tax::default(),
        lifetime_cap: None,
        holder_id: None,
        holder: Holder {
            name: Personal::new(format!("{first} {last}")),
            birth_date: Personal::new(NaiveDate::from_ymd_opt(1990, 5, 17).unwrap_or_default()),
            phone: Some(Personal::new(format!("{:08}", 40_000_000 + number))),
            email: Some(Personal::new(format!("{number}@example.test"))),
            guardian: None,
        },
        vehicle: (line == 1).then(|| Vehicle {
            registration: Some(Personal::new(format!("AB {}", 10_000 + number % 90_000))),
            ..Vehicle::default()
        }),
    }
}

/// Milliseconds since 1970; never out of range here.
fn moment(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

fn facts() -> LicenseTypeFacts {
    LicenseTypeFacts {
        code: "banedag-bil".into(),
        category: Category::TrackDay,
        discipline: "bil".into(),
        role: Role::Driver,
        name_nb: "Banedag for bil".into(),
        name_en: "Track day for cars".into(),
    }
}
