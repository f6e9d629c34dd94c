//! No two filters, in no order and for no reader, make Postgres read much more than it gives: at the size of ten years.

use anyhow::Result;
use query::{Conditions, Direction, Error, PageQuery, Parameters, Resource, Sort, Spread, page};
use read_model::{LICENSES, ORDERS, RECEIPTS, Scope, USERS};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::Database;

/// What has a value for each filter of a resource.
type Values = &'static [(&'static str, &'static [&'static str])];

const SALES: &str = include_str!("full_size.sql");
const PEOPLE: &str = include_str!("full_size_people.sql");
/// Rows of a page.
const LIMIT: u16 = 50;
/// How many rows may be read for each row that is given, and for each that a full page would have.
const WASTE: u64 = 100;

/// Values of each filter, one that few rows have and one that many have.
const ORDERS_ASKED: Values = &[
    ("status", &["refund_pending", "fulfilled"]),
    ("refund_state", &["failed", "refunded"]),
    ("club_id", &["{rare_club}", "{club}"]),
    ("license_type", &["type-41", "type-0"]),
    ("provider", &["nexi", "vipps"]),
    ("created_from", &["2025-11-20", "2017-01-01"]),
    ("created_to", &["2016-02-01", "2024-01-01"]),
    ("activity_from", &["2025-12-20", "2017-06-01"]),
    ("activity_to", &["2016-02-01", "2024-06-01"]),
    ("total_min_ore", &["440000", "20000"]),
    ("total_max_ore", &["15000", "300000"]),
    ("customer_id", &["{customer}"]),
    ("q", &["bl-77777", "kari", "ek 77", "ka"]),
];

const LICENSES_ASKED: Values = &[
    ("order_id", &["{order}"]),
    ("status", &["revoked", "issued"]),
    ("checked_in", &["true", "false"]),
    ("holder_id", &["{holder}"]),
    ("club_id", &["{rare_club}", "{club}"]),
    ("license_type", &["type-41", "type-0"]),
    ("category", &["test", "competition"]),
    ("discipline", &["discipline-10", "discipline-0"]),
    ("role", &["codriver", "driver"]),
    ("activity_from", &["2025-12-20", "2017-06-01"]),
    ("activity_to", &["2016-02-01", "2024-06-01"]),
    ("changed_since", &["299000", "1000"]),
    ("q", &["bl-77777", "kari", "ek 77", "ka"]),
];

const USERS_ASKED: Values = &[
    ("role", &["admin", "customer"]),
    ("created_from", &["2025-11-20", "2017-01-01"]),
    ("q", &["kari77", "kari", "ka", "1077777"]),
];

const RECEIPTS_ASKED: Values = &[
    ("order_id", &["{order}"]),
    ("kind", &["credit_note", "receipt"]),
    ("receipt_number", &["2023-077777"]),
    ("happened_from", &["2025-11-20", "2017-01-01"]),
    ("happened_to", &["2016-02-01", "2024-01-01"]),
    ("customer_id", &["{customer}"]),
];

/// Pages that were asked for.
#[derive(Default)]
struct Pages {
    asked: usize,
    expensive: Vec<String>,
    refused: Vec<String>,
}

#[tokio::test]
async fn no_pair_of_filters_makes_a_page_of_sales_expensive() -> Result<()> {
    let pages = asked(SALES, &[(&ORDERS, ORDERS_ASKED), (&LICENSES, LICENSES_ASKED)]).await?;
    let Pages { asked, refused, .. } = &pages;
    assert!(*asked > 2_000, "only {asked} pages were asked for");
    assert!(
        !refused.is_empty() && refused.len() < asked / 50,
        "{} of {asked} are refused",
        refused.len()
    );
    pages.check();
    Ok(())
}

#[tokio::test]
async fn no_pair_of_filters_makes_a_page_of_people_expensive() -> Result<()> {
    let pages = asked(PEOPLE, &[(&USERS, USERS_ASKED), (&RECEIPTS, RECEIPTS_ASKED)]).await?;
    assert!(pages.asked > 200, "only {} pages were asked for", pages.asked);
    pages.check();
    Ok(())
}

impl Pages {
    fn check(&self) {
        // Ten years in an order that they are spread unevenly in: for staff only, and by a range of days.
        let ranges = [
            "created_from=2017",
            "created_to=2024",
            "activity_from=2017",
            "activity_to=2024",
            "happened_from=2017",
            "happened_to=2024",
        ];
        for page in &self.refused {
            assert!(
                page.ends_with("staff") && ranges.iter().any(|range| page.contains(range)),
                "{page}"
            );
        }
        assert!(
            self.expensive.is_empty(),
            "{} of {}:\n{}",
            self.expensive.len(),
            self.asked,
            self.expensive.join("\n\n")
        );
    }
}

