//! Whatever happens to orders and licenses, the counts of days are those of the rows of `licensing`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use envelope::{Metadata, Position, RecordedEvent};
use event_store::NewEvent;
use event_store::vault::Opened;
use events::{
    Category, LicenseEvent, LicenseGranted, LicenseIssued, OrderEvent, OrderPlaced, Role, aggregate_type,
};
use projection::{Checkpoint, Projection, apply, checkpoint};
use projector::{Licensing, Reports};
use read_model::{LicenseStatus, OrderStatus, Word as _};
use serde_json::Value;
use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::shop;
use crate::world::World;

/// How many orders there are, and how many events each has. The kinds come in turn, from another one on for each order.
const ORDERS: u32 = 60;
const EVENTS_OF_AN_ORDER: usize = 9;
const EVENTS_OF_A_LICENSE: usize = 5;

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../schemas")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("schemas/{name}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// Type, version and payload of an event.
type Kind = (String, String, Value);

/// Every event of an aggregate that was ever published, but for those that begin one; of some all that they can decide.
fn kinds(aggregate_type: &str, first: &[&str]) -> Vec<Kind> {
    let published = read("published.json");
    let of_aggregate = published.as_array().unwrap().iter().filter(|event| {
        event["aggregate_type"] == aggregate_type && !first.iter().any(|first| event["event_type"] == *first)
    });
    let kinds = of_aggregate.flat_map(|event| {
        let [event_type, version] =
            ["event_type", "event_version"].map(|field| event[field].as_str().unwrap());
        let sample = read(&format!("samples/{event_type}.v{version}.json"));
        let variants: (&str, &[Value]) = match event_type {
            "PaymentRequested" | "OrderPaid" => ("provider", &["vipps".into(), "nexi".into()]),
            "CaptureResolved" => (
                "action",
                &["collect_rest".into(), "write_off".into(), "revoke".into()],
            ),
            "LineRefundsRequested" => ("ends_order", &[true.into(), false.into()]),
            _ => ("", &[Value::Null]),
        };
        let variant = |value: &Value| {
            let mut payload = sample.clone();
            if !value.is_null() {
                payload[variants.0] = value.clone();
            }
            (event_type.to_owned(), version.to_owned(), payload)
        };
        variants.1.iter().map(variant).collect::<Vec<_>>()
    });
    kinds.collect()
}

/// What happened, half an hour apart, over the night on which summer time ends.
struct History {
    events: Vec<RecordedEvent>,
    sequences: BTreeMap<Uuid, u64>,
}

impl History {
    fn next(&mut self, aggregate_type: &str, aggregate_id: Uuid) -> RecordedEvent {
        let number = self.events.len() as u64 + 1;
        let sequence = self.sequences.entry(aggregate_id).or_default();
        *sequence += 1;
        let begin: DateTime<Utc> = "2026-10-23T20:00:00Z".parse().unwrap();
        RecordedEvent {
            position: Position::new(number),
            aggregate_type: aggregate_type.to_owned(),
            aggregate_id,
            sequence: *sequence,
            event_type: String::new(),
            event_version: String::new(),
            payload: to_raw_value(&()).unwrap(),
            metadata: Metadata::default(),
            recorded_at: begin + TimeDelta::minutes(30) * i32::try_from(number).unwrap(),
        }
    }

    fn begin(&mut self, event: NewEvent) {
        let next = self.next(&event.aggregate_type, event.aggregate_id);
        self.events.push(RecordedEvent {
            event_type: event.event_type.into_owned(),
            event_version: event.event_version.into_owned(),
            payload: event.payload,
            ..next
        });
    }

    fn go_on(&mut self, aggregate_type: &str, aggregate_id: Uuid, (event_type, version, payload): &Kind) {
        let next = self.next(aggregate_type, aggregate_id);
        self.events.push(RecordedEvent {
            event_type: event_type.clone(),
            event_version: version.clone(),
            payload: to_raw_value(payload).unwrap(),
            ..next
        });
    }

