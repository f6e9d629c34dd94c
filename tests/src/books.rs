//! Audits the books after faults: the answers that customers got, against the log, the stream, the read model, the
//! provider's payments, the log's seals and a replay of everything.
//!
//! A check returns complaints and does not panic, so that another test can show that each check finds its fault.

mod answers;
pub mod claims;
pub(crate) mod log;
mod payments;
mod proof;
mod receipts;
mod rows;
pub(crate) mod stream;

use std::time::{Duration, Instant};

use connect::Database;
use serde_json::Value;
use tokio_postgres::Client;

use crate::purchase::Sales;
use crate::{PATIENCE, Shop, eventually_within};

/// How long all background work may take to finish.
const REST: Duration = Duration::from_mins(2);

/// Whether each letter has its end: the planner has read every event that asks for one, and no task of one is open.
const LETTERS_DONE: &str = "
    select not exists (select from process_tasks where process = 'orders' and kind = 'letter')
        and (select coalesce(max(position), 0) from events where event_type in ('OrderFulfilled', 'ReceiptIssued'))
            <= coalesce((select position from process_checkpoints where process = 'orders'), 0)";

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Audit {
    /// Everything that is wrong, in words.
    pub complaints: Vec<String>,
    /// Acknowledged orders that are not in the log.
    pub lost: usize,
    /// Keys with more than one order in the log.
    pub doubled: usize,
    /// Orders in the log whose customers gave up before an answer came.
    pub abandoned_in_log: usize,
    /// Events in the log.
    pub events: usize,
    /// What `projector verify --json` said.
    pub verify: Value,
    /// What `command-api log verify --json` said.
    pub seals: Value,
}

/// Waits until all purchases are fulfilled, their money is collected, their letters have an end, and rows and stream are at the
/// log's head.
pub async fn come_to_rest(shop: &Shop, sales: &Sales) {
    let log = connect(&shop.system.databases().events_reader).await;
    let expected = i64::try_from(sales.purchases.len()).unwrap();
    let collected = "select count(*) from events where event_type = 'PaymentCaptured'";
    eventually_within(REST, "the money of all purchases is collected", async || {
        let count: i64 = log.query_one(collected, &[]).await.unwrap().get(0);
        (count >= expected).then_some(())
    })
    .await;
    eventually_within(REST, "what was collected has receipts", async || {
        let row = log.query_one(receipts::ISSUED_OF_DUE, &[]).await.unwrap();
        (row.get::<_, i64>(0) >= row.get::<_, i64>(1)).then_some(())
    })
    .await;
    eventually_within(REST, "each letter has its end", async || {
        let done: bool = log.query_one(LETTERS_DONE, &[]).await.unwrap().get(0);
        done.then_some(())
    })
    .await;
    at_the_head(shop).await;
}

/// Waits until rows and stream are at the log's head, and asserts that `projector verify` finds nothing.
pub async fn verify(shop: &Shop) {
    at_the_head(shop).await;
    let complaints = proof::verify(shop).await.complaints;
    assert!(complaints.is_empty(), "{complaints:#?}");
}

async fn at_the_head(shop: &Shop) {
    let log = connect(&shop.system.databases().events_reader).await;
    let read = connect(&shop.system.databases().read_reader).await;
    let position = async |client: &Client, sql| -> i64 { client.query_one(sql, &[]).await.unwrap().get(0) };
    eventually_within(REST, "rows and stream are at the head of the log", async || {
        let head = position(&log, "select position from log_head").await;
        let rows = position(&read, "select position from checkpoints").await;
        let sums = position(&read, "select position from reports.checkpoints").await;
        let stream = stream::last(shop).await?;
        (rows == head && sums == head && stream == head.unsigned_abs()).then_some(())
    })
    .await;
}

/// Runs all checks.
pub async fn audit(shop: &Shop, sales: &Sales) -> Audit {
    let Sales { purchases, .. } = sales;
    let log = connect(&shop.system.databases().events_reader).await;
    let found = log::look(&log, sales).await;
    let mut complaints = found.complaints;
    complaints.extend(claims::complaints(&log).await);
    complaints.extend(receipts::complaints(&log).await);
    complaints.extend(stream::complaints(shop).await);
    complaints.extend(rows::complaints(shop, purchases, &found.abandoned).await);
    complaints.extend(payments::complaints(shop, purchases, &found.abandoned).await);
    complaints.extend(answers::complaints(shop, purchases).await);
    let (verify, seals) = (proof::verify(shop).await, proof::verify_seals(shop).await);
    complaints.extend(verify.complaints);
    complaints.extend(seals.complaints);
    Audit {
        complaints,
        lost: found.lost,
        doubled: found.doubled,
        abandoned_in_log: found.abandoned.len(),
        events: found.events,
        verify: verify.said,
        seals: seals.said,
    }
}

/// All complaints except those about the provider's payments and the seals. For a restored log, which holds less than
/// both.
pub async fn complaints_of_ours(shop: &Shop, sales: &Sales) -> Vec<String> {
    let log = connect(&shop.system.databases().events_reader).await;
    let found = log::look(&log, sales).await;
    let mut complaints = found.complaints;
    complaints.extend(stream::complaints(shop).await);
    complaints.extend(rows::complaints(shop, &sales.purchases, &found.abandoned).await);
    complaints.extend(answers::complaints(shop, &sales.purchases).await);
    complaints.extend(proof::verify(shop).await.complaints);
    complaints
}

/// Waits for rest, and asserts that there is no complaint.
pub async fn close(shop: &Shop, sales: &Sales) {
    come_to_rest(shop, sales).await;
    let Audit { complaints, .. } = audit(shop, sales).await;
    let shown: Vec<_> = complaints.iter().take(20).collect();
    assert!(
        complaints.is_empty(),
        "{} complaints: {shown:#?}",
        complaints.len()
    );
}

/// Waits until the rows are at the log's head, and asserts that they equal a replay.
pub async fn rows_equal_a_replay(shop: &Shop) {
    let log = connect(&shop.system.databases().events_reader).await;
    let read = connect(&shop.system.databases().read_reader).await;
    let position = async |client: &Client, sql| -> i64 { client.query_one(sql, &[]).await.unwrap().get(0) };
    eventually_within(REST, "rows are at the head of the log", async || {
        let head = position(&log, "select position from log_head").await;
        let rows = position(&read, "select position from checkpoints").await;
        let sums = position(&read, "select position from reports.checkpoints").await;
        (rows == head && sums == head).then_some(())
    })
    .await;
    let complaints = proof::verify(shop).await.complaints;
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// What the system's own proofs complain about, once everything had the time to follow.
pub async fn proofs(shop: &Shop) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (rows, seals) = (proof::verify(shop).await, proof::verify_seals(shop).await);
        let complaints = [rows.complaints, seals.complaints].concat();
        if complaints.is_empty() || Instant::now() > deadline {
            return complaints;
        }
    }
}

/// A session of its own on a database.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = Database::parse(url).unwrap().connect().await.unwrap();
    tokio::spawn(connection);
    client
}
