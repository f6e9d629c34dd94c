//! Metrics and their dashboard, logs, the request id that joins them, and health of the running system.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails says so by panicking"
)]

mod counters;
mod dashboard;
mod exposition;
mod health;
mod logs;
mod names;
mod prometheus;
mod request_ids;
mod rules;

use serde_json::Value;
use stack::Process;
use system_tests::sources::root;
use system_tests::{Answer, Shop};

/// One whole purchase, under a request id of the caller's: the answer to the order, once its licenses are issued.
async fn purchase(shop: &Shop, key: &str, request_id: &str, order: &Value) -> Answer {
    let url = format!("{}/api/v1/orders", shop.system.command_api_url());
    let request = shop
        .http()
        .post(url)
        .bearer_auth(&shop.tokens.customer)
        .header("Idempotency-Key", key)
        .header("X-Request-Id", request_id)
        .json(order);
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a body");
    let body = serde_json::from_str(&text).unwrap_or_default();
    let placed = Answer {
        status,
        headers,
        text,
        body,
    }
    .expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;
    placed
}

/// The log of a process, line by line.
fn log(shop: &Shop, process: Process) -> Vec<Value> {
    let path = shop.system.logs().join(format!("{process}.log"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // The last line may be half written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{process}: {error}: {line}")))
        .collect()
}
