//! How the programs commit: a trigger records the settings of each session that writes.

use std::collections::BTreeSet;

use event_bus::metrics::{PUBLISH_SECONDS, PUBLISHED};
use stack::Options;
use system_tests::Shop;
use system_tests::books::{come_to_rest, connect};
use system_tests::purchase::Sales;
use tokio_postgres::Client;

use crate::sell;

/// Customers at once.
const CROWD: usize = 60;

async fn shop_at_rest() -> Shop {
    let shop = Shop::open(Options::default()).await;
    come_to_rest(&shop, &Sales::default()).await;
    shop
}

/// Starts recording writes to a database; returns a session on it.
async fn watch(url: &str) -> Client {
    let client = connect(url).await;
    let notes = include_str!("watch_commits.sql");
    client.batch_execute(notes).await.unwrap();
    let watches = include_str!("list_watches.sql");
    for watch in client.query(watches, &[]).await.unwrap() {
        client.batch_execute(watch.get(0)).await.unwrap();
    }
    client
}

/// The tables that were written to, and the settings of the sessions that did.
async fn seen(client: &Client, what: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let seen = format!("select relation, {what} from commits_seen");
    let rows = client.query(&seen, &[]).await.unwrap();
    rows.iter()
        .map(|row| (row.get::<_, String>(0), row.get::<_, String>(1)))
        .unzip()
}

fn assert_among(tables: &BTreeSet<String>, expected: &[&str]) {
    for table in expected {
        assert!(tables.contains(*table), "{table} is not among {tables:?}");
    }
}

#[tokio::test]
async fn only_rows_and_tasks_commit_without_waiting_for_the_disk() {
    let shop = shop_at_rest().await;
    let databases = shop.system.databases();
    let (events, read) = (
        watch(&databases.events_owner).await,
        watch(&databases.read_owner).await,
    );
    sell(&shop, 2).await;

    let (tables, sessions) = seen(&read, "application || ': ' || waits").await;
    assert_among(&tables, &["orders", "licenses", "checkpoints"]);
    assert_eq!(sessions, ["projector: off".to_owned()].into());
    let waits = "case when relation like 'process%' or relation like 'inbox%' then 'process' else 'log' end || ': ' || waits";
    let (tables, waits) = seen(&events, waits).await;
    assert_among(
        &tables,
        &[
            "log_head",
            "events",
            "commands",
            "process_checkpoints",
            "process_tasks",
        ],
    );
    assert_eq!(waits, ["log: on".to_owned(), "process: off".to_owned()].into());
    shop.close().await;
}

#[tokio::test]
async fn what_comes_at_once_is_published_and_planned_together() {
    let shop = shop_at_rest().await;
    let events = watch(&shop.system.databases().events_owner).await;
    let count = async |name: &str| shop.command_metric(name, "command-api").await.unwrap_or(0.0);
    let batches = format!("{PUBLISH_SECONDS}_count");
    let before = (count(PUBLISHED).await, count(&batches).await);
    sell(&shop, CROWD).await;

    let (published, batches) = (
        count(PUBLISHED).await - before.0,
        count(&batches).await - before.1,
    );
    assert!(
        batches > 0.0 && batches < published,
        "{published} events in {batches} batches"
    );
    let plans =
        "select count(distinct transaction)::float8 from commits_seen where relation = 'process_checkpoints'";
    let plans: f64 = events.query_one(plans, &[]).await.unwrap().get(0);
    assert!(
        plans > 0.0 && plans < published,
        "{published} events in {plans} plans"
    );
    shop.close().await;
}
