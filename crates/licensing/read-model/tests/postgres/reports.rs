//! The tables of the reports: their columns are declared, and reads use their indexes, at ten times the size of ten years.

use anyhow::Result;
use chrono::NaiveDate;
use query::{Conditions, OutlineQuery, PageQuery, Parameters, page};
use read_model::reports::{ACTIVITIES, Counters, RESOURCES, read_outline, read_sales};
use read_model::{LICENSES, SalesGrouping};
use tokio_postgres::Client;

use crate::declared::columns_are_declared;
use crate::support::Database;

const TABLES: &str = include_str!("../../src/reports/migrations/V1__reports.sql");
const OUTLINE: &str = include_str!("../../src/reports/migrations/V2__outline.sql");
const REPORT_SALES: &str = include_str!("../../src/reports/sql/report_sales.sql");
const READ_OUTLINE: &str = include_str!("../../src/reports/sql/read_outline.sql");

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

/// The days of ten years, with four statuses on each and ten clubs, and those of lists and filters beside them.
const DAYS: &str = "
    insert into outline
    select list, sort_key, dimension, value, date '2017-01-01' + day, status, 100
    from generate_series(0, 3651) as day,
        unnest(array['orders', 'licenses']) as list,
        unnest(array['created_at', 'activity_date']) as sort_key,
        unnest(array['issued', 'checked_in', 'revoked', 'suspended']) as status,
        (select 'all' as dimension, '' as value
         union all select 'club_id', md5(i::text)::uuid::text from generate_series(1, 10) i) as filters;
    analyze outline";

const CHECKPOINTS: &str =
    "create table checkpoints (projection text, position int8, epoch uuid, stale_since timestamptz)";

/// The names of clubs and license types are those of `licensing`.
async fn database() -> Result<Database> {
    let database = Database::migrated().await?;
    let create =
        format!("create schema reports; set search_path = reports; {TABLES}; {OUTLINE}; {CHECKPOINTS}");
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
        "2026-01-01".parse::<NaiveDate>()?,
        "2026-12-31".parse::<NaiveDate>()?,
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

fn counters(query: &str) -> Counters {
    let mut parameters = Parameters::of(query);
    let asked = OutlineQuery::of(&mut parameters, &LICENSES);
    assert!(parameters.finish().is_ok(), "{query}");
    Counters::of(&asked).unwrap_or_else(|| panic!("no counters for {query}"))
}

#[tokio::test]
async fn ten_years_of_days_are_read_through_the_index_and_nothing_else_of_them() -> Result<()> {
    let database = database().await?;
    database.client.batch_execute(DAYS).await?;
    let club = "665a45e7-0f4a-4e4a-86f3-1c1a3f2d9e6b";
    let client = &database.client;
    let explain = format!("explain (analyze, costs off, timing off) {READ_OUTLINE}");
    let none: Option<&str> = None;
    let day = |text: &str| text.parse::<NaiveDate>().map(Some);
    let year = (day("2026-01-01")?, day("2026-12-31")?);
    for (status, (first, last), rows) in [
        (none, (None, None), 3652 * 4),
        (Some("revoked"), (None, None), 3652),
        (none, year, 365 * 4),
    ] {
        let plan = client
            .query(
                &explain,
                &[
                    &"reports",
                    &"licenses",
                    &"created_at",
                    &"all",
                    &"",
                    &status,
                    &first,
                    &last,
                ],
            )
            .await?;
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(
            plan.contains("outline_pkey") && !plan.contains("Seq Scan on outline"),
            "{plan}"
        );
        let read = format!("rows={rows} ");
        assert!(plan.contains(&read), "not {read} in\n{plan}");
    }
    for (query, total) in [
        ("", 3652 * 400),
        ("status=issued&sort=activity_date", 3652 * 100),
        (&format!("club_id={club}"), 0),
        ("sort=activity_date&activity_to=2017-01-02&status=issued", 200),
    ] {
        let outline = read_outline(client, &counters(query)).await?;
        let days = outline.days.expect("counters of this log");
        assert_eq!(days.iter().map(|(_, rows)| rows).sum::<i64>(), total, "{query}");
        assert!(days.is_sorted(), "the earliest first");
    }
    Ok(())
}

/// Rows that exist lack what the counters need, so the projector is made to build them again; it does so when its checkpoint
/// is of another epoch.
#[tokio::test]
async fn reports_of_before_the_counters_are_kept_and_marked_to_be_built_again() -> Result<()> {
    let database = Database::migrated().await?;
    let client = &database.client;
    let before = format!(
        "insert into checkpoints (projection, position, epoch) values ('licensing', 5, gen_random_uuid());
         create schema reports; set search_path = reports; {TABLES}; {CHECKPOINTS};
         insert into checkpoints values ('reports', 7, '00000000-0000-0000-0000-000000000001', null);
         insert into counted_orders values (gen_random_uuid(), 'vipps', '[]', 3);
         insert into counted_licenses values (gen_random_uuid(), gen_random_uuid(), '2026-06-05', 'bil', false, false, false, 4);
         insert into sales values ('all', '2026-06-05', '', 1, 1, 1, 0, 42000, 0, 0)"
    );
    client.batch_execute(&before).await?;
    let others = "select epoch::text, stale_since is null from public.checkpoints";
    let licensing = client.query_one(others, &[]).await?;
    // As the projector migrates, with what extensions bring in reach.
    client
        .batch_execute(&format!("set search_path = reports, public; {OUTLINE}"))
        .await?;
    let marked = client
        .query_one(
            "select position, epoch::text, stale_since is not null from checkpoints",
            &[],
        )
        .await?;
    assert_eq!(marked.get::<_, i64>(0), 7);
    assert_ne!(marked.get::<_, &str>(1), "00000000-0000-0000-0000-000000000001");
    assert!(
        marked.get::<_, bool>(2),
        "until then answers say that they are stale"
    );
    let outline = read_outline(client, &counters("")).await?;
    assert!(outline.days.is_none() && outline.stale, "{outline:?}");
    for table in ["counted_orders", "counted_licenses", "sales"] {
        let kept = client.query(&format!("select from {table}"), &[]).await?;
        assert_eq!(kept.len(), 1, "{table}");
    }
    // A rebuild beside them touches no checkpoint but its own, which is not there yet.
    client
        .batch_execute(&format!(
            "create schema reports_rebuild; set search_path = reports_rebuild, public; {}; {OUTLINE}",
            TABLES.replace("schema reports ", "schema reports_rebuild ")
        ))
        .await?;
    let after = client.query_one(others, &[]).await?;
    assert_eq!(
        (after.get::<_, &str>(0), after.get::<_, bool>(1)),
        (licensing.get::<_, &str>(0), licensing.get::<_, bool>(1))
    );
    Ok(())
}
