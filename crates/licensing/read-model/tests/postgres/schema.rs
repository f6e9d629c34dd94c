//! The schema reaches a database by `migrate` alone, and a server refuses any other.

use anyhow::Result;
use read_model::{SchemaError, check_schema, migrate};
use tokio_postgres::error::SqlState;

use crate::support::Database;

#[tokio::test]
async fn several_processes_may_migrate_at_once() -> Result<()> {
    let database = Database::empty().await?;
    let (a, b, c) = tokio::try_join!(
        migrate(&database.url),
        migrate(&database.url),
        migrate(&database.url)
    )?;
    let known = database
        .client
        .query_one("select count(*) from refinery_schema_history", &[])
        .await?;
    assert_eq!(
        i64::try_from(a + b + c)?,
        known.get::<_, i64>(0),
        "each migration is applied once"
    );
    check_schema(&database.pool()?).await?;
    assert_eq!(migrate(&database.url).await?, 0);
    Ok(())
}

/// What was written under the first schema, and where it is found under the newest.
#[tokio::test]
async fn rows_of_the_first_schema_are_kept_and_found() -> Result<()> {
    let database = Database::empty().await?;
    let client = &database.client;
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrations");
    let mut migrations = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let version = name
            .trim_start_matches('V')
            .split("__")
            .next()
            .map(str::parse::<i32>);
        migrations.push((version.unwrap()?, std::fs::read_to_string(&path)?));
    }
    migrations.sort_unstable();
    let (first, later) = migrations.split_first().unwrap();
    assert_eq!(first.0, 1);
    client.batch_execute(&first.1).await?;
    client.execute(include_str!("first_rows.sql"), &[&3]).await?;
    client
        .batch_execute(
            "update orders set search = 'BL-1 Åse ÆRLIG' where order_number = 'BL-1';
             update licenses set search = upper(search);
             update orders set lines = '[{\"activity_date\": \"2026-06-05\", \"activity_days\": 2},
                                         {\"activity_date\": \"2026-06-06\"}, {\"activity_date\": \"+20266-06-06\"}]';
             insert into license_types (license_type_id, code, category, discipline, role, name_nb, name_en, prices,
                                        created_at, updated_at, version, position)
             values (gen_random_uuid(), 'bil', 'test', 'bil', 'driver', 'BÅT', 'Boat',
                     '[{\"price_ore\": 100, \"valid_from\": \"2020-01-01T00:00:00Z\"},
                       {\"price_ore\": 200, \"valid_from\": \"+20266-01-01T00:00:00Z\"}]', now(), now(), 1, 1);
             insert into clubs (club_id, name, created_at, updated_at, version, position)
             values (gen_random_uuid(), 'NMK BODØ', now(), now(), 1, 1);
             insert into parked_events (projection, aggregate_type, aggregate_id, position, event, reason)
             values ('licensing', 'order', gen_random_uuid(), 1, '{\"position\": 1}', 'sick')",
        )
        .await?;
    for (_, sql) in later {
        client.batch_execute(sql).await?;
    }
    let found = "select (select count(*) from orders where search like '%åse ærlig%'),
                        (select count(*) from licenses where search like '%bl2 kari%'),
                        (select event::jsonb ->> 'position' from parked_events)";
    let found = client.query_one(found, &[]).await?;
    assert_eq!((found.get::<_, i64>(0), found.get::<_, i64>(1)), (1, 2));
    assert_eq!(found.get::<_, &str>(2), "1");
    let typed = client
        .query_one(
            "select (select activity_dates::text from orders limit 1), l.prices_ore::text, jsonb_array_length(l.prices),
                    l.search, c.search
             from license_types l, clubs c",
            &[],
        )
        .await?;
    assert_eq!(typed.get::<_, &str>(0), "{2026-06-05,2026-06-06}");
    let sayable = (typed.get::<_, &str>(1), typed.get::<_, i32>(2));
    assert_eq!(
        sayable,
        ("{100}", 2),
        "what never comes is shown and not calculated with"
    );
    assert_eq!((typed.get(3), typed.get(4)), ("bil båt boat", "nmk bodø"));
    Ok(())
}

#[tokio::test]
async fn an_empty_database_is_too_old() -> Result<()> {
    let database = Database::empty().await?;
    let error = check_schema(&database.pool()?).await.unwrap_err();
    assert!(matches!(error, SchemaError::Older { found: 0, .. }), "{error}");
    assert!(error.to_string().contains("migrate"), "{error}");
    assert!(!error.is_transient());
    Ok(())
}

#[tokio::test]
async fn a_database_of_a_later_build_is_refused() -> Result<()> {
    let database = Database::migrated().await?;
    database
        .client
        .batch_execute(
            "insert into refinery_schema_history
             select 9999, 'later', applied_on, checksum from refinery_schema_history where version = 1",
        )
        .await?;
    let error = check_schema(&database.pool()?).await.unwrap_err();
    assert!(matches!(error, SchemaError::Newer { found: 9999, .. }), "{error}");
    assert!(
        migrate(&database.url).await.is_err(),
        "nor does an older build migrate it"
    );
    Ok(())
}

#[tokio::test]
async fn a_migration_with_another_content_is_refused() -> Result<()> {
    let database = Database::migrated().await?;
    database
        .client
        .batch_execute("update refinery_schema_history set checksum = '1' where version = 1")
        .await?;
    let error = check_schema(&database.pool()?).await.unwrap_err();
    assert!(
        matches!(error, SchemaError::Divergent { version: 1, .. }),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_worth_waiting_for() -> Result<()> {
    let mut database = Database::empty().await?;
    database.url = "postgres://nobody@127.0.0.1:1/none".into();
    let error = check_schema(&database.pool()?).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    Ok(())
}

#[tokio::test]
async fn every_table_and_column_says_what_it_is() -> Result<()> {
    let database = Database::migrated().await?;
    let silent = database
        .client
        .query(
            "select c.relname || coalesce('.' || a.attname, '')
             from pg_class c
             cross join lateral (select null::name as attname, 0 as attnum
                                 union all select attname, attnum from pg_attribute
                                 where attrelid = c.oid and attnum > 0 and not attisdropped) a
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> 'refinery_schema_history'
               and col_description(c.oid, a.attnum) is null and not (a.attnum = 0 and obj_description(c.oid) is not null)",
            &[],
        )
        .await?;
    let silent: Vec<String> = silent.iter().map(|row| row.get(0)).collect();
    assert!(silent.is_empty(), "without a comment: {silent:?}");
    Ok(())
}

#[tokio::test]
async fn every_statement_prepares() -> Result<()> {
    let database = Database::migrated().await?;
    let mut prepared = 0;
    let mut waiting = vec![std::path::PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/sql"
    ))];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(path)? {
                waiting.push(entry?.path());
            }
            continue;
        }
        let sql = std::fs::read_to_string(&path)?;
        database
            .client
            .prepare(&sql)
            .await
            .map_err(|error| anyhow::anyhow!("{}: {error:?}", path.display()))?;
        let first = sql.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("-- ") && first.contains("inds"),
            "{}: first line",
            path.display()
        );
        prepared += 1;
    }
    assert!(prepared > 0);
    Ok(())
}

