//! What is special about Nexi: ids of its own, single charges, creates that are not idempotent, refunds that take time.

use axum::http::StatusCode;
use payments::{Error, NewPayment, Payment, PaymentProvider, PaymentState};
use serde_json::{Value, json};

use crate::running::{Emulator, NEXI_KEY, approved, impatient, new_payment, nexi, options, press, until};

async fn portal(emulator: &Emulator, id: &str, action: &str, body: &Value) {
    let url = format!("{}/portal/{id}/{action}", emulator.url);
    let answer = reqwest::Client::new().post(url).json(body).send().await.unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::OK,
        "{}",
        answer.text().await.unwrap()
    );
}

async fn payments_of(emulator: &Emulator, reference: &str) -> Vec<Value> {
    let url = format!("{}/emulator/orders/{reference}", emulator.url);
    let found: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    found["payments"].as_array().unwrap().clone()
}

/// A payment of two charges: one by the portal, one by the shop.
async fn charged_twice(emulator: &Emulator) -> Payment {
    let nexi = emulator.nexi();
    let id = approved(&nexi, &new_payment(1000)).await.payment_id;
    portal(emulator, &id, "capture", &json!({ "amount_ore": 400 })).await;
    nexi.capture(&id, 600, "capture-1").await.unwrap()
}

#[tokio::test]
async fn a_refund_is_spread_over_charges() {
    let emulator = Emulator::start(options(None)).await;
    let paid = charged_twice(&emulator).await;
    let back = emulator.nexi().refund(&paid, 1000, "refund").await.unwrap();
    assert_eq!((back.refunded_ore, back.kept_ore()), (1000, 0));
    assert_eq!(emulator.inspect(&paid.payment_id).await["refunds"], 2);
}

#[tokio::test]
async fn a_charge_that_the_portal_gave_back_leaves_its_share_to_the_others() {
    let emulator = Emulator::start(options(None)).await;
    let paid = charged_twice(&emulator).await;
    // The portal takes the newest charge, the adapter assumes the oldest.
    portal(
        &emulator,
        &paid.payment_id,
        "refund",
        &json!({ "amount_ore": 600 }),
    )
    .await;
    let nexi = emulator.nexi();
    let seen = nexi.get(&paid.payment_id).await.unwrap();
    let back = nexi.refund(&seen, seen.kept_ore(), "refund").await.unwrap();
    assert_eq!((back.refunded_ore, back.kept_ore()), (1000, 0));
}

#[tokio::test]
async fn a_refund_that_takes_time_is_not_begun_again() {
    let emulator = Emulator::start(options(None)).await;
    let nexi = emulator.nexi();
    let id = approved(&nexi, &new_payment(1000)).await.payment_id;
    let paid = nexi.capture(&id, 1000, "capture").await.unwrap();
    emulator
        .rule(json!({ "fault": { "refund_takes_ms": 200 }, "provider": "nexi" }))
        .await;
    let begun = nexi.refund(&paid, 1000, "refund").await.unwrap();
    assert_eq!((begun.refunded_ore, begun.refunding_ore()), (0, 1000));
    let again = nexi.refund(&begun, 1000, "refund-2").await;
    assert_eq!(again, Err(Error::Unavailable("a refund is under way".to_owned())));
    until(async || nexi.get(&id).await.unwrap().refunded_ore == 1000).await;
    assert_eq!(emulator.inspect(&id).await["refunds"], 1);
}

#[tokio::test]
async fn a_refund_that_fails_is_begun_again_under_the_same_key() {
    let emulator = Emulator::start(options(None)).await;
    let nexi = emulator.nexi();
    let id = approved(&nexi, &new_payment(1000)).await.payment_id;
    let paid = nexi.capture(&id, 1000, "capture").await.unwrap();
    emulator
        .rule(json!({ "fault": { "refund_fails_ms": 1 }, "next": 1 }))
        .await;
    nexi.refund(&paid, 1000, "refund").await.unwrap();
    until(async || nexi.get(&id).await.unwrap().refunding_ore() == 0).await;
    let failed = nexi.get(&id).await.unwrap();
    assert_eq!((failed.refunded_ore, failed.kept_ore()), (0, 1000));
    let back = nexi.refund(&failed, 1000, "refund").await.unwrap();
    assert_eq!(back.kept_ore(), 0);
}

