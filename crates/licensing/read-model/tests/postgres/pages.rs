//! A walk through the pages sees every row once, whatever happens meanwhile.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, Utc};
use query::{
    Conditions, Direction, Edge, Page, PageQuery, Parameters, Record, Resource, SortValue, Total, page,
};
use read_model::{CLUBS, LICENSE_TYPES, LICENSES, ORDERS};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Database;

const ROWS: &str = include_str!("rows.sql");

fn first(resource: &'static Resource, sort: &str, direction: Direction, limit: u16) -> PageQuery {
    PageQuery {
        sort: resource.sort(sort).unwrap(),
        direction,
        ..PageQuery::first(resource, Conditions::default(), limit)
    }
}

/// Reads back from an edge to the first row, and gives the rows in their order.
async fn walk_back(
    database: &Database,
    start: impl Fn() -> PageQuery,
    mut edge: Option<Edge>,
    mut between: impl AsyncFnMut(&Page) -> Result<()>,
) -> Result<Vec<Value>> {
    let mut pages = Vec::new();
    while edge.is_some() {
        let page = page::read(&database.client, PageQuery { edge, ..start() }).await?;
        let rows: Vec<_> = page.rows.iter().map(whole).collect();
        between(&page).await?;
        pages.push(rows);
        edge = page.previous;
    }
    Ok(pages.into_iter().rev().flatten().collect())
}

/// Reads to the end; `between` runs after each page.
async fn walk(
    database: &Database,
    start: impl Fn() -> PageQuery,
    mut between: impl AsyncFnMut(&Page) -> Result<()>,
) -> Result<Vec<Value>> {
    let (mut edge, mut seen) = (None, Vec::new());
    loop {
        let page = page::read(&database.client, PageQuery { edge, ..start() }).await?;
        seen.extend(page.rows.iter().map(whole));
        between(&page).await?;
        edge = page.next;
        if edge.is_none() {
            return Ok(seen);
        }
    }
}

fn ids(rows: &[Value], key: &str) -> Vec<String> {
    rows.iter()
        .map(|row| row[key].as_str().unwrap().to_owned())
        .collect()
}

fn whole(row: &Record) -> Value {
    serde_json::from_slice(row.json()).unwrap()
}

fn json(rows: &[Record]) -> Value {
    rows.iter().map(whole).collect()
}

#[tokio::test]
async fn every_sort_sees_every_row_once_in_order() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&997_i32]).await?;
    for (resource, key, expected) in [(&ORDERS, "order_id", 997), (&LICENSES, "license_id", 1994)] {
        for sort in resource.sorts {
            for direction in [Direction::Ascending, Direction::Descending] {
                let start = || first(resource, sort.name, direction, 100);
                let rows = walk(&database, start, async |_| Ok(())).await?;
                let ids = ids(&rows, key);
                let distinct: BTreeSet<_> = ids.iter().collect();
                assert_eq!(
                    (ids.len(), distinct.len()),
                    (expected, expected),
                    "{} {}",
                    resource.name,
                    sort.name
                );
                if resource.column(sort.name).is_none() && sort.name == "position" {
                    // Not shown.
                    continue;
                }
                let column = if resource.name == "orders" && sort.name == "activity_date" {
                    "activity_from"
                } else {
                    sort.name
                };
                let keys: Vec<_> = rows
                    .iter()
                    .map(|row| (row[column].to_string(), row[key].to_string()))
                    .collect();
                let number = |text: &str| text.parse::<i64>().ok();
                let in_order = keys.is_sorted_by(|a, b| {
                    let (a, b) = ((number(&a.0), a), (number(&b.0), b));
                    if direction == Direction::Ascending {
                        a < b
                    } else {
                        a > b
                    }
                });
                assert!(in_order, "{} {} {direction:?}", resource.name, sort.name);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_arrive_or_change_meanwhile_neither_repeat_nor_hide_others() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&300_i32]).await?;
    let before: BTreeSet<String> = {
        let start = || first(&ORDERS, "created_at", Direction::Descending, 200);
        ids(&walk(&database, start, async |_| Ok(())).await?, "order_id")
            .into_iter()
            .collect()
    };
    let start = || first(&ORDERS, "created_at", Direction::Descending, 7);
    let writer = database.connect().await?;
    let rows = walk(&database, start, async |page| {
        // Five more before, among and behind the rows of this page, and a change to one already seen.
        writer
            .execute(
                "insert into orders (order_id, order_number, customer_id, status, total_ore, payment_provider, lines,
                                     club_ids, license_types, activity_from, activity_to, created_at, updated_at,
                                     version, position)
                 select gen_random_uuid(), order_number, customer_id, status, total_ore, payment_provider, lines,
                        club_ids, license_types, activity_from, activity_to, created_at, updated_at, version, position
                 from orders order by random() limit 5",
                &[],
            )
            .await?;
        if let Some(row) = page.rows.first() {
            let id: Uuid = serde_json::from_value(row.get("order_id").unwrap().clone())?;
            writer
                .execute(
                    "update orders set status = 'refunded' where order_id = $1",
                    &[&id],
                )
                .await?;
        }
        Ok(())
    })
    .await?;
    let seen = ids(&rows, "order_id");
    let distinct: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(seen.len(), distinct.len(), "a row was seen twice");
    assert!(before.is_subset(&distinct), "a row was missed");
    assert!(distinct.len() > before.len(), "rows arrived ahead of the walk");
    Ok(())
}

