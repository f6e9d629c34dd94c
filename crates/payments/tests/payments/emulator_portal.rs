//! The merchant's portal, and held requests.

use payments::{Limits, PaymentProvider as _};
use serde_json::{Value, json};

use crate::running::{Emulator, in_time, new_payment, options, press, until, vipps};

async fn portal(emulator: &Emulator, reference: &str, action: &str, body: Value) -> u16 {
    let url = format!("{}/portal/{reference}/{action}", emulator.url);
    let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    answer.status().as_u16()
}

async fn calls(emulator: &Emulator, which: &str, operation: &str) -> u64 {
    let calls: Value = reqwest::get(format!("{}/emulator/calls", emulator.url))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    calls[which][operation].as_u64().unwrap_or(0)
}

async fn authorized(emulator: &Emulator) -> String {
    let new = new_payment(1000);
    let created = emulator.vipps().create(&new).await.unwrap();
    press(&created.redirect_url, "approve").await;
    new.reference
}

#[tokio::test]
async fn a_person_may_collect_pay_back_and_void_within_what_there_is() {
    let emulator = Emulator::start(options(None)).await;
    let reference = authorized(&emulator).await;
    assert_eq!(
        portal(&emulator, &reference, "capture", json!({"amount_ore": 1001})).await,
        400
    );
    assert_eq!(
        portal(&emulator, &reference, "capture", json!({"amount_ore": 400})).await,
        200
    );
    assert_eq!(
        portal(&emulator, &reference, "refund", json!({"amount_ore": 100})).await,
        200
    );
    assert_eq!(portal(&emulator, &reference, "void", json!({})).await, 200);
    assert_eq!(portal(&emulator, &reference, "void", json!({})).await, 409);
    assert_eq!(portal(&emulator, &reference, "steal", json!({})).await, 400);
    let payment = emulator.vipps().get(&reference).await.unwrap();
    assert_eq!(
        (payment.captured_ore, payment.refunded_ore, payment.cancelled_ore),
        (400, 100, 600)
    );
    assert_eq!((payment.collectable_ore(), payment.kept_ore()), (0, 300));

    // The page offers what can still be done, and its form does it.
    let url = format!("{}/portal/{reference}", emulator.url);
    let page = reqwest::get(&url).await.unwrap().text().await.unwrap();
    assert!(
        page.contains("max=\"300\"") && page.contains("disabled"),
        "{page}"
    );
    let form = reqwest::Client::new()
        .post(format!("{url}/refund"))
        .form(&[("amount_ore", "300")]);
    assert_eq!(form.send().await.unwrap().status(), 200);
    assert_eq!(emulator.vipps().get(&reference).await.unwrap().kept_ore(), 0);
}

#[tokio::test]
async fn a_held_request_is_done_when_it_is_let_go_also_if_its_sender_is_gone() {
    let emulator = Emulator::start(options(None)).await;
    let reference = authorized(&emulator).await;
    emulator
        .fault(json!({"hold": {"operation": "capture", "before": "work"}}))
        .await;
    let hasty = Limits {
        attempt_timeout: std::time::Duration::from_millis(50),
        retries: 0,
        ..Limits::default()
    };
    let gone = vipps(&emulator.url, hasty).capture(&reference, 1000, "c-1").await;
    assert!(gone.unwrap_err().is_retryable());
    in_time(until(async || calls(&emulator, "held", "capture").await == 1)).await;
    assert_eq!(emulator.vipps().get(&reference).await.unwrap().captured_ore, 0);
    emulator.fault(json!({})).await;
    until(async || emulator.vipps().get(&reference).await.unwrap().captured_ore == 1000).await;
    assert_eq!(calls(&emulator, "total", "capture").await, 1);
    assert_eq!(calls(&emulator, "held", "capture").await, 0);
}

#[tokio::test]
async fn a_held_answer_is_of_work_that_is_done() {
    let emulator = Emulator::start(options(None)).await;
    let reference = authorized(&emulator).await;
    emulator
        .fault(json!({"hold": {"operation": "refund", "before": "answer"}}))
        .await;
    let vipps = emulator.vipps();
    let captured = vipps.capture(&reference, 1000, "c-1").await.unwrap();
    let refund = tokio::spawn({
        let vipps = emulator.vipps();
        async move { vipps.refund(&captured, 1000, "r-1").await }
    });
    until(async || calls(&emulator, "held", "refund").await == 1).await;
    assert_eq!(vipps.get(&reference).await.unwrap().refunded_ore, 1000);
    emulator.fault(json!({})).await;
    assert_eq!(in_time(refund).await.unwrap().unwrap().refunded_ore, 1000);
}
