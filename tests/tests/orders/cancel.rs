//! `POST /orders/{order_id}/cancel`: the day is free at once, and no money is held for nothing, whatever the customer does
//! at the provider meanwhile.

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::{Shop, books, eventually};

use super::{cancel, held, held_money, hold, license_statuses, payment_where};

#[tokio::test]
async fn a_cancelled_order_frees_its_day_at_once_and_its_payment_is_ended() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("first", &shop.order()).await.expect(201);
    let order_id = placed.text_at("/order_id");
    let customer = &shop.tokens.customer;
    for (who, token) in [("other", &shop.tokens.customer2), ("staff", &shop.tokens.staff)] {
        cancel(&shop, order_id, token, who).await.expect(404);
    }
    let unknown = uuid::Uuid::now_v7().to_string();
    cancel(&shop, &unknown, customer, "unknown").await.expect(404);
    let path = format!("/orders/{order_id}/cancel");
    let field = shop.post(&path, customer, "field", &json!({"reason": "x"})).await;
    assert_eq!(field.expect(400).text_at("/code"), "unknown_field");

    let cancelled = cancel(&shop, order_id, customer, "c").await.expect(200);
    assert_eq!(cancelled.text_at("/status"), "cancelled");
    // At once: no task and no provider is waited for.
    let again = shop.place("again", &shop.order()).await.expect(201);
    let replay = cancel(&shop, order_id, customer, "c").await.expect(200);
    assert_eq!(
        (&replay.text, replay.header("idempotency-replayed")),
        (&cancelled.text, Some("true"))
    );
    let url = format!("{}/api/v1{path}", shop.system.command_api_url());
    let empty = shop
        .http()
        .post(url)
        .bearer_auth(customer)
        .header("Idempotency-Key", "empty");
    let empty = system_tests::answer(empty).await.unwrap().expect(200);
    assert_eq!(
        empty.body["version"], cancelled.body["version"],
        "a cancelled order stays as it is"
    );
    let retry = shop.place("first", &shop.order()).await.expect(200);
    assert_eq!(
        (&retry.body["status"], &retry.body["payment"]["redirect_url"]),
        (&json!("cancelled"), &Value::Null)
    );
    let ended = |payment: &Value| payment["state"] == "TERMINATED";
    payment_where(&shop, order_id, "ended", ended).await;
    shop.at_provider(&placed, "approve").await.expect(409);

    shop.at_provider(&again, "approve").await.expect(200);
    let again_id = again.text_at("/order_id");
    shop.order_with_status(again_id, "fulfilled").await;
    let paid = cancel(&shop, again_id, customer, "paid").await.expect(409);
    assert_eq!(paid.text_at("/code"), "order_paid");
    assert_eq!(license_statuses(&shop, again_id).await, ["issued"]);
    assert_eq!(
        shop.order_with_status(order_id, "cancelled").await["payment"]["redirect_url"],
        Value::Null
    );
    books::verify(&shop).await;
    shop.close().await;
}

#[tokio::test]
async fn an_order_can_be_placed_again_after_a_decline_and_a_declined_order_answers_its_state() {
    let shop = Shop::open(Options::default()).await;
    let declined = shop.place("declined", &shop.order()).await.expect(201);
    shop.at_provider(&declined, "decline").await.expect(200);
    let order_id = declined.text_at("/order_id");
    shop.order_with_status(order_id, "cancelled").await;
    let answer = cancel(&shop, order_id, &shop.tokens.customer, "c")
        .await
        .expect(200);
    assert_eq!(answer.text_at("/status"), "cancelled");
    let again = shop.place("again", &shop.order()).await.expect(201);
    shop.at_provider(&again, "approve").await.expect(200);
    shop.order_with_status(again.text_at("/order_id"), "fulfilled")
        .await;
    shop.close().await;
}

/// The customer has reserved money that the shop does not know of, and cancels: wherever command-api dies, it goes back.
#[tokio::test]
async fn money_that_was_approved_before_the_payment_could_be_ended_goes_back() {
    let shop = Shop::open(Options::default()).await;
    for killed in [false, true] {
        let key = format!("killed-{killed}");
        let mut faults = hold("cancel", "work");
        faults["webhooks"] = json!("drop");
        shop.provider_faults(&faults).await;
        let placed = shop.place(&key, &shop.order_of(&key)).await.expect(201);
        let order_id = placed.text_at("/order_id");
        cancel(&shop, order_id, &shop.tokens.customer, &format!("{key}-c"))
            .await
            .expect(200);
        // The shop has read an unpaid payment and is ending it.
        held(&shop, "cancel").await;
        shop.at_provider(&placed, "approve").await.expect(200);
        if killed {
            shop.system.kill(Process::CommandApi).await.unwrap();
            shop.system.wait_ready(Process::CommandApi).await.unwrap();
        }
        // The freed day is sold meanwhile.
        shop.provider_faults(&json!({"webhooks": "drop"})).await;
        shop.place(&format!("{key}-again"), &shop.order_of(&key))
            .await
            .expect(201);
        let order = shop.order_with_status(order_id, "refunded").await;
        assert_eq!(order["payment"]["refund_state"], "refunded");
        let payment = shop.payment(order_id).await;
        assert_eq!(
            (held_money(&payment), &payment["captures"]),
            (0, &json!(0)),
            "{payment}"
        );
        assert!(shop.licenses_of(order_id).await.is_empty());
    }
    books::verify(&shop).await;
    shop.close().await;
}

