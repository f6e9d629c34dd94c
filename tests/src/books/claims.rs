//! The claims: every day of every order that is not over is held once, by its license, and nothing else is held.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use serde_json::Value;
use tokio_postgres::Client;

/// The content of each placed order, and whether it ended without licenses or its licenses were revoked.
const ORDERS: &str = "select p.payload,
        exists (select from events e where e.aggregate_type = 'order' and e.aggregate_id = p.aggregate_id
                and e.event_type in ('OrderCancelled', 'OrderExpired', 'RefundRequested', 'OrderRefunded')
                and not exists (select from events later where later.aggregate_type = 'order'
                    and later.aggregate_id = e.aggregate_id and later.event_type = 'OrderPaid'
                    and later.sequence > e.sequence)) as over
    from events p where p.event_type = 'OrderPlaced'";
const CLAIMS: &str = "select key, holder::text from claims where scope = 'license-day'";

pub(super) async fn complaints(log: &Client) -> Vec<String> {
    let (mut complaints, mut due) = (Vec::new(), BTreeMap::new());
    for row in log.query(ORDERS, &[]).await.unwrap() {
        let placed: Value = serde_json::from_str(row.get(0)).unwrap();
        if row.get("over") {
            continue;
        }
        for line in placed["lines"].as_array().unwrap() {
            for day in days(line) {
                let wanted = format!("{} {day}", line["license_type"]["code"].as_str().unwrap());
                let license = line["license_id"].as_str().unwrap().to_owned();
                let person = format!("{}{}", line["holder"]["name"], line["holder"]["birth_date"]);
                if let Some(first) = due.insert((wanted.clone(), person), license.clone()) {
                    complaints.push(format!(
                        "claims: {first} and {license} are one holder's for {wanted}"
                    ));
                }
            }
        }
    }
    let due: BTreeSet<(String, String)> = due
        .into_iter()
        .map(|((wanted, _), license)| (wanted, license))
        .collect();
    let held: BTreeSet<(String, String)> = log
        .query(CLAIMS, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| {
            let key: String = row.get(0);
            let (wanted, _holder) = key.rsplit_once(' ').unwrap();
            (wanted.to_owned(), row.get(1))
        })
        .collect();
    let missing = due
        .difference(&held)
        .map(|one| format!("claims: {one:?} is not held"));
    let left = held
        .difference(&due)
        .map(|one| format!("claims: {one:?} is held by what is over"));
    complaints.extend(missing.chain(left).take(20));
    complaints
}

fn days(line: &Value) -> impl Iterator<Item = NaiveDate> {
    let first: NaiveDate = line["activity_date"].as_str().unwrap().parse().unwrap();
    let count = line["activity_days"].as_u64().unwrap();
    (0..count).map(move |day| first + Days::new(day))
}
