//! Money that moves in the provider's portal is detected and recorded, and a full refund ends the order.

use serde_json::json;
use stack::{Options, Process};
use system_tests::{Shop, eventually};

use super::{bought, events, order_where, portal};

async fn noticed(shop: &Shop) {
    let (order_id, _) = bought(shop, "k").await;
    portal(shop, &order_id, "refund", &json!({"amount_ore": 2_000})).await;
    let order = order_where(shop, &order_id, "partly back", |order| {
        order["payment"]["refunded_ore"] == 2_000
    })
    .await;
    assert_eq!(order["status"], "fulfilled");
    assert_eq!(shop.licenses_of(&order_id).await[0]["status"], "issued");
    portal(shop, &order_id, "refund", &json!({})).await;
    let order = shop.order_with_status(&order_id, "refunded").await;
    assert_eq!(order["payment"]["refunded_ore"], 42_000);
    eventually("the license is revoked", async || {
        (shop.licenses_of(&order_id).await[0]["status"] == "revoked").then_some(())
    })
    .await;
    let events = events(shop, &order_id).await;
    let last: Vec<&str> = events.iter().map(String::as_str).skip(5).collect();
    assert_eq!(last, ["PaymentReconciled", "PaymentReconciled", "OrderRefunded"]);
}

#[tokio::test]
async fn a_refund_in_the_portal_is_noticed_by_its_webhook() {
    let shop = Shop::open(Options::default()).await;
    noticed(&shop).await;
    shop.close().await;
}

#[tokio::test]
async fn a_refund_in_the_portal_is_noticed_without_a_webhook() {
    let options = Options {
        env: vec![(Process::CommandApi, "RECONCILE_AFTER_S".into(), "1".into())],
        ..Options::default()
    };
    let shop = Shop::open(options).await;
    let (order_id, _) = bought(&shop, "k").await;
    shop.provider_faults(&json!({"webhooks": "drop"})).await;
    portal(&shop, &order_id, "refund", &json!({"amount_ore": 2_000})).await;
    order_where(&shop, &order_id, "partly back", |order| {
        order["payment"]["refunded_ore"] == 2_000
    })
    .await;
    shop.close().await;
}

#[tokio::test]
async fn what_the_portal_collects_first_is_the_orders_capture() {
    let shop = Shop::open(Options::default()).await;
    shop.provider_faults(&json!({"hold": {"operation": "capture", "before": "work"}}))
        .await;
    let placed = shop.place("k", &shop.order_of("k")).await.expect(201);
    let order_id = placed.text_at("/order_id");
    shop.at_provider(&placed, "approve").await.expect(200);
    super::held(&shop, "capture", 1).await;
    portal(&shop, order_id, "capture", &json!({})).await;
    order_where(&shop, order_id, "captured", |order| {
        order["payment"]["captured_ore"] == 42_000
    })
    .await;
    shop.provider_faults(&json!({})).await;
    let payment = shop.payment(order_id).await;
    assert_eq!(
        (&payment["captures"], &payment["captured_ore"]),
        (&json!(1), &json!(42_000))
    );
    shop.close().await;
}
