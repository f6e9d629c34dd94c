//! The read model: each acknowledged purchase once, fulfilled, with exactly its licenses; abandoned orders without.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use crate::Shop;
use crate::purchase::Purchase;

/// The statuses of an order without a payment.
const UNPAID: [&str; 3] = ["placed", "payment_pending", "expired"];

pub(super) async fn complaints(shop: &Shop, purchases: &[Purchase], abandoned: &[Uuid]) -> Vec<String> {
    let mut complaints = Vec::new();
    let orders = by(&everything(shop, "orders").await, "order_id");
    let licenses = by(&everything(shop, "licenses").await, "order_id");
    let placed = purchases.iter().map(|purchase| purchase.order_id);
    let bought: BTreeSet<Uuid> = placed.chain(abandoned.iter().copied()).collect();
    for id in orders.keys().chain(licenses.keys()) {
        if !bought.contains(id) {
            complaints.push(format!("rows: no customer bought order {id}"));
        }
    }
    for purchase in purchases {
        let none = Vec::new();
        let rows = orders.get(&purchase.order_id).unwrap_or(&none);
        let [order] = &rows[..] else {
            complaints.push(format!(
                "rows: {} orders {} of {}",
                rows.len(),
                purchase.order_id,
                purchase.key
            ));
            continue;
        };
        let licenses = licenses.get(&purchase.order_id).unwrap_or(&none);
        complaints.extend(complaints_of_one(purchase, order, licenses));
    }
    for id in abandoned {
        let statuses: Vec<_> = orders
            .get(id)
            .into_iter()
            .flatten()
            .map(|row| &row["status"])
            .collect();
        let waits = matches!(&statuses[..], [status] if UNPAID.iter().any(|unpaid| **status == *unpaid));
        if !waits || licenses.contains_key(id) {
            let count = licenses.get(id).map_or(0, Vec::len);
            complaints.push(format!(
                "rows: order {id}, which was given up, is {statuses:?} with {count} licenses"
            ));
        }
    }
    complaints
}

fn complaints_of_one(purchase: &Purchase, order: &Value, licenses: &[Value]) -> Vec<String> {
    let Purchase { key, total_ore, .. } = purchase;
    let mut complaints = Vec::new();
    let (status, total) = (&order["status"], &order["total_ore"]);
    if status != "fulfilled" || total != *total_ore {
        complaints.push(format!("rows: the order of {key} is {status} for {total} øre"));
    }
    let sorted = |values: Vec<&Value>| {
        let mut texts: Vec<String> = values.into_iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    let lines: Vec<&Value> = order["lines"].as_array().unwrap().iter().collect();
    let promised = sorted(lines.iter().map(|line| &line["license_id"]).collect());
    let issued = sorted(licenses.iter().map(|license| &license["license_id"]).collect());
    if promised != issued {
        complaints.push(format!(
            "rows: {key} was promised the licenses {promised:?} and has {issued:?}"
        ));
    }
    let mut holders: Vec<&str> = licenses
        .iter()
        .map(|license| license["holder"]["name"].as_str().unwrap_or_default())
        .collect();
    holders.sort_unstable();
    if holders != purchase.holders() {
        complaints.push(format!("rows: the licenses of {key} are for {holders:?}"));
    }
    complaints
}

/// All rows, page by page, as staff reads them.
async fn everything(shop: &Shop, resource: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut page = format!("/{resource}?limit=200");
    loop {
        let answer = shop.get(&page, &shop.tokens.staff).await.expect(200);
        rows.extend(answer.body["items"].as_array().unwrap().iter().cloned());
        match answer.body["next_cursor"].as_str() {
            Some(cursor) => page = format!("/{resource}?limit=200&cursor={cursor}"),
            None => return rows,
        }
    }
}

fn by(rows: &[Value], key: &str) -> BTreeMap<Uuid, Vec<Value>> {
    let mut groups: BTreeMap<Uuid, Vec<Value>> = BTreeMap::new();
    for row in rows {
        let id = row[key].as_str().unwrap().parse().unwrap();
        groups.entry(id).or_default().push(row.clone());
    }
    groups
}