/// Asks for a page by each value and by each pair of values, in each order and for each reader.
async fn asked(rows: &str, resources: &[(&'static Resource, Values)]) -> Result<Pages> {
    let database = Database::migrated().await?;
    let client = &database.client;
    fill(client, rows).await?;
    let ids = ids(client).await?;
    let mut pages = Pages::default();
    for (resource, filters) in resources {
        for filter in resource.filters {
            let has_value = filters.iter().any(|(name, _)| *name == filter.name);
            assert!(has_value, "no value for {} of {}", filter.name, resource.name);
        }
        for text in questions(filters, &ids) {
            for (reader, scope) in readers(resource, &ids) {
                // They have few rows, in whatever order.
                if reader == "a customer" && text.contains('&') {
                    continue;
                }
                // This order is that of a filter alone.
                let changes = text.contains("changed_since");
                let sorts = resource.sorts.iter();
                for (sort, direction) in
                    sorts.flat_map(|sort| [(sort, Direction::Ascending), (sort, Direction::Descending)])
                {
                    let own = sort.name == "position";
                    if own != changes || (own && direction == Direction::Descending) {
                        continue;
                    }
                    let Some(query) = query(resource, &text, scope.clone(), sort, direction) else {
                        continue;
                    };
                    pages.asked += 1;
                    let name = format!("{} {text} {direction:?} {} {reader}", resource.name, sort.name);
                    let plan = match page::explain(client, &query).await {
                        Err(Error::TooBroad { .. }) => {
                            pages.refused.push(name);
                            continue;
                        }
                        plan => plan?,
                    };
                    if let Some(why) = expensive_because(&plan) {
                        pages.expensive.push(format!("{name}: {why}\n{plan}"));
                    }
                }
            }
        }
    }
    Ok(pages)
}

/// Indexes are built when the rows are there: that takes a quarter of the time.
async fn fill(client: &Client, rows: &str) -> Result<()> {
    let indexes = client
        .query(
            "select indexname::text, indexdef from pg_indexes
             where schemaname = 'public' and tablename in ('orders', 'licenses', 'users', 'receipts') and indexname !~ '_pkey$|_key$'",
            &[],
        )
        .await?;
    let (dropped, made): (Vec<String>, Vec<String>) = indexes
        .iter()
        .map(|row| {
            (
                format!("drop index {};", row.get::<_, &str>(0)),
                format!("{};", row.get::<_, &str>(1)),
            )
        })
        .unzip();
    client
        .batch_execute(
            "set synchronous_commit = off; set maintenance_work_mem = '256MB'; select setseed(0.5)",
        )
        .await?;
    for sql in [dropped.concat().as_str(), rows, &made.concat(), "vacuum analyze"] {
        client.batch_execute(sql).await?;
    }
    Ok(())
}

/// Ids that the rows have, by the names that stand for them.
async fn ids(client: &Client) -> Result<Vec<(&'static str, Uuid)>> {
    let row = client
        .query_one(
            "select md5('customer12345')::uuid, md5('order77777')::uuid, md5('holder777/1')::uuid, md5('club0')::uuid, \
             md5('club177')::uuid",
            &[],
        )
        .await?;
    let names = ["{customer}", "{order}", "{holder}", "{club}", "{rare_club}"];
    Ok(names
        .into_iter()
        .enumerate()
        .map(|(place, name)| (name, row.get(place)))
        .collect())
}

/// Each value alone, and each pair of values of two filters.
fn questions(filters: &[(&str, &[&str])], ids: &[(&str, Uuid)]) -> Vec<String> {
    let known = |value: &str| {
        ids.iter().fold(value.to_owned(), |value, (name, id)| {
            value.replace(name, &id.to_string())
        })
    };
    let values: Vec<(&str, String)> = filters
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (*name, value)))
        .map(|(name, value)| (name, format!("{name}={}", known(value))))
        .collect();
    let mut questions = vec![String::new()];
    for (index, (name, one)) in values.iter().enumerate() {
        questions.push(one.clone());
        let others = values[index..].iter().filter(|(other, _)| other != name);
        questions.extend(others.map(|(_, other)| format!("{one}&{other}")));
    }
    questions
}

fn readers(resource: &Resource, ids: &[(&str, Uuid)]) -> Vec<(&'static str, Conditions)> {
    let id = |name: &str| {
        let mut ids = ids.iter();
        ids.find(|(known, _)| *known == name)
            .map(|(_, id)| *id)
            .unwrap_or_default()
    };
    let own = Scope::Own(id("{customer}"));
    let organizer = Scope::OwnAndClubs {
        user_id: id("{customer}"),
        clubs: vec![id("{club}")],
    };
    let of: fn(&Scope) -> Conditions = match resource.name {
        "orders" => Scope::of_orders,
        "licenses" => Scope::of_licenses,
        "receipts" => Scope::of_receipts,
        // For staff only.
        _ => return vec![("staff", Conditions::default())],
    };
    vec![
        ("staff", of(&Scope::Everything)),
        ("a customer", of(&own)),
        ("an organizer", of(&organizer)),
    ]
}

/// What these parameters ask for; nothing, if the range ends before it begins.
fn query(
    resource: &'static Resource,
    asked: &str,
    scope: Conditions,
    sort: &'static Sort,
    direction: Direction,
) -> Option<PageQuery> {
    let selection = match Parameters::of(asked).select(resource) {
        Err(problem) if problem.fields().any(|(_, code)| code == "invalid_range") => return None,
        selection => selection.unwrap(),
    };
    Some(PageQuery {
        sort,
        direction,
        spread: Spread::of(&selection, sort, direction),
        ..PageQuery::first(resource, selection.within(scope), LIMIT)
    })
}

/// Why a plan that was run cost too much for what it gave.
fn expensive_because(plan: &str) -> Option<String> {
    let mut kept = 0;
    for line in plan.lines() {
        if line.contains("Seq Scan on ") && !line.contains("on checkpoints") {
            return Some("it reads the whole table".into());
        }
        kept = rows_of(line).unwrap_or(kept);
        if let Some((_, removed)) = line.split_once("Rows Removed by ") {
            let removed: u64 = removed.rsplit(' ').next()?.parse().ok()?;
            if removed > WASTE * kept.max(LIMIT.into()) {
                return Some(format!("{removed} rows were left out for {kept}"));
            }
        }
    }
    None
}

/// How many rows a step of the plan gave, in all loops.
fn rows_of(line: &str) -> Option<u64> {
    let number = |name: &str| {
        let (_, after) = line.split_once(name)?;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    };
    Some(number("actual rows=")? * number("loops=")?)
}
