//! The list of revocations: what is in it, and that its cost follows the void licenses, not all licenses.

use anyhow::Result;
use chrono::{Days, NaiveDate};
use read_model::revocations::{self, Revocations};
use uuid::Uuid;

use crate::support::Database;

const STATEMENT: &str = include_str!("../../src/sql/list_revocations.sql");

/// The first of the days that rows are made for.
fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap()
}

#[tokio::test]
async fn before_any_event_the_list_is_empty() -> Result<()> {
    let database = Database::migrated().await?;
    let found = revocations::read(&database.client, None, first_day()).await?;
    assert_eq!(found, Revocations::default());
    Ok(())
}

#[tokio::test]
async fn a_list_and_its_changes_come_from_the_index_of_void_licenses() -> Result<()> {
    let database = Database::migrated().await?;
    let client = &database.client;
    client.execute(include_str!("rows.sql"), &[&5_000_i32]).await?;
    client
        .batch_execute(
            "update licenses set status = case when position % 28 = 0 then 'issued' else 'revoked' end,
                                 revocation_position = position
             where position % 7 = 0;
             analyze licenses",
        )
        .await?;
    database.checkpoint(5_000).await?;
    // The last 10 of the 300 days.
    let from = first_day() + Days::new(290);
    let full = revocations::read(client, None, from).await?;
    let later = revocations::read(client, Some(3_000), from).await?;
    let counted = "select count(*) filter (where status = 'revoked'),
                          count(*) filter (where status = 'revoked' and position > 3000),
                          count(*) filter (where status = 'issued' and position > 3000)
                   from licenses where revocation_position is not null and activity_date >= $1";
    let row = client.query_one(counted, &[&from]).await?;
    let expected: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    let found = [full.void.len(), later.void.len(), later.restored.len()];
    assert_eq!(found.map(|count| i64::try_from(count).unwrap()), expected);
    assert_eq!(
        (full.checkpoint.position, full.checkpoint.epoch),
        (5_000, Uuid::nil())
    );
    assert!(full.restored.is_empty() && !full.void.is_empty(), "{full:?}");

    for since in [None, Some(3_000_i64)] {
        let plan = client
            .query(
                &format!("explain {STATEMENT}"),
                &[&"licensing", &since, &from, &100_001_i64],
            )
            .await?;
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("licenses_by_revocation"), "{since:?}:\n{plan}");
    }
    Ok(())
}