#[tokio::test]
async fn a_create_is_not_sent_again_when_its_answer_is_lost() {
    let emulator = Emulator::start(options(None)).await;
    for fault in [
        json!("answer_lost"),
        json!("answer_never"),
        json!({ "reset": "answer" }),
    ] {
        let new = new_payment(1000);
        emulator
            .rule(json!({ "fault": fault, "operation": "create", "reference": new.reference }))
            .await;
        let adapter = nexi(&emulator.url, impatient());
        let lost = adapter.create(&new).await;
        assert!(matches!(lost, Err(Error::Unavailable(_))), "{fault}: {lost:?}");
        // One, whose page no customer was sent to.
        assert_eq!(payments_of(&emulator, &new.reference).await.len(), 1, "{fault}");
        emulator.fault(json!({})).await;
        let created = adapter.create(&new).await.unwrap();
        let both = payments_of(&emulator, &new.reference).await;
        assert_eq!(both.len(), 2);
        assert_eq!(both[1]["payment_id"], created.payment_id);
    }
}

#[tokio::test]
async fn each_create_is_another_payment() {
    let emulator = Emulator::start(options(None)).await;
    let (nexi, new) = (emulator.nexi(), new_payment(1000));
    let (first, second) = tokio::join!(nexi.create(&new), nexi.create(&new));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.payment_id, second.payment_id);
    press(&first.redirect_url, "approve").await;
    assert_eq!(
        nexi.get(&second.payment_id).await.unwrap().state,
        PaymentState::Created
    );
    assert_eq!(
        nexi.get(&first.payment_id).await.unwrap().reference,
        new.reference
    );
}

#[tokio::test]
async fn a_declined_customer_may_try_again() {
    let emulator = Emulator::start(options(None)).await;
    let nexi = emulator.nexi();
    let created = nexi.create(&new_payment(1000)).await.unwrap();
    press(&created.redirect_url, "decline").await;
    let waiting = nexi.get(&created.payment_id).await.unwrap();
    assert_eq!(waiting.state, PaymentState::Created);
    assert_eq!(press(&created.redirect_url, "approve").await.0, 200);
}

#[tokio::test]
async fn what_the_protocol_forbids_is_refused() {
    let emulator = Emulator::start(options(None)).await;
    let http = reqwest::Client::new();
    let body = json!({
        "order": { "items": [{ "name": "x", "grossTotalAmount": 1000 }], "amount": 1000, "currency": "NOK",
            "reference": "order-0001" },
        "checkout": { "integrationType": "HostedPaymentPage", "returnUrl": "https://x.example.org/",
            "termsUrl": "https://x.example.org/" },
        "notifications": { "webHooks": [{ "eventName": "payment.created", "url": "https://x.example.org/",
            "authorization": "abcdefgh" }] },
    });
    let create = async |key: &str, body: &Value| {
        let request = http.post(format!("{}/v1/payments", emulator.url));
        let answer = request
            .header("authorization", key)
            .json(body)
            .send()
            .await
            .unwrap();
        answer.status().as_u16()
    };
    assert_eq!(create(NEXI_KEY, &body).await, 201);
    for key in ["", "the-secret-kez", "Bearer the-secret-key"] {
        assert_eq!(create(key, &body).await, 401, "{key}");
    }
    for (pointer, value) in [
        ("/order/amount", json!(999)),
        ("/order/amount", json!(0)),
        ("/order/currency", json!("EUR")),
        ("/order/reference", json!("")),
        ("/checkout/integrationType", json!("EmbeddedCheckout")),
        ("/checkout/returnUrl", json!("javascript:x")),
        ("/notifications/webHooks/0/authorization", json!("short")),
        ("/notifications/webHooks/0/authorization", json!("with-a-dash")),
        (
            "/notifications/webHooks/0/url",
            json!(format!("https://x.example.org/{}", "y".repeat(250))),
        ),
    ] {
        let mut bad = body.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert_eq!(create(NEXI_KEY, &bad).await, 400, "{pointer}");
    }
    let long = NewPayment {
        webhook_url: Some(format!("https://x.example.org/{}", "y".repeat(250))),
        ..new_payment(1)
    };
    let refused = emulator.nexi().create(&long).await;
    assert!(
        matches!(refused, Err(Error::Refused { status: 400, .. })),
        "{refused:?}"
    );
}
