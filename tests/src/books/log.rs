//! The log: positions and sequences without a gap, and each purchase in it once.
//!
//! Reads the tables directly, since `event-store` would check while it reads. The request id in every event says which
//! order belongs to which key; the stored answers can't say it, since they are checked, too.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;
use uuid::Uuid;

use crate::purchase::{Purchase, Sales};

/// The events of an order that is paid, in their order.
const LIFE_OF_AN_ORDER: [&str; 5] = [
    "OrderPlaced",
    "PaymentRequested",
    "OrderPaid",
    "OrderFulfilled",
    "PaymentCaptured",
];
/// The events of an order that its customer gave up, before or after the payment was started.
const LIVES_OF_THE_ABANDONED: [&[&str]; 2] = [
    &["OrderPlaced", "PaymentRequested", "OrderExpired"],
    &["OrderPlaced", "OrderExpired"],
];
/// Where the stored answers of orders are kept.
const STORED_ANSWERS: &str = "select idempotency_key, count(*) from commands
    where scope like 'place_order:%' and scope not like 'place_order:place:%' group by idempotency_key";

type Lives = BTreeMap<(String, Uuid), Vec<(i64, String)>>;

/// The findings in the log.
#[derive(Default)]
pub(super) struct Found {
    pub(super) complaints: Vec<String>,
    /// Keys that were acknowledged and whose order is not in the log.
    pub(super) lost: usize,
    /// Keys, acknowledged or not, with more than one order.
    pub(super) doubled: usize,
    /// Events in all.
    pub(super) events: usize,
    /// The orders that were given up and placed all the same.
    pub(super) abandoned: Vec<Uuid>,
}

/// The orders in the log by the id of the request that placed them.
pub(crate) async fn orders_by_request(log: &Client) -> BTreeMap<String, Vec<Uuid>> {
    let placed = "select coalesce(metadata::jsonb ->> 'request_id', ''), aggregate_id from events
        where event_type = 'OrderPlaced' order by position";
    let mut orders: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    for row in log.query(placed, &[]).await.unwrap() {
        orders.entry(row.get(0)).or_default().push(row.get(1));
    }
    orders
}

pub(super) async fn look(log: &Client, sales: &Sales) -> Found {
    let (lives, mut found) = lives(log).await;
    for ((aggregate_type, id), life) in &lives {
        if (1..).zip(life).any(|(due, (sequence, _))| due != *sequence) {
            let complaint = format!("log: {aggregate_type} {id} has the sequence {life:?}");
            found.complaints.push(complaint);
        }
    }
    let orders = orders_by_request(log).await;
    count_orders(&orders, sales, &mut found);
    found.complaints.extend(complaints_of_answers(log, sales).await);
    found
        .complaints
        .extend(complaints_of_lives(&lives, &sales.purchases, &found.abandoned));
    found
}

/// The event names of each aggregate. Checks the positions on the way.
async fn lives(log: &Client) -> (Lives, Found) {
    let sql =
        "select position, aggregate_type, aggregate_id, sequence, event_type from events order by position";
    let (mut lives, mut found) = (Lives::new(), Found::default());
    let mut last = 0_i64;
    for row in log.query(sql, &[]).await.unwrap() {
        let position = row.get(0);
        if position != last + 1 {
            let complaint = format!("log: position {position} follows {last}");
            found.complaints.push(complaint);
        }
        last = position;
        found.events += 1;
        let life = lives.entry((row.get(1), row.get(2))).or_default();
        life.push((row.get(3), row.get(4)));
    }
    let head: i64 = log
        .query_one("select position from log_head", &[])
        .await
        .unwrap()
        .get(0);
    if head != last {
        let complaint = format!("log: its head is {head}, its last event {last}");
        found.complaints.push(complaint);
    }
    (lives, found)
}

/// Each acknowledged key has one order, each abandoned key none or one, and no other key has any.
fn count_orders(orders: &BTreeMap<String, Vec<Uuid>>, sales: &Sales, found: &mut Found) {
    let mut known = BTreeSet::new();
    for Purchase { key, order_id, .. } in &sales.purchases {
        known.insert(key.as_str());
        let placed = orders.get(key).map(Vec::as_slice).unwrap_or_default();
        if !placed.contains(order_id) {
            found.lost += 1;
            let complaint = format!("log: {key} was told of order {order_id}, and the log has {placed:?}");
            found.complaints.push(complaint);
        }
    }
    for key in &sales.abandoned {
        known.insert(key);
        found.abandoned.extend(orders.get(key).into_iter().flatten());
    }
    for (key, placed) in orders {
        if placed.len() > 1 {
            found.doubled += 1;
            let complaint = format!("log: {key} has the orders {placed:?}");
            found.complaints.push(complaint);
        }
        if !known.contains(key.as_str()) {
            let complaint = format!("log: no customer sent the request {key} of {placed:?}");
            found.complaints.push(complaint);
        }
    }
}

async fn complaints_of_answers(log: &Client, sales: &Sales) -> Vec<String> {
    let rows = log.query(STORED_ANSWERS, &[]).await.unwrap();
    let stored: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let keys = sales.purchases.iter().map(|purchase| &purchase.key);
    keys.filter(|key| stored.get(*key) != Some(&1))
        .map(|key| format!("log: {key} has {} stored answers", stored.get(key).unwrap_or(&0)))
        .collect()
}

fn complaints_of_lives(lives: &Lives, purchases: &[Purchase], abandoned: &[Uuid]) -> Vec<String> {
    let mut complaints = Vec::new();
    let of_type = |wanted: &str| lives.keys().filter(|(of, _)| of == wanted).count();
    let orders = purchases.len() + abandoned.len();
    let licenses: usize = purchases.iter().map(|purchase| purchase.holders().len()).sum();
    for (aggregate_type, expected) in [("order", orders), ("license", licenses)] {
        let found = of_type(aggregate_type);
        if found != expected {
            complaints.push(format!(
                "log: {found} aggregates of type {aggregate_type} where {expected} were bought"
            ));
        }
    }
    for ((aggregate_type, id), life) in lives {
        if aggregate_type == "license" && life.len() != 1 {
            complaints.push(format!("log: license {id} was issued more than once: {life:?}"));
        }
    }
    let went = |order_id: Uuid| -> Vec<&str> {
        let life = lives.get(&("order".to_owned(), order_id));
        let events = life.into_iter().flatten();
        events.map(|(_, event_type)| event_type.as_str()).collect()
    };
    for Purchase { key, order_id, .. } in purchases {
        let life = went(*order_id);
        if life != LIFE_OF_AN_ORDER {
            complaints.push(format!("log: the order {order_id} of {key} went {life:?}"));
        }
    }
    for order_id in abandoned {
        let life = went(*order_id);
        if !LIVES_OF_THE_ABANDONED
            .iter()
            .any(|whole| whole.starts_with(&life))
        {
            complaints.push(format!(
                "log: the order {order_id}, which was given up, went {life:?}"
            ));
        }
    }
    complaints
}
