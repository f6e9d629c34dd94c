//! A filter with a value of a row finds the row.

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use system_tests::Shop;

use crate::reading::{Rows, rows};
use crate::writing::AT_ONCE;

/// About how many rows of a list are searched for by each of their values.
const SAMPLE: usize = 40;

/// Searches for rows by each of their values.
pub(crate) async fn every_filter_finds(shop: &Shop, path: &str, id: &str, said: &Rows) {
    let sample: Vec<&Value> = said.values().step_by(said.len() / SAMPLE + 1).collect();
    stream::iter(sample)
        .for_each_concurrent(AT_ONCE, |row| async move {
            for (filter, wanted) in reading_of(path, row) {
                let filter: String = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(filter)
                    .finish();
                let found = rows(shop, &format!("{path}?limit=200&{filter}"), id).await;
                assert!(
                    found.contains_key(row[id].as_str().expect("an id")),
                    "{wanted} of {row} by {filter}"
                );
            }
        })
        .await;
}

type Filter = Vec<(&'static str, String)>;

/// Filters that a row satisfies, each with the name of its field.
fn reading_of(path: &str, row: &Value) -> Vec<(Filter, &'static str)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let line = if path == "/orders" { &row["lines"][0] } else { row };
    let mut filters: Vec<(Filter, &'static str)> = Vec::new();
    let mut one = |name: &'static str, value: Option<String>| {
        if let Some(value) = value {
            filters.push((vec![(name, value)], name));
        }
    };
    one("status", text(&row["status"]));
    one("club_id", text(&line["club_id"]));
    one("license_type", text(&line["license_type"]));
    one(
        "q",
        text(&row["order_number"]).map(|number| number.to_lowercase()),
    );
    one(
        "q",
        text(&row["order_number"]).map(|number| number.replace('-', "")),
    );
    let holder = &line["holder"];
    // `q` takes at most a hundred characters.
    let short = |text: String| text.chars().take(100).collect::<String>();
    one("q", text(&holder["name"]).map(short));
    // Some letters share their capital with another letter.
    let capitals = |name: String| {
        let capitals = name.to_uppercase();
        (text::fold(&capitals) == text::fold(&name)).then_some(short(capitals))
    };
    one("q", text(&holder["name"]).and_then(capitals));
    one("q", text(&holder["phone"]));
    one("q", text(&holder["phone"]).map(|phone| phone.replace("+47", "")));
    one("q", text(&holder["email"]).map(short));
    for number in ["registration", "vehicle_license", "chassis"] {
        one("q", text(&line["vehicle"][number]));
        one(
            "q",
            text(&line["vehicle"][number]).map(|number| number.to_lowercase()),
        );
    }
    if let Some(day) = text(&line["activity_date"]) {
        filters.push((
            vec![("activity_from", day.clone()), ("activity_to", day)],
            "its day",
        ));
    }
    if let (Some(total), Some(created)) = (row["total_ore"].as_i64(), text(&row["created_at"])) {
        filters.push((
            vec![
                ("total_min_ore", total.to_string()),
                ("total_max_ore", total.to_string()),
            ],
            "its total",
        ));
        filters.push((vec![("created_from", created)], "its moment"));
    }
    filters
}
