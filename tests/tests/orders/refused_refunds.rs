//! A refund that the provider refuses ends in a stated state, which staff see and can leave in two ways.

use serde_json::{Value, json};
use stack::Options;
use system_tests::{Shop, books, eventually};

use super::{events, held_money, license_statuses, no_tasks, order_where, refund};

async fn bought(shop: &Shop, key: &str) -> String {
    let placed = shop.place(key, &shop.order_of(key)).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id").to_owned();
    order_where(shop, &order_id, "collected", |order| {
        order["payment"]["captured_ore"] == 42_000
    })
    .await;
    order_id
}

async fn failed_orders(shop: &Shop) -> Vec<Value> {
    let page = shop
        .get("/orders?refund_state=failed", &shop.tokens.staff)
        .await
        .expect(200);
    page.body["items"].as_array().cloned().unwrap()
}

#[tokio::test]
async fn a_refused_refund_is_stated_and_ends_by_a_retry_or_in_the_portal() {
    let shop = Shop::open(Options::default()).await;
    let because = json!({"reason": "Løpet er avlyst"});
    let orders = [bought(&shop, "retry").await, bought(&shop, "portal").await];
    shop.provider_faults(&json!({"rules": [{"fault": {"refuse": 400}, "operation": "refund"}]}))
        .await;
    for (n, order_id) in orders.iter().enumerate() {
        refund(&shop, order_id, &format!("r-{n}"), &because)
            .await
            .expect(202);
    }
    for order_id in &orders {
        let order = order_where(&shop, order_id, "known to have failed", |order| {
            order["payment"]["refund_state"] == "failed"
        })
        .await;
        assert_eq!(
            (&order["status"], &order["refunds"][0]["state"]),
            (&json!("refund_pending"), &json!("failed"))
        );
        assert_eq!(
            license_statuses(&shop, order_id).await,
            ["revoked"],
            "without the money too"
        );
        assert_eq!(held_money(&shop.payment(order_id).await), 42_000);
    }
    // Nothing goes on in the background, and staff see both.
    no_tasks(&shop, &["refund"]).await;
    assert_eq!(failed_orders(&shop).await.len(), 2);
    let failures = shop
        .command_metric("bilsport_payments_refund_failures_total", "refused")
        .await;
    assert_eq!(failures, Some(2.0));

    shop.provider_faults(&json!({})).await;
    let retried = refund(&shop, &orders[0], "again", &because).await.expect(202);
    assert_eq!(retried.text_at("/refund_state"), "pending");
    let portal = format!(
        "{}/portal/{}/refund",
        shop.system.payment_emulator_url(),
        orders[1]
    );
    let pressed = shop.http().post(portal).json(&json!({})).send().await.unwrap();
    assert_eq!(pressed.status(), 200);
    for (order_id, last) in orders.iter().zip(["RefundRetried", "RefundFailed"]) {
        shop.order_with_status(order_id, "refunded").await;
        let payment = shop.payment(order_id).await;
        assert_eq!(
            (held_money(&payment), &payment["refunds"]),
            (0, &json!(1)),
            "{payment}"
        );
        let events = events(&shop, order_id).await;
        let [.., before, end] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(
            (before.as_str(), end.as_str()),
            (last, "OrderRefunded"),
            "{events:?}"
        );
    }
    eventually("none has failed any more", async || {
        failed_orders(&shop).await.is_empty().then_some(())
    })
    .await;
    books::verify(&shop).await;
    shop.close().await;
}
