//! What becomes of orders by their customers' and by staff's decisions, from the request to the provider's books.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod cancel;
mod refunds;
mod refused_refunds;

use serde_json::{Value, json};
use system_tests::books::connect;
use system_tests::{Answer, Shop, eventually};

/// Waits until the provider's books of the order satisfy the condition.
async fn payment_where(shop: &Shop, order_id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("the payment of {order_id} is {what}"), async || {
        let payment = shop.payment(order_id).await;
        fits(&payment).then_some(payment)
    })
    .await
}

/// Waits until the order, as staff reads it, satisfies the condition.
async fn order_where(shop: &Shop, order_id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("order {order_id} is {what}"), async || {
        let order = shop.get(&format!("/orders/{order_id}"), &shop.tokens.staff).await;
        fits(&order.body).then_some(order.body)
    })
    .await
}

/// Waits until the provider holds a request for that operation.
async fn held(shop: &Shop, operation: &str) {
    let url = format!("{}/emulator/calls", shop.system.payment_emulator_url());
    eventually(&format!("a {operation} is held"), async || {
        let calls: Value = shop.http().get(&url).send().await.ok()?.json().await.ok()?;
        (calls["held"][operation].as_u64()? > 0).then_some(())
    })
    .await;
}

fn hold(operation: &str, before: &str) -> Value {
    json!({"hold": {"operation": operation, "before": before}})
}

/// What the shop has of the payment, in øre: collected and not paid back, and reserved and not released.
fn held_money(payment: &Value) -> i64 {
    if payment["state"] != "AUTHORIZED" {
        return 0;
    }
    let ore = |name: &str| payment[name].as_i64().unwrap_or(0);
    ore("authorized_ore") - ore("cancelled_ore") - ore("refunded_ore")
}

async fn cancel(shop: &Shop, order_id: &str, token: &str, key: &str) -> Answer {
    let path = format!("/orders/{order_id}/cancel");
    shop.post(&path, token, key, &json!({})).await
}

async fn refund(shop: &Shop, order_id: &str, key: &str, body: &Value) -> Answer {
    let path = format!("/orders/{order_id}/refunds");
    shop.post(&path, &shop.tokens.staff, key, body).await
}

/// The names of an order's events.
async fn events(shop: &Shop, order_id: &str) -> Vec<String> {
    let log = connect(&shop.system.databases().events_reader).await;
    let sql = "select event_type from events where aggregate_type = 'order' and aggregate_id = $1::text::uuid
               order by sequence";
    let rows = log.query(sql, &[&order_id]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The status of each of the order's licenses, by line.
async fn license_statuses(shop: &Shop, order_id: &str) -> Vec<String> {
    let mut licenses = shop.licenses_of(order_id).await;
    licenses.sort_by_key(|license| license["line"].as_u64());
    let status = |license: &Value| license["status"].as_str().unwrap_or_default().to_owned();
    licenses.iter().map(status).collect()
}

/// Waits until no task of these kinds is left.
async fn no_tasks(shop: &Shop, kinds: &[&str]) {
    let log = connect(&shop.system.databases().events_owner).await;
    eventually(&format!("no {kinds:?} task is left"), async || {
        let sql = "select count(*) from process_tasks where kind = any($1)";
        let left: i64 = log.query_one(sql, &[&kinds]).await.unwrap().get(0);
        (left == 0).then_some(())
    })
    .await;
}
