//! Delivery of webhooks: signed, in order, until accepted, and with each fault.

use axum::http::StatusCode;
use payments::emulator::Options;
use payments::vipps::webhook::EventName::{
    Aborted, Authorized, Cancelled, Captured, Created, Expired, Refunded, Terminated,
};
use payments::{NewPayment, PaymentProvider};
use serde_json::json;

use crate::receiver::{Receiver, names_of};
use crate::running::{Emulator, in_time, new_payment, options, press, until};

async fn create(emulator: &Emulator) -> (NewPayment, String) {
    let new = new_payment(1000);
    let url = emulator.vipps().create(&new).await.unwrap().redirect_url;
    (new, url)
}

#[tokio::test]
async fn each_change_is_told_with_a_signature_that_verifies() {
    let receiver = Receiver::start().await;
    let emulator = Emulator::start(options(Some(&receiver.url))).await;
    let vipps = emulator.vipps();
    let (new, url) = create(&emulator).await;
    press(&url, "approve").await;
    let captured = vipps.capture(&new.reference, 600, "capture-1").await.unwrap();
    vipps.refund(&captured, 100, "refund-1").await.unwrap();
    vipps.release(&new.reference, "cancel-1").await.unwrap();
    let names = receiver.names(&new.reference, 5).await;
    assert_eq!(names, [Created, Authorized, Captured, Refunded, Cancelled]);
    let seen = receiver.seen();
    let captured = &seen.accepted[2];
    assert_eq!(
        (captured.msn.as_str(), captured.amount.value, captured.success),
        ("123456", 600, true)
    );
    assert_eq!(captured.idempotency_key.as_deref(), Some("capture-1"));
    assert_eq!(seen.accepted[1].idempotency_key, None);
    assert_eq!(seen.forged, 0);
}

#[tokio::test]
async fn other_ends_are_told_too() {
    let receiver = Receiver::start().await;
    let emulator = Emulator::start(options(Some(&receiver.url))).await;
    let (declined, url) = create(&emulator).await;
    press(&url, "decline").await;
    let (ended, _) = create(&emulator).await;
    emulator
        .vipps()
        .abort(&ended.reference, "cancel-1")
        .await
        .unwrap();
    assert_eq!(receiver.names(&declined.reference, 2).await, [Created, Aborted]);
    assert_eq!(receiver.names(&ended.reference, 2).await, [Created, Terminated]);

    let ttl = std::time::Duration::from_millis(1);
    let emulator = Emulator::start(Options {
        payment_ttl: ttl,
        ..options(Some(&receiver.url))
    })
    .await;
    let (forgotten, _) = create(&emulator).await;
    assert_eq!(receiver.names(&forgotten.reference, 2).await, [Created, Expired]);
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_again_in_order() {
    let receiver = Receiver::start().await;
    receiver.refuse(3, StatusCode::INTERNAL_SERVER_ERROR);
    receiver.refuse(1, StatusCode::FOUND);
    let emulator = Emulator::start(options(Some(&receiver.url))).await;
    let (new, url) = create(&emulator).await;
    press(&url, "approve").await;
    emulator
        .vipps()
        .capture(&new.reference, 1000, "capture-1")
        .await
        .unwrap();
    assert_eq!(
        receiver.names(&new.reference, 3).await,
        [Created, Authorized, Captured]
    );
    let seen = receiver.seen();
    // Every refused one came again, unchanged, before anything else.
    assert_eq!(seen.refused.len(), 4);
    assert!(seen.refused.iter().all(|event| *event == seen.accepted[0]));
    until(async || emulator.inspect(&new.reference).await["webhooks_pending"] == 0).await;
}

#[tokio::test]
async fn one_payment_does_not_wait_for_another() {
    let receiver = Receiver::start().await;
    let emulator = Emulator::start(options(Some(&receiver.url))).await;
    let stuck = new_payment(1000);
    receiver.refuse_payment(&stuck.reference);
    emulator.vipps().create(&stuck).await.unwrap();
    receiver.wait(|seen| !seen.refused.is_empty()).await;
    let (other, _) = create(&emulator).await;
    assert_eq!(receiver.names(&other.reference, 1).await, [Created]);
    assert_eq!(emulator.inspect(&stuck.reference).await["webhooks_pending"], 1);
}

#[tokio::test]
async fn approving_does_not_wait_for_the_webhook() {
    let receiver = Receiver::start().await;
    let emulator = Emulator::start(options(Some(&receiver.url))).await;
    emulator
        .fault(json!({ "webhooks": { "delay_ms": 3_600_000 } }))
        .await;
    let (new, url) = create(&emulator).await;
    assert_eq!(in_time(press(&url, "approve")).await.0, 200);
    assert_eq!(emulator.inspect(&new.reference).await["webhooks_pending"], 2);
    assert_eq!(names_of(&receiver.seen(), &new.reference), []);
}

#[tokio::test]
async fn many_payments_each_keep_their_order() {
    let receiver = Receiver::start().await;
    receiver.refuse(20, StatusCode::SERVICE_UNAVAILABLE);
    let emulator = Emulator::start(options(Some(&receiver.url))).await;
    let mut payments = Vec::new();
    for _ in 0..40 {
        let (new, url) = create(&emulator).await;
        press(&url, "approve").await;
        emulator
            .vipps()
            .capture(&new.reference, 1000, "capture-1")
            .await
            .unwrap();
        payments.push(new);
    }
    let seen = receiver.wait(|seen| seen.accepted.len() == 120).await;
    for new in payments {
        assert_eq!(names_of(&seen, &new.reference), [Created, Authorized, Captured]);
    }
}

#[tokio::test]
async fn webhooks_can_be_lost_doubled_and_spoilt() {
    let receiver = Receiver::start().await;
    let emulator = Emulator::start(options(Some(&receiver.url))).await;
    emulator.fault(json!({ "webhooks": "drop" })).await;
    let (lost, url) = create(&emulator).await;
    press(&url, "approve").await;
    until(async || emulator.inspect(&lost.reference).await["webhooks_settled"] == 2).await;

    emulator.fault(json!({ "webhooks": "duplicate" })).await;
    let (doubled, _) = create(&emulator).await;
    assert_eq!(receiver.names(&doubled.reference, 2).await, [Created, Created]);
    until(async || emulator.inspect(&doubled.reference).await["webhooks_pending"] == 0).await;

    emulator.fault(json!({ "webhooks": "corrupt_signature" })).await;
    let (spoilt, _) = create(&emulator).await;
    receiver.wait(|seen| seen.forged >= 2).await;
    assert_eq!(names_of(&receiver.seen(), &spoilt.reference), []);
    emulator.fault(json!({})).await;
    assert_eq!(receiver.names(&spoilt.reference, 1).await, [Created]);
    assert_eq!(names_of(&receiver.seen(), &lost.reference), []);
}
