//! What is declared is what the migrations make.

use anyhow::Result;
use query::Resource;
use query::table::{Row, Table, copy, load, upsert};
use read_model::RESOURCES;
use read_model::write::{
    BatchItemRow, BatchRow, ClubRow, LetterRow, LicenseRow, LicenseTypeRow, OrderRow, ReceiptRow,
    SuspensionRow, TermsRow, TimelineRow, UserRow,
};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::Database;

#[tokio::test]
async fn every_column_is_declared_with_its_type() -> Result<()> {
    let database = Database::migrated().await?;
    columns_are_declared(&database.client, RESOURCES).await
}

/// Every column of these resources' tables, as the session finds them.
pub(crate) async fn columns_are_declared(client: &Client, resources: &[&'static Resource]) -> Result<()> {
    for resource in resources {
        let columns = "select attname::text, format_type(atttypid, null), not attnotnull from pg_attribute
             where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by 1";
        let rows = client.query(columns, &[&resource.table]).await?;
        let found: Vec<(String, String, bool)> = rows
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect();
        let declared = resource.columns.iter().map(|column| {
            let stored = column.stored.expect("a column of the table");
            let name = stored.name().replace("timestamptz", "timestamp with time zone");
            (column.name.to_owned(), name, stored.nullable)
        });
        let mut declared: Vec<_> = declared.collect();
        declared.sort();
        assert_eq!(declared, found, "{}", resource.table);
        for computed in resource.computed {
            let after = computed.name;
            let shown = resource.shown().any(|column| column.name == after);
            assert!(shown, "{after} is shown after no column");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_statement_that_is_made_prepares() -> Result<()> {
    let database = Database::migrated().await?;
    let tables: [&Table; 12] = [
        OrderRow::table(),
        LicenseRow::table(),
        LicenseTypeRow::table(),
        ClubRow::table(),
        SuspensionRow::table(),
        ReceiptRow::table(),
        LetterRow::table(),
        TermsRow::table(),
        UserRow::table(),
        TimelineRow::table(),
        BatchRow::table(),
        BatchItemRow::table(),
    ];
    for table in tables {
        for statement in [&table.load, &table.upsert, &table.copy] {
            database
                .client
                .prepare(statement)
                .await
                .map_err(|error| anyhow::anyhow!("{statement}: {error:?}"))?;
        }
    }
    Ok(())
}

/// What is copied in and what is upserted reads back the same.
#[tokio::test]
async fn a_row_reads_back_as_it_was_written() -> Result<()> {
    let database = Database::migrated().await?;
    database
        .client
        .execute(include_str!("rows.sql"), &[&3_i32])
        .await?;
    let pool = database.pool()?;
    let mut client = pool.get().await?;
    let ids = client.query("select license_id from licenses", &[]).await?;
    let ids: Vec<Uuid> = ids.iter().map(|row| row.get(0)).collect();
    let mut rows: Vec<LicenseRow> = load(&client, &ids).await?;
    rows.sort_by_key(Row::id);
    assert_eq!(rows.len(), 6);
    client.execute("delete from licenses", &[]).await?;
    let transaction = client.transaction().await?;
    let (first, others) = rows.split_first().expect("six rows");
    copy(&transaction, others).await?;
    upsert(&transaction, std::slice::from_ref(first)).await?;
    transaction.commit().await?;
    let mut again: Vec<LicenseRow> = load(&client, &ids).await?;
    again.sort_by_key(Row::id);
    assert_eq!(serde_json::to_value(&again)?, serde_json::to_value(&rows)?);
    Ok(())
}
