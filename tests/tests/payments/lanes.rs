//! Captures never wait behind reads of unpaid orders.

use futures_util::future::join_all;
use serde_json::json;
use system_tests::Shop;

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
