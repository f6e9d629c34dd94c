//! Captures never wait behind reads of unpaid orders, nor behind another provider.

use futures_util::future::join_all;
use serde_json::json;
use stack::Options;
use system_tests::{Shop, eventually};

use super::{held, orders_that_live_for, payment_where};

#[tokio::test]
async fn a_capture_goes_through_while_every_question_about_unpaid_orders_hangs() {
    let shop = Shop::open(orders_that_live_for(1)).await;
    shop.provider_faults(&json!({"hold": {"operation": "cancel", "before": "work"}}))
        .await;
    // Each read holds its place for ten seconds. In one lane with a hundred of them the capture would be too late.
    let orders = (0..100).map(|number| {
        let (shop, key) = (&shop, format!("unpaid-{number}"));
        async move { shop.place(&key, &shop.order_of(&key)).await.expect(201) }
    });
    join_all(orders).await;
    held(&shop, "cancel", 16).await;
    let placed = shop.place("paid", &shop.order_of("paid")).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id");
    payment_where(&shop, order_id, "captured", |payment| {
        payment["captured_ore"] == 42_000
    })
    .await;
    held(&shop, "cancel", 16).await;
    shop.provider_faults(&json!({})).await;
    shop.close().await;
}

/// More captures than the lane of a provider takes at once.
const MORE_THAN_A_LANE: usize = 110;

#[tokio::test]
async fn a_capture_at_one_provider_goes_through_while_every_capture_at_the_other_hangs() {
    let shop = Shop::open(Options::default()).await;
    shop.provider_faults(
        &json!({"rules": [{"fault": "answer_never", "provider": "nexi", "operation": "capture"}]}),
    )
    .await;
    let orders = (0..MORE_THAN_A_LANE).map(|number| {
        let (shop, key) = (&shop, format!("nexi-{number}"));
        async move {
            let mut order = shop.order_of(&key);
            order["payment_provider"] = json!("nexi");
            let placed = shop.place(&key, &order).await.expect(201);
            shop.at_provider(&placed, "approve").await.expect(200);
        }
    });
    join_all(orders).await;
    let waiting = async || shop.command_metric("bilsport_process_tasks{", "capture").await;
    eventually("the captures at Nexi hang", async || {
        waiting().await.filter(|count| *count >= 96.0)
    })
    .await;
    let placed = shop.place("vipps", &shop.order_of("vipps")).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id");
    super::order_where(&shop, order_id, "captured", |order| {
        order["payment"]["captured_ore"] == 42_000
    })
    .await;
    let still = waiting().await.unwrap_or_default();
    assert!(still >= 96.0, "{still} captures wait");
    shop.close().await;
}
