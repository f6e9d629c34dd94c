//! The books after a fault: what customers were told, against the log, the stream, the read model, the provider's
//! payments and a replay of everything.
//!
//! A check does not panic but complains, so that a test of the checks can show that each of them would.

mod answers;
mod log;
mod payments;
mod rows;
mod stream;

use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use system_tests::{Shop, eventually_within};
use tokio_postgres::{Client, NoTls};

use crate::till::Purchase;

/// How long everything that goes on by itself may take to come to rest.
const REST: Duration = Duration::from_mins(2);

/// Waits until all purchases are fulfilled, their money collected, and rows and stream are where the log is.
pub(crate) async fn come_to_rest(shop: &Shop, purchases: &[Purchase]) {
    let log = connect(&shop.system.databases().events_reader).await;
    let expected = i64::try_from(purchases.len()).unwrap();
    let collected = "select count(*) from events where event_type = 'PaymentCaptured'";
    eventually_within(REST, "the money of all purchases is collected", async || {
        let count: i64 = log.query_one(collected, &[]).await.unwrap().get(0);
        (count >= expected).then_some(())
    })
    .await;
    let head: i64 = log
        .query_one("select position from log_head", &[])
        .await
        .unwrap()
        .get(0);
    let read = connect(&shop.system.databases().read_reader).await;
    eventually_within(REST, "the rows are at the head of the log", async || {
        let row = read.query_one("select position from checkpoints", &[]).await;
        (row.unwrap().get::<_, i64>(0) == head).then_some(())
    })
    .await;
    eventually_within(REST, "the stream is at the head of the log", async || {
        (stream::last(shop).await? == head.unsigned_abs()).then_some(())
    })
    .await;
}

/// Everything that is wrong, in words.
pub(crate) async fn complaints(shop: &Shop, purchases: &[Purchase]) -> Vec<String> {
    let mut complaints = complaints_of_ours(shop, purchases).await;
    complaints.extend(payments::complaints(shop, purchases).await);
    complaints
}

/// Everything that is wrong, but for what the payment provider knows.
pub(crate) async fn complaints_of_ours(shop: &Shop, purchases: &[Purchase]) -> Vec<String> {
    let mut complaints = log::complaints(shop, purchases).await;
    complaints.extend(stream::complaints(shop).await);
    complaints.extend(rows::complaints(shop, purchases).await);
    complaints.extend(rows::complaints_against_a_replay(shop).await);
    complaints.extend(answers::complaints(shop, purchases).await);
    complaints
}

/// Comes to rest, and holds that nothing is wrong.
pub(crate) async fn close(shop: &Shop, purchases: &[Purchase]) {
    come_to_rest(shop, purchases).await;
    let complaints = complaints(shop, purchases).await;
    let shown: Vec<_> = complaints.iter().take(20).collect();
    assert!(
        complaints.is_empty(),
        "{} complaints: {shown:#?}",
        complaints.len()
    );
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn pool(url: &str) -> Pool {
    let manager = Manager::new(url.parse().unwrap(), NoTls);
    Pool::builder(manager).max_size(2).build().unwrap()
}