#[tokio::test]
async fn the_way_back_shows_the_same_pages() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&101_i32]).await?;
    for sort in ORDERS.sorts {
        for direction in [Direction::Ascending, Direction::Descending] {
            let start = || first(&ORDERS, sort.name, direction, 10);
            let (mut pages, mut edge, mut before) = (Vec::new(), None, Vec::new());
            loop {
                let page = page::read(&database.client, PageQuery { edge, ..start() }).await?;
                pages.push(json(&page.rows));
                before.push(page.previous.clone());
                edge = page.next;
                if edge.is_none() {
                    break;
                }
            }
            assert_eq!((pages.len(), &before[0]), (11, &None));
            for number in (1..pages.len()).rev() {
                let edge = before[number].clone();
                let page = page::read(&database.client, PageQuery { edge, ..start() }).await?;
                assert_eq!(json(&page.rows), pages[number - 1], "page {number}");
                assert_eq!(page.previous.is_some(), number > 1, "page {number}");
                // And forth again.
                let edge = page.next;
                let page = page::read(&database.client, PageQuery { edge, ..start() }).await?;
                assert_eq!(json(&page.rows), pages[number], "page {number}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn on_the_way_back_rows_that_arrive_or_go_neither_repeat_nor_hide_others() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&200_i32]).await?;
    let start = || first(&ORDERS, "total_ore", Direction::Descending, 7);
    let all = ids(&walk(&database, start, async |_| Ok(())).await?, "order_id");
    // Back from the last row.
    let smallest = first(&ORDERS, "total_ore", Direction::Ascending, 1);
    let last = page::read(&database.client, smallest).await?.next.unwrap();
    let edge = Some(Edge {
        included: true,
        ..Edge::before(last.place)
    });
    let writer = database.connect().await?;
    let rows = walk_back(&database, start, edge, async |page| {
        writer
            .execute(
                "insert into orders (order_id, order_number, customer_id, status, total_ore, payment_provider, lines,
                                     club_ids, license_types, activity_from, activity_to, created_at, updated_at,
                                     version, position)
                 select gen_random_uuid(), order_number, customer_id, status, total_ore, payment_provider, lines,
                        club_ids, license_types, activity_from, activity_to, created_at, updated_at, version, position
                 from orders order by random() limit 5",
                &[],
            )
            .await?;
        // The row that the next page ends before.
        if let Some(row) = page.rows.first() {
            let id: Uuid = serde_json::from_value(row.get("order_id").unwrap().clone())?;
            writer.execute("delete from orders where order_id = $1", &[&id]).await?;
        }
        Ok(())
    })
    .await?;
    let seen = ids(&rows, "order_id");
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(seen.len(), distinct.len(), "a row was seen twice");
    assert!(all.iter().all(|id| distinct.contains(id)), "a row was missed");
    Ok(())
}

#[tokio::test]
async fn a_list_begins_anywhere() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&300_i32]).await?;
    let all = |sort: &'static str, direction| {
        let start = move || first(&ORDERS, sort, direction, 100);
        let database = &database;
        async move { walk(database, start, async |_| Ok(())).await }
    };
    for direction in [Direction::Ascending, Direction::Descending] {
        let rows = all("total_ore", direction).await?;
        for value in [i64::MIN, 0, 2000, 2001, 100_000, i64::MAX] {
            let begin = SortValue::Integer(value);
            let edge = Some(Edge::seek(begin, direction));
            let start = || first(&ORDERS, "total_ore", direction, 7);
            let page = page::read(&database.client, PageQuery { edge, ..start() }).await?;
            let total = |row: &Value| row["total_ore"].as_i64().unwrap();
            let behind = |row: &&Value| match direction {
                Direction::Ascending => total(row) >= value,
                Direction::Descending => total(row) <= value,
            };
            let expected: Vec<&Value> = rows.iter().filter(behind).collect();
            let found = json(&page.rows);
            let found: Vec<&Value> = found.as_array().unwrap().iter().collect();
            assert_eq!(found, expected[..expected.len().min(7)], "{value} {direction:?}");
            assert_eq!(page.next.is_some(), expected.len() > 7, "{value} {direction:?}");
            // What lies before it is what is left.
            let back = walk_back(&database, start, page.previous, async |_| Ok(())).await?;
            assert_eq!(back.len(), rows.len() - expected.len(), "{value} {direction:?}");
            assert_eq!(back, rows[..back.len()], "{value} {direction:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn many_rows_are_estimated_and_few_are_counted() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&10_001_i32]).await?;
    database.client.batch_execute("analyze orders").await?;
    let query = || PageQuery {
        count: true,
        ..first(&ORDERS, "created_at", Direction::Descending, 1)
    };
    let total = page::read(&database.client, query()).await?.total.unwrap();
    assert_eq!((total.rows, total.is_estimate), (10_001, true));
    database
        .client
        .execute(
            "delete from orders where ctid in (select ctid from orders limit 1)",
            &[],
        )
        .await?;
    let total = page::read(&database.client, query()).await?.total.unwrap();
    assert_eq!((total.rows, total.is_estimate), (10_000, false));
    Ok(())
}

#[tokio::test]
async fn an_empty_page_still_says_where_it_is_true() -> Result<()> {
    let database = Database::migrated().await?;
    let read = async || {
        page::read(
            &database.client,
            first(&ORDERS, "created_at", Direction::Descending, 50),
        )
        .await
    };
    let page = read().await?;
    assert_eq!(
        (page.rows.len(), page.checkpoint.position, page.next),
        (0, 0, None),
        "before the projector has run"
    );
    database.checkpoint(42).await?;
    assert_eq!(read().await?.checkpoint.position, 42);
    Ok(())
}

#[tokio::test]
async fn the_total_counts_all_pages_and_only_when_asked() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&30_i32]).await?;
    let query = || first(&ORDERS, "total_ore", Direction::Ascending, 10);
    let page = page::read(
        &database.client,
        PageQuery {
            count: true,
            ..query()
        },
    )
    .await?;
    let thirty = Some(Total {
        rows: 30,
        is_estimate: false,
    });
    assert_eq!((page.rows.len(), page.total), (10, thirty));
    let page = page::read(
        &database.client,
        PageQuery {
            count: true,
            edge: page.next,
            ..query()
        },
    )
    .await?;
    assert_eq!((page.rows.len(), page.total), (10, thirty), "on later pages too");
    assert_eq!(page::read(&database.client, query()).await?.total, None);
    Ok(())
}

