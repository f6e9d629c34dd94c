//! The tables of the reports: their columns are declared, and reads use their indexes, at ten times the size of ten years.

use anyhow::Result;
use query::{Conditions, PageQuery, Parameters, page};
use read_model::SalesGrouping;
use read_model::reports::{ACTIVITIES, RESOURCES, read_sales};
use tokio_postgres::Client;

use crate::declared::columns_are_declared;
use crate::support::Database;

const TABLES: &str = include_str!("../../src/reports/migrations/V1__reports.sql");
const REPORT_SALES: &str = include_str!("../../src/reports/sql/report_sales.sql");

/// Ten years of sales in all groups, and the activities of ten years at ten times the size.
const ROWS: &str = "
    insert into sales
    select dimension, date '2017-01-01' + day, value, 1, 2, 1, 0, 42000, 0, 0
    from generate_series(0, 3651) as day,
        (select 'all' as dimension, '' as value
         union all select 'club', gen_random_uuid()::text from generate_series(1, 30)
         union all select 'license_type', 'type-' || i from generate_series(1, 20) i
         union all select unnest(array['category', 'provider']), i::text from generate_series(1, 3) i) as groups;
    insert into activities
    select gen_random_uuid(), gen_random_uuid(), date '2017-01-01' + i / 11, 37, 1, 35, 2, 40, i
    from generate_series(0, 39999) i;
    insert into activity_license_types select activity_id, 'type-1', 37, 1, 35, 2 from activities;
    analyze sales, activities, activity_license_types";

/// The names of clubs and license types are those of `licensing`.
async fn database() -> Result<Database> {
    let database = Database::migrated().await?;
    let create = format!(
        "create schema reports; set search_path = reports; {TABLES};
         create table checkpoints (projection text, position int8, epoch uuid, stale_since timestamptz)"
    );
    database.client.batch_execute(&create).await?;
    Ok(database)
}

#[tokio::test]
async fn every_column_of_the_reports_is_declared() -> Result<()> {
    let database = database().await?;
    columns_are_declared(&database.client, RESOURCES).await
}

async fn plan(client: &Client, format: Option<&str>, dimension: &str) -> Result<String> {
    let explain = format!("explain (analyze, costs off, timing off) {REPORT_SALES}");
    let (from, to) = (
        "2026-01-01".parse::<chrono::NaiveDate>()?,
        "2026-12-31".parse::<chrono::NaiveDate>()?,
    );
    let rows = client
        .query(
            &explain,
            &[&"reports", &dimension, &format, &Some(from), &Some(to)],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| row.get::<_, String>(0))
        .collect::<Vec<_>>()
        .join("\n"))
}

#[tokio::test]
async fn a_year_of_sales_is_read_through_the_index_and_nothing_else_of_it() -> Result<()> {
    let database = database().await?;
    database.client.batch_execute(ROWS).await?;
    for (dimension, format, days) in [("all", Some("YYYY-MM"), 365), ("license_type", None, 365 * 20)] {
        let plan = plan(&database.client, format, dimension).await?;
        assert!(!plan.contains("Seq Scan on sales"), "{plan}");
        let read = format!("rows={days}");
        assert!(plan.contains(&read), "{dimension}: not {read} in\n{plan}");
    }
    let report = read_sales(
        &database.client,
        SalesGrouping::Month,
        Some("2026-01-01".parse()?),
        Some("2026-12-31".parse()?),
    )
    .await?;
    assert_eq!(report.rows.len(), 12);
    assert_eq!(report.total.gross_ore, 365 * 42_000);
    Ok(())
}

#[tokio::test]
async fn activities_are_found_through_their_indexes() -> Result<()> {
    let database = database().await?;
    database.client.batch_execute(ROWS).await?;
    for (query, index) in [
        ("", "activities_by_date"),
        (
            "activity_from=2026-05-01&activity_to=2026-05-01",
            "activities_by_date",
        ),
        (
            "club_id=01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f",
            "activities_by_club",
        ),
    ] {
        let selection = Parameters::of(query).select(&ACTIVITIES).expect("filters");
        let asked = PageQuery::first(&ACTIVITIES, selection.within(Conditions::default()), 50);
        let plan = page::explain(&database.client, &asked).await?;
        assert!(plan.contains(index), "{query}: no {index} in\n{plan}");
        assert!(!plan.contains("Seq Scan on activit"), "{query}:\n{plan}");
    }
    Ok(())
}
