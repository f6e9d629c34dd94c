//! A retry under an order's key gets the first answer while the order can be paid or has a license, and its status after.

use serde_json::{Value, json};
use stack::Options;
use system_tests::{Answer, Shop};

use super::{bought, log, orders_that_live_for, portal};

/// Asserts the answer to a retry of an order that has ended.
async fn over(shop: &Shop, key: &str, first: &Answer, status: &str) {
    let again = shop.place(key, &shop.order_of(key)).await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.text_at("/status"), status);
    assert_eq!(
        again.body["payment"],
        json!({"provider": "vipps", "redirect_url": Value::Null})
    );
    for same in ["order_id", "order_number", "total_ore", "currency"] {
        assert_eq!(again.body[same], first.body[same]);
    }
    let read = shop
        .get(
            &format!(
                "/orders/{}?min_position={}",
                first.text_at("/order_id"),
                again.position()
            ),
            &shop.tokens.customer,
        )
        .await
        .expect(200);
    assert_eq!(
        (&read.body["status"], &read.body["version"]),
        (&again.body["status"], &again.body["version"])
    );
}

async fn same(shop: &Shop, key: &str, first: &Answer) {
    let again = shop.place(key, &shop.order_of(key)).await.expect(201);
    assert_eq!(
        (&again.text, again.header("idempotency-replayed")),
        (&first.text, Some("true"))
    );
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_while_it_leads_to_a_license() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("a", &shop.order_of("a")).await.expect(201);
    same(&shop, "a", &placed).await;
    let (order_id, placed) = bought(&shop, "b").await;
    same(&shop, "b", &placed).await;
    portal(&shop, &order_id, "refund", &json!({})).await;
    shop.order_with_status(&order_id, "refunded").await;
    over(&shop, "b", &placed, "refunded").await;
    let other = shop.place("b", &json!({})).await;
    assert!(other.status.is_client_error(), "{}", other.text);
    shop.close().await;
}

#[tokio::test]
async fn a_retry_after_the_end_says_how_the_order_ended() {
    let shop = Shop::open(orders_that_live_for(2)).await;
    let declined = shop.place("a", &shop.order_of("a")).await.expect(201);
    shop.at_provider(&declined, "decline").await.expect(200);
    shop.order_with_status(declined.text_at("/order_id"), "cancelled")
        .await;
    over(&shop, "a", &declined, "cancelled").await;
    let expired = shop.place("b", &shop.order_of("b")).await.expect(201);
    shop.order_with_status(expired.text_at("/order_id"), "expired")
        .await;
    over(&shop, "b", &expired, "expired").await;
    shop.close().await;
}

#[tokio::test]
async fn an_order_is_told_once_of_what_its_payment_became() {
    let shop = Shop::open(Options::default()).await;
    shop.provider_faults(&json!({"webhooks": "duplicate"})).await;
    let (order_id, _) = bought(&shop, "k").await;
    super::payment_where(&shop, &order_id, "told to the end", |payment| {
        payment["webhooks_pending"] == 0
    })
    .await;
    // One command for the approval and one for the capture; a command without events is not sent.
    let told =
        "select count(*) from commands where scope = 'process:payment' and idempotency_key like $1 || ':%'";
    let told: i64 = log(&shop)
        .await
        .query_one(told, &[&order_id])
        .await
        .unwrap()
        .get(0);
    assert_eq!(told, 2);
    shop.close().await;
}