    /// Sixty orders and their licenses, one event of each in turn.
    fn of_a_shop() -> Self {
        let mut history = Self {
            events: Vec::new(),
            sequences: BTreeMap::new(),
        };
        let of_order = kinds(aggregate_type::ORDER, &["OrderPlaced"]);
        let of_license = kinds(
            aggregate_type::LICENSE,
            &["LicenseIssued", "LicenseGranted", "UnknownLicenseScanned"],
        );
        let mut begun = Vec::new();
        for number in 0..ORDERS {
            let order = Uuid::now_v7();
            let placed = order_of(number);
            history.begin(shop::new(
                aggregate_type::ORDER,
                order,
                1,
                &OrderEvent::from(placed.clone()),
            ));
            for line in &placed.lines {
                let license = LicenseIssued::of_line(order, &placed, line);
                let event = if number % 9 == 0 {
                    LicenseEvent::from(LicenseGranted {
                        license,
                        reason: envelope::Personal::new("A guest".into()),
                    })
                } else {
                    license.into()
                };
                history.begin(shop::new(aggregate_type::LICENSE, line.license_id, 1, &event));
            }
            begun.push((order, placed));
        }
        for step in 0..EVENTS_OF_AN_ORDER {
            for (number, (order, placed)) in begun.iter().enumerate() {
                let turn = number * EVENTS_OF_AN_ORDER + step * 5;
                history.go_on(aggregate_type::ORDER, *order, &of_order[turn % of_order.len()]);
                for (index, line) in placed
                    .lines
                    .iter()
                    .enumerate()
                    .filter(|_| step < EVENTS_OF_A_LICENSE)
                {
                    let turn = number + step * 3 + index;
                    history.go_on(
                        aggregate_type::LICENSE,
                        line.license_id,
                        &of_license[turn % of_license.len()],
                    );
                }
            }
        }
        let happened = |kind: &Kind| history.events.iter().any(|event| event.event_type == kind.0);
        assert!(of_order.iter().chain(&of_license).all(happened));
        history
    }
}

/// An order whose two lines have much in common with others, and sometimes all with each other.
fn order_of(number: u32) -> OrderPlaced {
    let mut placed = shop::placed(number);
    placed.payment_provider = if number.is_multiple_of(4) { "nexi" } else { "vipps" }.into();
    for (index, line) in (0..).zip(&mut placed.lines) {
        let turn = number + index * (number % 3);
        line.club_id = Uuid::from_u128(u128::from(turn % 5));
        line.activity_date += TimeDelta::days(i64::from(turn % 6) * 4);
        line.license_type.code = format!("type-{}", turn % 4);
        line.license_type.category = [Category::Competition, Category::TrackDay][turn as usize % 2];
        line.license_type.discipline = format!("discipline-{}", turn % 3);
        line.license_type.role = [Role::Driver, Role::Passenger, Role::Codriver][turn as usize % 3];
    }
    placed
}

/// Applies a run of events to both projections.
async fn apply_both(world: &World, from: Checkpoint, run: &[RecordedEvent]) -> Checkpoint {
    let opened = || Opened::as_recorded(run.to_vec());
    let licensing = apply(&Licensing, &world.read, from, &opened()).await.unwrap();
    let reports = apply(&Reports, &world.reports, from, &opened()).await.unwrap();
    assert_eq!(licensing, reports);
    reports
}

/// Where both projections begin.
async fn start(world: &World) -> Checkpoint {
    let epoch = world.log.head().await.unwrap().epoch;
    begin(&Licensing, &world.read, epoch).await;
    begin(&Reports, &world.reports, epoch).await;
    Checkpoint {
        position: Position::START,
        epoch,
    }
}

async fn begin(projection: &impl Projection, pool: &deadpool_postgres::Pool, epoch: Uuid) {
    let client = pool.get().await.unwrap();
    checkpoint::start(&client, projection, epoch).await.unwrap();
}

/// The statuses that are counted now, each with its list.
async fn statuses(world: &World) -> Vec<String> {
    let client = world.reports.get().await.unwrap();
    let statuses = "select distinct list || ' ' || status from outline";
    let statuses = client.query(statuses, &[]).await.unwrap();
    statuses.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn days_agree_with_the_rows_after_every_event_that_there_ever_was() {
    let world = World::shared().await;
    let start_of_all = start(&world).await;
    let history = History::of_a_shop();
    let mut at = start_of_all;
    let mut rest = &history.events[..];
    let mut counted = BTreeSet::new();
    for size in [1, 2, 5, 20, 90].iter().cycle() {
        let (run, after) = rest.split_at(rest.len().min(*size));
        if run.is_empty() {
            break;
        }
        at = apply_both(&world, at, run).await;
        world.assert_outline_agrees().await;
        counted.extend(statuses(&world).await);
        rest = after;
    }
    for place in ["public", "reports"] {
        let parked = format!("select count(*) from {place}.parked_events");
        assert_eq!(world.count(&parked).await, 0, "in {place}");
    }
    let all = OrderStatus::texts().len() + LicenseStatus::texts().len();
    assert_eq!(counted.len(), all, "{counted:?}");
    let client = world.reports.get().await.unwrap();
    let live = projection::digest(&client).await.unwrap();

    // The same again, after the checkpoint was set back by hand.
    client
        .execute("update checkpoints set position = 0", &[])
        .await
        .unwrap();
    let all = Opened::as_recorded(history.events.clone());
    apply(&Reports, &world.reports, start_of_all, &all).await.unwrap();
    assert_eq!(projection::digest(&client).await.unwrap(), live);

    // All in one run: what came and went has left nothing.
    let other = World::shared().await;
    let from = start(&other).await;
    apply_both(&other, from, &history.events).await;
    other.assert_outline_agrees().await;
    let client = other.reports.get().await.unwrap();
    assert_eq!(projection::digest(&client).await.unwrap(), live);
}