/// The provider is down: the day is free all the same, and the payment is ended when it is back.
#[tokio::test]
async fn cancelling_needs_no_provider() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("k", &shop.order()).await.expect(201);
    shop.provider_faults(&json!({"api": "unavailable"})).await;
    let order_id = placed.text_at("/order_id");
    cancel(&shop, order_id, &shop.tokens.customer, "c")
        .await
        .expect(200);
    let again = shop.place("again", &shop.order()).await.expect(503);
    assert_eq!(
        again.text_at("/code"),
        "payment_provider_unavailable",
        "the day is free"
    );
    shop.provider_faults(&json!({})).await;
    payment_where(&shop, order_id, "ended", |payment| {
        payment["state"] == "TERMINATED"
    })
    .await;
    shop.close().await;
}

/// A payment that is being started while its order is cancelled is ended by the request that started it.
#[tokio::test]
async fn an_order_that_is_cancelled_while_its_payment_is_started_leaves_nothing_to_pay() {
    let shop = Shop::open(Options::default()).await;
    shop.provider_faults(&hold("create", "work")).await;
    let order = shop.order();
    let place = shop.place("k", &order);
    let cancelling = async {
        held(&shop, "create").await;
        let order_id = eventually("the order is readable", async || {
            let orders = shop.get("/orders", &shop.tokens.staff).await;
            orders
                .body
                .pointer("/items/0/order_id")?
                .as_str()
                .map(str::to_owned)
        })
        .await;
        cancel(&shop, &order_id, &shop.tokens.customer, "c")
            .await
            .expect(200);
        shop.provider_faults(&json!({})).await;
    };
    let (placed, ()) = tokio::join!(place, cancelling);
    let placed = placed.expect(200);
    assert_eq!(placed.text_at("/status"), "cancelled");
    assert_eq!(placed.body["payment"]["redirect_url"], Value::Null);
    let order_id = placed.text_at("/order_id");
    payment_where(&shop, order_id, "ended", |payment| {
        payment["state"] == "TERMINATED"
    })
    .await;
    shop.close().await;
}

/// Customers press "approve" and "cancel" at the same time.
#[tokio::test]
async fn of_cancel_and_approval_exactly_one_wins_in_32_rounds() {
    let shop = Shop::open(Options::default()).await;
    let round = async |n: usize| {
        let key = format!("round-{n}");
        let placed = shop.place(&key, &shop.order_of(&key)).await.expect(201);
        let order_id = placed.text_at("/order_id").to_owned();
        let url = format!("{}/approve", placed.text_at("/payment/redirect_url"));
        let approval = async {
            let request = shop.http().post(url).header("Accept", "application/json");
            system_tests::answer(request).await.unwrap().status.as_u16()
        };
        let key = format!("{key}-c");
        let cancelling = async {
            // From far ahead of the webhook to some time behind it.
            for _ in 0..n {
                tokio::task::yield_now().await;
                shop.payment(&order_id).await;
            }
            cancel(&shop, &order_id, &shop.tokens.customer, &key).await
        };
        let (approved, cancelled) = tokio::join!(approval, cancelling);
        let won = match cancelled.status.as_u16() {
            200 => true,
            409 => false,
            other => panic!("{other}: {}", cancelled.text),
        };
        assert!(won || approved == 200, "neither happened");
        (order_id, won)
    };
    let mut outcomes = Vec::new();
    for first in (0..32).step_by(4) {
        outcomes.extend(join_all((first..first + 4).map(round)).await);
    }
    for (order_id, won) in &outcomes {
        let (statuses, left) = if *won {
            ("cancelled or refunded", 0)
        } else {
            ("fulfilled", 42_000)
        };
        shop.order_with_status(order_id, statuses).await;
        let settled = |payment: &Value| {
            let collected = payment["captured_ore"] == 42_000;
            let open = payment["state"] == "CREATED";
            !open && held_money(payment) == left && collected != *won
        };
        payment_where(&shop, order_id, "settled", settled).await;
        let expected: &[&str] = if *won { &[] } else { &["issued"] };
        eventually("its licenses are as they must be", async || {
            (license_statuses(&shop, order_id).await == expected).then_some(())
        })
        .await;
    }
    books::verify(&shop).await;
    shop.close().await;
}
