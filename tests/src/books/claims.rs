//! The claims: every day of every order that is not over is held once, by its license, each license of a capped type counts
//! for its holder, and nothing else is held.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use serde_json::Value;
use tokio_postgres::Client;

/// The content of each placed order, and whether it ended without licenses or its licenses were revoked.
const ORDERS: &str = "select p.payload,
        exists (select from events e where e.aggregate_type = 'order' and e.aggregate_id = p.aggregate_id
                and e.event_type in ('OrderCancelled', 'OrderCancelledByCustomer', 'OrderExpired', 'RefundRequested', 'OrderRefunded')
                and not exists (select from events later where later.aggregate_type = 'order'
                    and later.aggregate_id = e.aggregate_id and later.event_type = 'OrderPaid'
                    and later.sequence > e.sequence)) as over
    from events p where p.event_type = 'OrderPlaced'";
const REVOKED: &str = "select aggregate_id::text from events
    where event_type in ('LicenseRevoked', 'LicenseRevokedByStaff')";
const CLAIMS: &str =
    "select scope, key, holder::text from claims where scope in ('license-day', 'license-cap')";

/// What is claimed, without the holder, and the license that claims it.
type Held = BTreeSet<(String, String)>;

/// What the log says is held, and what is wrong with that.
#[derive(Default)]
struct Due {
    held: Held,
    days: BTreeMap<(String, String), String>,
    caps: BTreeMap<(String, String), u64>,
    complaints: Vec<String>,
}

/// What is held twice, too often or by what is over, and what should be held and is not.
pub async fn complaints(log: &Client) -> Vec<String> {
    let mut due = Due::default();
    let revoked = log.query(REVOKED, &[]).await.unwrap();
    let revoked: BTreeSet<String> = revoked.iter().map(|row| row.get(0)).collect();
    for row in log.query(ORDERS, &[]).await.unwrap() {
        let placed: Value = serde_json::from_str(row.get(0)).unwrap();
        if row.get("over") {
            continue;
        }
        for line in placed["lines"].as_array().unwrap() {
            let license = line["license_id"].as_str().unwrap();
            if !revoked.contains(license) {
                due.add(line, license);
            }
        }
    }
    let rows = log.query(CLAIMS, &[]).await.unwrap();
    let held: Held = rows
        .iter()
        .map(|row| {
            let (scope, key): (&str, &str) = (row.get(0), row.get(1));
            let (wanted, _holder) = key.rsplit_once(' ').unwrap();
            (format!("{scope} {wanted}"), row.get(2))
        })
        .collect();
    let missing = due.held.difference(&held);
    let missing = missing.map(|one| format!("claims: {one:?} is not held"));
    let left = held.difference(&due.held);
    let left = left.map(|one| format!("claims: {one:?} is held by what is over"));
    due.complaints.extend(missing.chain(left).take(20));
    due.complaints
}

impl Due {
    fn add(&mut self, line: &Value, license: &str) {
        let code = line["license_type"]["code"].as_str().unwrap();
        // Orders that are older than holder ids have the name in clear.
        let person = match &line["holder_id"] {
            Value::Null => format!("{}{}", line["holder"]["name"], line["holder"]["birth_date"]),
            id => id.to_string(),
        };
        for day in days(line) {
            let wanted = format!("{code} {day}");
            self.held
                .insert((format!("license-day {wanted}"), license.to_owned()));
            if let Some(first) = self
                .days
                .insert((wanted.clone(), person.clone()), license.to_owned())
            {
                self.complaints.push(format!(
                    "claims: {first} and {license} are one holder's for {wanted}"
                ));
            }
        }
        if let Some(cap) = line["lifetime_cap"].as_u64() {
            self.held
                .insert((format!("license-cap {code}"), license.to_owned()));
            let count = self.caps.entry((code.to_owned(), person)).or_default();
            *count += 1;
            if *count > cap {
                self.complaints.push(format!(
                    "claims: {license} is one more of {code} than its holder may have"
                ));
            }
        }
    }
}

fn days(line: &Value) -> impl Iterator<Item = NaiveDate> {
    let first: NaiveDate = line["activity_date"].as_str().unwrap().parse().unwrap();
    let count = line["activity_days"].as_u64().unwrap();
    (0..count).map(move |day| first + Days::new(day))
}
