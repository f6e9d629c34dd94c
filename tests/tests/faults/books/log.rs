//! The log: positions and sequences without a gap, and each purchase in it once.
//!
//! Reads the table itself, and not through the crate that checks while it reads.

use std::collections::BTreeMap;

use system_tests::Shop;
use uuid::Uuid;

use super::connect;
use crate::till::Purchase;

/// What happens to an order that is bought and paid, in this order.
const LIFE_OF_AN_ORDER: [&str; 5] = [
    "OrderPlaced",
    "PaymentRequested",
    "OrderPaid",
    "OrderFulfilled",
    "PaymentCaptured",
];

pub(super) async fn complaints(shop: &Shop, purchases: &[Purchase]) -> Vec<String> {
    let client = connect(&shop.system.databases().events_reader).await;
    let sql =
        "select position, aggregate_type, aggregate_id, sequence, event_type from events order by position";
    let mut complaints = Vec::new();
    let mut lives: BTreeMap<(String, Uuid), Vec<(i64, String)>> = BTreeMap::new();
    let mut last = 0_i64;
    for row in client.query(sql, &[]).await.unwrap() {
        let position = row.get(0);
        if position != last + 1 {
            complaints.push(format!("log: position {position} follows {last}"));
        }
        last = position;
        let life = lives.entry((row.get(1), row.get(2))).or_default();
        life.push((row.get(3), row.get(4)));
    }
    let head: i64 = client
        .query_one("select position from log_head", &[])
        .await
        .unwrap()
        .get(0);
    if head != last {
        complaints.push(format!("log: its head is {head}, its last event {last}"));
    }
    for ((aggregate_type, id), life) in &lives {
        if (1..).zip(life).any(|(due, (sequence, _))| due != *sequence) {
            complaints.push(format!("log: {aggregate_type} {id} has the sequence {life:?}"));
        }
    }
    complaints.extend(complaints_of_lives(&lives, purchases));
    complaints
}

fn complaints_of_lives(
    lives: &BTreeMap<(String, Uuid), Vec<(i64, String)>>,
    purchases: &[Purchase],
) -> Vec<String> {
    let mut complaints = Vec::new();
    let of_type = |wanted: &str| lives.keys().filter(|(of, _)| of == wanted).count();
    let licenses: usize = purchases.iter().map(|purchase| purchase.holders().len()).sum();
    for (aggregate_type, expected) in [("order", purchases.len()), ("license", licenses)] {
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
    for Purchase { key, order_id, .. } in purchases {
        let life = lives.get(&("order".to_owned(), *order_id));
        let types: Vec<&str> = life
            .into_iter()
            .flatten()
            .map(|(_, event_type)| event_type.as_str())
            .collect();
        if types != LIFE_OF_AN_ORDER {
            complaints.push(format!("log: the order {order_id} of {key} went {types:?}"));
        }
    }
    complaints
}
