//! Every statement of the crate is valid on the tables it is for.

use std::fs;
use std::path::Path;

use service::postgres::PoolOptions;

use crate::balances::BALANCES;
use crate::bank::Bank;

/// Statements that read the log.
const OF_THE_LOG: &[&str] = &["count_positions.sql", "find_"];

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let rows = bank.pool(&BALANCES).get().await.unwrap();
    let events = &bank.databases.events_reader;
    let events = service::postgres::pool(events, &PoolOptions::default(), "bank test").unwrap();
    let log = events.get().await.unwrap();
    let mut prepared = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let sql = fs::read_to_string(&path).unwrap();
        let of_the_log = OF_THE_LOG.iter().any(|start| name.starts_with(start));
        let client = if of_the_log { &log } else { &rows };
        let statement = client
            .prepare(&sql)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let first = sql.lines().next().unwrap();
        let says = if statement.params().is_empty() {
            "No binds."
        } else {
            "Binds: $1 "
        };
        assert!(first.contains(says), "{name} does not list its binds: {first}");
        prepared += 1;
    }
    assert!(prepared > 20, "prepared only {prepared}");
}
