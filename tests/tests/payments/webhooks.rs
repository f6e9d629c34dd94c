//! Repeated webhooks are applied once, remembered, and cheap from then on.

use futures_util::future::join_all;
use payments::vipps::webhook::{self, AUTHORIZATION_HEADER, CONTENT_HASH_HEADER, DATE_HEADER};
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::Shop;

use super::{bought, calls, payment_where, secret};

const DATE: &str = "Thu, 30 Mar 2023 08:38:32 GMT";

fn told(order_id: &str, psp_reference: &str) -> Value {
    json!({
        "msn": "123456", "reference": order_id, "pspReference": psp_reference, "name": "CAPTURED",
        "amount": {"currency": "NOK", "value": 1}, "timestamp": "2026-01-01T00:00:00Z", "success": true,
    })
}

/// Sends a webhook as the provider does; its status.
async fn deliver(shop: &Shop, secret: &str, event: &Value) -> u16 {
    let url = format!("{}/api/v1/webhooks/vipps", shop.system.command_api_url());
    let host = webhook::host_of(&url).unwrap();
    let body = event.to_string();
    let signed = webhook::sign(
        secret,
        "POST",
        "/api/v1/webhooks/vipps",
        &host,
        DATE,
        body.as_bytes(),
    );
    let request = shop
        .http()
        .post(&url)
        .header("content-type", "application/json")
        .header(DATE_HEADER, DATE)
        .header(CONTENT_HASH_HEADER, signed.content_hash)
        .header(AUTHORIZATION_HEADER, signed.authorization)
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

/// The id of a bought order whose webhooks are all delivered.
async fn bought_and_delivered(shop: &Shop) -> String {
    let (order_id, _) = bought(shop, "k").await;
    payment_where(shop, &order_id, "all webhooks delivered", |payment| {
        payment["webhooks_pending"] == 0
    })
    .await;
    order_id
}

#[tokio::test]
async fn a_storm_of_a_thousand_replays_asks_the_provider_nothing() {
    let shop = Shop::open(Options::default()).await;
    let secret = secret(&shop, "VIPPS_WEBHOOK_SECRET_FILE");
    let order_id = bought_and_delivered(&shop).await;

    // A hundred copies at once cause one read at the provider.
    let asked = calls(&shop, "total", "get").await;
    let event = told(&order_id, "storm");
    let copies = join_all((0..100).map(|_| deliver(&shop, &secret, &event))).await;
    assert_eq!(copies, [200; 100]);
    assert_eq!(calls(&shop, "total", "get").await, asked + 1);

    // The next process remembers applied webhooks, too.
    shop.system.kill(Process::CommandApi).await.unwrap();
    shop.system.wait_ready(Process::CommandApi).await.unwrap();
    let commands = "select count(*) from commands";
    let log = super::log(&shop).await;
    let before: i64 = log.query_one(commands, &[]).await.unwrap().get(0);
    let asked = calls(&shop, "total", "get").await;
    let replays = join_all((0..1000).map(|_| deliver(&shop, &secret, &event))).await;
    assert_eq!(replays, [200; 1000]);
    assert_eq!(calls(&shop, "total", "get").await, asked);
    let after: i64 = log.query_one(commands, &[]).await.unwrap().get(0);
    assert_eq!(after, before);
    let replayed = shop
        .command_metric("bilsport_payments_webhooks_total", "replayed")
        .await;
    assert_eq!(replayed, Some(1000.0));
    shop.close().await;
}

#[tokio::test]
async fn a_webhook_that_could_not_be_applied_is_not_remembered() {
    let shop = Shop::open(Options::default()).await;
    let secret = secret(&shop, "VIPPS_WEBHOOK_SECRET_FILE");
    let order_id = bought_and_delivered(&shop).await;
    let event = told(&order_id, "late");
    shop.provider_faults(&json!({"api": "unavailable"})).await;
    assert_eq!(deliver(&shop, &secret, &event).await, 503);
    shop.provider_faults(&json!({})).await;
    let asked = calls(&shop, "total", "get").await;
    assert_eq!(deliver(&shop, &secret, &event).await, 200);
    assert_eq!(calls(&shop, "total", "get").await, asked + 1);
    assert_eq!(deliver(&shop, "not the secret", &event).await, 401);
    shop.close().await;
}

/// The provider has created the payment, and the customer pays before the provider's answer arrives.
#[tokio::test]
async fn a_webhook_before_the_redirect_pays_the_order_and_late_ones_change_nothing() {
    let shop = Shop::open(Options::default()).await;
    let secret = secret(&shop, "VIPPS_WEBHOOK_SECRET_FILE");
    shop.provider_faults(&json!({"hold": {"operation": "create", "before": "answer"}}))
        .await;
    let order = shop.order();
    let paying = async {
        super::held(&shop, "create", 1).await;
        let placed = "select aggregate_id::text from events where event_type = 'OrderPlaced'";
        let order_id: String = super::log(&shop)
            .await
            .query_one(placed, &[])
            .await
            .unwrap()
            .get(0);
        let url = format!("{}/pay/{order_id}/approve", shop.system.payment_emulator_url());
        let approval = shop.http().post(url).header("Accept", "application/json");
        assert_eq!(approval.send().await.unwrap().status(), 200);
        shop.order_with_status(&order_id, "fulfilled").await;
        shop.provider_faults(&json!({})).await;
        order_id
    };
    let (placed, order_id) = tokio::join!(shop.place("k", &order), paying);
    let placed = placed.expect(201);
    assert_eq!(placed.text_at("/order_id"), order_id);
    assert!(
        ["paid", "fulfilled"].contains(&placed.text_at("/status")),
        "{}",
        placed.text
    );
    payment_where(&shop, &order_id, "captured", |payment| {
        payment["captured_ore"] == 42_000
    })
    .await;
    super::order_where(&shop, &order_id, "captured", |order| {
        order["payment"]["captured_ore"] == 42_000
    })
    .await;

    let before = super::events(&shop, &order_id).await;
    for (number, name) in [
        "CREATED",
        "AUTHORIZED",
        "ABORTED",
        "EXPIRED",
        "TERMINATED",
        "CANCELLED",
        "NEWER",
    ]
    .iter()
    .enumerate()
    {
        let mut late = told(&order_id, &format!("late-{number}"));
        late["name"] = json!(name);
        assert_eq!(deliver(&shop, &secret, &late).await, 200);
    }
    assert_eq!(super::events(&shop, &order_id).await, before);
    assert_eq!(shop.licenses_of(&order_id).await.len(), 1);
    shop.close().await;
}
