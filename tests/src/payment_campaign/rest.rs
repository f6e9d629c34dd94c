//! Until nothing is under way: what the process managers still have to do ends by itself, and what waits for a person is
//! decided by staff.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use stack::Process;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use uuid::Uuid;

use super::customers::instance;
use crate::Shop;
use crate::books::connect;

/// Tasks at rest are those that look again later. What moved in the portal without a webhook is found by `reconcile` at the end,
/// so looks at collected payments (`reconcile`) are not waited for.
const UNDER_WAY: &str = "
    select coalesce(string_agg(kind || ' ' || n, ', ' order by kind), '') from (
        select kind, count(*) as n from process_tasks
        where process = 'orders' and (
            kind ~ '^(fulfill|capture|refund|revoke)'
            or (kind ~ '^settle' and (due_at < now() + interval '45 seconds' or leased_until > now()))
            or (kind not in ('resolve') and kind !~ '^(fulfill|capture|refund|revoke|settle|reconcile)'
                and due_at < now() + interval '5 seconds'))
        group by kind) open_tasks";
/// Orders whose money can't be collected, and about which nothing was decided.
const UNDECIDED: &str =
    "select aggregate_id from process_tasks where process = 'orders' and kind = 'resolve'";
/// Orders whose refund the shop has stopped trying.
const REFUSED: &str = "
    select distinct on (aggregate_id) aggregate_id, event_type from events
    where aggregate_type = 'order' and event_type in ('RefundFailed', 'RefundRetried', 'LinesRefunded', 'OrderRefunded')
    order by aggregate_id, sequence desc";

/// Waits, and decides as staff does, until nothing is under way.
pub(super) async fn come_to_rest(shop: &Shop, patience: Duration) -> anyhow::Result<()> {
    let log = connect(&shop.system.databases().events_reader).await;
    let deadline = Instant::now() + patience;
    let mut round = 0;
    loop {
        let decided = decide(shop, &log, round).await?;
        let open: String = log.query_one(UNDER_WAY, &[]).await?.get(0);
        if decided == 0 && open.is_empty() && planned(&log).await? {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "under way: {open}; {decided} were decided just now"
        );
        round += 1;
        sleep(Duration::from_millis(500)).await;
    }
}

/// Whether the planner has read the whole log.
async fn planned(log: &Client) -> anyhow::Result<bool> {
    let lag = "select (select position from log_head)
        - coalesce((select position from process_checkpoints where process = 'orders'), 0)";
    Ok(log.query_one(lag, &[]).await?.get::<_, i64>(0) == 0)
}

/// Staff revokes licenses whose money can't be collected, and tries refunds again that the provider refused.
async fn decide(shop: &Shop, log: &Client, round: usize) -> anyhow::Result<usize> {
    let mut decided = 0;
    for row in log.query(UNDECIDED, &[]).await? {
        let order_id: Uuid = row.get(0);
        let body = json!({"action": "revoke", "reason": "no money"});
        decided += usize::from(say(shop, order_id, "capture-resolution", round, &body).await?);
    }
    for row in log.query(REFUSED, &[]).await? {
        let (order_id, last): (Uuid, String) = (row.get(0), row.get(1));
        if last == "RefundFailed" {
            let body = json!({"reason": "try again"});
            decided += usize::from(say(shop, order_id, "refunds", round, &body).await?);
        }
    }
    Ok(decided)
}

/// Whether staff's command was accepted. A state that has changed meanwhile refuses it.
async fn say(shop: &Shop, order_id: Uuid, command: &str, round: usize, body: &Value) -> anyhow::Result<bool> {
    let request = shop
        .http()
        .post(format!(
            "{}/api/v1/orders/{order_id}/{command}",
            instance(shop, round)
        ))
        .bearer_auth(&shop.tokens.staff)
        .header("Idempotency-Key", format!("{command}-{order_id}-{round}"))
        .json(body);
    let answer = crate::answer(request).await?;
    ensure!(
        answer.status.is_success() || answer.status.as_u16() == 409,
        "{command} of {order_id}: {} {}",
        answer.status,
        answer.text
    );
    Ok(answer.status.is_success())
}

/// `command-api reconcile --json`: its exit code and its report.
pub(super) async fn reconcile(shop: &Shop) -> anyhow::Result<(Option<i32>, Value)> {
    let mut command = shop
        .system
        .command(Process::CommandApi, &["reconcile", "--json"])?;
    let output = command.output().await.context("command-api reconcile")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&said)
        .unwrap_or_else(|_| json!({"said": said, "error": String::from_utf8_lossy(&output.stderr)}));
    Ok((output.status.code(), report))
}