/// A value that no answer can express would fail every answer with that row.
#[tokio::test]
async fn no_table_lets_in_what_no_answer_can_say() -> Result<()> {
    let database = Database::migrated().await?;
    let client = &database.client;
    client.execute(include_str!("rows.sql"), &[&1]).await?;
    client
        .batch_execute(
            "insert into license_types (license_type_id, code, category, discipline, role, name_nb, name_en, created_at,
                                        updated_at, version, position)
             values (gen_random_uuid(), 'bil', 'test', 'bil', 'driver', 'Bil', 'Car', now(), now(), 1, 1)",
        )
        .await?;
    for change in [
        "orders set activity_to = '20266-01-01'",
        "orders set activity_from = '1800-01-01'",
        "orders set activity_to = 'infinity'",
        "orders set expires_at = 'infinity'",
        "licenses set activity_date = '20266-01-01'",
        "licenses set holder_birth_date = '-infinity'",
        "license_types set prices_ore = '{1}', prices_valid_from = '{20266-01-01T00:00:00Z}'",
        "license_types set prices_ore = '{1}', prices_valid_from = '{infinity}'",
        "license_types set prices_ore = '{1,2}', prices_valid_from = '{2026-01-01T00:00:00Z}'",
    ] {
        let refused = client
            .batch_execute(&format!("update {change}"))
            .await
            .unwrap_err();
        assert_eq!(
            refused.code().map(SqlState::code),
            Some("23514"),
            "{change}: {refused:?}"
        );
    }
    Ok(())
}