#[tokio::test]
async fn columns_are_shown_in_their_json_form_and_in_the_order_asked_for() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&1_i32]).await?;
    let columns = [
        "created_at",
        "club_ids",
        "activity_from",
        "paid_at",
        "total_ore",
        "payment",
        "license_types",
    ];
    let query = PageQuery {
        columns: columns.iter().map(|name| ORDERS.column(name).unwrap()).collect(),
        ..first(&ORDERS, "created_at", Direction::Descending, 1)
    };
    let page = page::read(&database.client, query).await?;
    let club = database
        .client
        .query_one("select md5('club1')::uuid::text", &[])
        .await?
        .get::<_, String>(0);
    assert_eq!(
        String::from_utf8_lossy(page.rows[0].json()),
        format!(
            r#"{{"created_at":"2026-01-01T00:00:00Z","club_ids":["{club}"],"activity_from":"2026-01-02","paid_at":null,"#
        ) + r#""total_ore":2000,"payment":{"provider" : "vipps", "reference" : null, "redirect_url" : null, "captured_ore" : 0, "refunded_ore" : 0, "written_off_ore" : 0, "capture_failure" : null, "refund_state" : null},"license_types":["type-1"]}"#
    );
    Ok(())
}

#[tokio::test]
async fn names_sort_as_norwegians_do() -> Result<()> {
    let database = Database::migrated().await?;
    let names = [
        "Østfold",
        "Åndalsnes",
        "Zebra",
        "Ålesund",
        "Ærlig",
        "asker",
        "Bodø",
    ];
    for name in names {
        database
            .client
            .execute(
                "insert into clubs (club_id, name, created_at, updated_at, version, position)
                 values (gen_random_uuid(), $1, now(), now(), 1, 1)",
                &[&name],
            )
            .await?;
    }
    let start = || first(&CLUBS, "name", Direction::Ascending, 2);
    let rows = walk(&database, start, async |_| Ok(())).await?;
    assert_eq!(
        ids(&rows, "name"),
        [
            "asker",
            "Bodø",
            "Zebra",
            "Ærlig",
            "Østfold",
            "Ålesund",
            "Åndalsnes"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn the_price_is_the_one_in_force_now() -> Result<()> {
    let database = Database::migrated().await?;
    let prices = [
        (100, "2020-01-01T00:00:00Z"),
        (300, "2022-06-01T00:00:00+02:00"),
        (200, "2021-01-01T00:00:00Z"),
        (301, "2022-05-31T22:00:00Z"),
        (900, "2999-01-01T00:00:00Z"),
    ];
    for (code, prices) in [("a", &prices[..]), ("b", &[])] {
        let (ore, valid_from): (Vec<i64>, Vec<DateTime<Utc>>) = prices
            .iter()
            .map(|(ore, from)| (ore, from.parse::<DateTime<Utc>>().unwrap()))
            .unzip();
        database
            .client
            .execute(
                "insert into license_types (license_type_id, code, category, discipline, role, name_nb, name_en,
                                            prices_ore, prices_valid_from, created_at, updated_at, version, position)
                 values (gen_random_uuid(), $1, 'test', 'x', 'driver', 'n', 'n', $2, $3, now(), now(), 1, 1)",
                &[&code, &ore, &valid_from],
            )
            .await?;
    }
    let query = first(&LICENSE_TYPES, "code", Direction::Ascending, 9);
    let page = page::read(&database.client, query).await?;
    assert_eq!(
        page.rows[0].get("price_ore"),
        Some(json!(301)),
        "the latest that has come; the later entry of a tie"
    );
    assert_eq!(page.rows[1].get("price_ore"), Some(Value::Null));
    Ok(())
}

#[tokio::test]
async fn a_license_for_several_days_is_found_on_each_of_them() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&1_i32]).await?;
    database
        .client
        .execute(
            "update licenses set activity_date = '2026-06-05', activity_days = 3",
            &[],
        )
        .await?;
    for (asked, expected) in [
        ("activity_from=2026-06-07&activity_to=2026-06-07", 2),
        ("activity_from=2026-06-08", 0),
        ("activity_to=2026-06-04", 0),
        ("activity_to=2026-06-05", 2),
    ] {
        let selection = Parameters::of(asked).select(&LICENSES).unwrap();
        let query = PageQuery {
            conditions: selection.within(Conditions::default()),
            ..first(&LICENSES, "created_at", Direction::Descending, 9)
        };
        assert_eq!(
            page::read(&database.client, query).await?.rows.len(),
            expected,
            "{asked}"
        );
    }
    Ok(())
}
