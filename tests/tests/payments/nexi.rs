//! Orders that are paid through Nexi, whose payments have ids of their own and whose `create` is not idempotent.

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::purchase::send;
use system_tests::{Answer, PATIENCE, Shop, answer, eventually};

use super::{order_where, secret};

/// An order of Nexi's.
fn order_of(shop: &Shop, key: &str) -> Value {
    let mut order = shop.order_of(key);
    order["payment_provider"] = json!("nexi");
    order
}

/// Every payment of an order at the provider, oldest first.
async fn payments_of(shop: &Shop, order_id: &str) -> Vec<Value> {
    let url = format!(
        "{}/emulator/orders/{order_id}",
        shop.system.payment_emulator_url()
    );
    let found = answer(shop.http().get(url)).await.unwrap();
    found.body["payments"].as_array().cloned().unwrap()
}

async fn captured(shop: &Shop, order_id: &str) {
    order_where(shop, order_id, "captured", |order| {
        order["payment"]["captured_ore"] == 42_000
    })
    .await;
}

#[tokio::test]
async fn a_purchase_through_nexi_is_paid_once_and_its_status_is_shown_after_the_return() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("k", &order_of(&shop, "k")).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    let page = placed.text_at("/payment/redirect_url").to_owned();
    // As a browser: the provider sends it back to the shop.
    let approve = shop
        .http()
        .post(format!("{page}/approve"))
        .header("Accept", "text/html");
    let back = approve.send().await.unwrap().url().clone();
    captured(&shop, &order_id).await;
    let token = back
        .query_pairs()
        .find(|(name, _)| name == "t")
        .expect("a capability")
        .1;
    let status = format!("/orders/{order_id}/return-status?t={token}");
    let shown = shop.get(&status, "").await.expect(200);
    assert_eq!(
        (&shown.body["status"], &shown.body["total_ore"]),
        (&json!("fulfilled"), &json!(42_000)),
        "{}",
        shown.text
    );
    assert_eq!(shown.body.as_object().unwrap().len(), 3, "{}", shown.text);
    let [payment] = payments_of(&shop, &order_id).await.try_into().unwrap();
    assert_eq!(
        (&payment["captures"], &payment["captured_ore"]),
        (&json!(1), &json!(42_000))
    );
    assert_ne!(payment["payment_id"], order_id.as_str());
    shop.close().await;
}

#[tokio::test]
async fn a_payment_whose_creation_was_never_answered_is_shown_to_nobody() {
    let shop = Shop::open(Options::default()).await;
    shop.provider_faults(
        &json!({"rules": [{"fault": "answer_lost", "provider": "nexi", "operation": "create", "next": 1}]}),
    )
    .await;
    let order = order_of(&shop, "k");
    shop.place("k", &order).await.expect(503);
    let placed = shop.place("k", &order).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.at_provider(&placed, "approve").await.expect(200);
    captured(&shop, &order_id).await;
    let payments = payments_of(&shop, &order_id).await;
    let captures: Vec<_> = payments.iter().map(|payment| &payment["captured_ore"]).collect();
    assert_eq!(captures, [0, 42_000], "{payments:#?}");
    // Another answer of the same request shows the same page.
    let again = shop.place("k", &order).await.expect(201);
    assert_eq!(again.text, placed.text);
    shop.close().await;
}

#[tokio::test]
async fn of_two_instances_that_start_a_payment_at_once_one_wins_and_the_other_payment_ends() {
    let options = Options {
        second_command_api: true,
        ..Options::default()
    };
    let shop = Shop::open(options).await;
    shop.provider_faults(&json!({"hold": {"operation": "create", "before": "answer"}}))
        .await;
    let order = order_of(&shop, "k");
    let second = shop.system.second_command_api_url().unwrap();
    let urls = [shop.system.command_api_url(), second];
    let both = urls
        .iter()
        .map(async |url| send(&shop, url, "k", &order, PATIENCE).await.unwrap());
    let letting_go = async {
        super::held(&shop, "create", 2).await;
        shop.provider_faults(&json!({})).await;
    };
    let (answers, ()) = tokio::join!(join_all(both), letting_go);
    let answers: Vec<Answer> = answers.into_iter().map(|answer| answer.expect(201)).collect();
    assert_eq!(
        answers[0].text, answers[1].text,
        "both show the page of one payment"
    );
    let order_id = answers[0].text_at("/order_id").to_owned();
    let states = eventually("the other payment has ended", async || {
        let payments = payments_of(&shop, &order_id).await;
        let states: Vec<String> = payments
            .iter()
            .map(|one| one["state"].as_str().unwrap().to_owned())
            .collect();
        states.contains(&"TERMINATED".to_owned()).then_some(states)
    })
    .await;
    assert_eq!(states.len(), 2, "{states:?}");
    shop.at_provider(&answers[0], "approve").await.expect(200);
    captured(&shop, &order_id).await;
    shop.close().await;
}

#[tokio::test]
async fn only_a_webhook_with_our_authorization_is_listened_to() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("k", &order_of(&shop, "k")).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    let payment = payments_of(&shop, &order_id).await[0]["payment_id"].clone();
    let authorization = secret(&shop, "NEXI_WEBHOOK_AUTHORIZATION_FILE");
    let event = json!({
        "id": "0123456789abcdef0123456789abcdef", "merchantId": 1, "timestamp": "2026-06-01T05:40:00.0000+00:00",
        "event": "payment.reservation.created.v2", "data": {"paymentId": payment, "amount": {"amount": 42_000}},
    });
    let deliver = async |order_id: &str, authorization: Option<&str>, body: Value| {
        let url = format!(
            "{}/api/v1/webhooks/nexi?order_id={order_id}",
            shop.system.command_api_url()
        );
        let request = shop.http().post(url).header("content-type", "application/json");
        let request = authorization.into_iter().fold(request, |request, authorization| {
            request.header("Authorization", authorization)
        });
        request
            .body(body.to_string())
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    for wrong in [None, Some(""), Some("hunter2"), Some(&authorization[1..])] {
        assert_eq!(deliver(&order_id, wrong, event.clone()).await, 401, "{wrong:?}");
    }
    let ours = Some(authorization.as_str());
    let stranger = uuid::Uuid::now_v7().to_string();
    for (order, status) in [(order_id.as_str(), 200), (&stranger, 200), ("1", 200), ("", 200)] {
        assert_eq!(deliver(order, ours, event.clone()).await, status, "{order}");
    }
    assert_eq!(deliver(&order_id, ours, json!({"id": 7})).await, 400);
    assert_eq!(deliver(&order_id, ours, json!("x".repeat(64 << 10))).await, 413);
    // Its content decides nothing: the payment is not paid.
    let path = format!("/orders/{order_id}?min_position={}", placed.position());
    let order = shop.get(&path, &shop.tokens.customer).await.expect(200);
    assert_eq!(order.body["status"], "payment_pending");
    shop.close().await;
}

#[tokio::test]
async fn a_provider_that_is_kept_finishes_its_orders_and_takes_no_new_ones() {
    let settings = [("PAYMENT_PROVIDERS", "vipps"), ("PAYMENT_PROVIDERS_KEPT", "nexi")];
    let env = settings.map(|(name, value)| (Process::CommandApi2, name.to_owned(), value.to_owned()));
    let options = Options {
        second_command_api: true,
        env: env.into(),
        ..Options::default()
    };
    let shop = Shop::open(options).await;
    let placed = shop.place("k", &order_of(&shop, "k")).await.expect(201);
    shop.system.stop_one(Process::CommandApi).await.unwrap();
    shop.at_provider(&placed, "approve").await.expect(200);
    captured(&shop, placed.text_at("/order_id")).await;
    let second = shop.system.second_command_api_url().unwrap();
    let refused = send(&shop, &second, "n", &order_of(&shop, "n"), PATIENCE).await;
    let refused = refused.unwrap().expect(422);
    assert_eq!(refused.text_at("/errors/0/pointer"), "/payment_provider");
    shop.close().await;
}
