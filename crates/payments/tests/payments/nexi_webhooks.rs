//! Nexi's webhooks: who may send them, what they say, and how the emulator delivers them.

use axum::http::StatusCode;
use payments::nexi::webhook::{Event, EventName, MalformedEvent, Refused, verify};
use payments::{NewPayment, PaymentProvider};
use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderValue};
use secret::Secret;
use serde_json::json;

use crate::inbox::Inbox;
use crate::running::{Emulator, NEXI_AUTHORIZATION, new_payment, options, press, until};

fn with(authorization: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_bytes(authorization).unwrap());
    headers
}

fn checked(headers: &HeaderMap) -> Result<(), Refused> {
    verify(&Secret::new(NEXI_AUTHORIZATION), headers)
}

#[test]
fn only_our_own_authorization_is_taken() {
    assert_eq!(checked(&with(NEXI_AUTHORIZATION.as_bytes())), Ok(()));
    assert_eq!(checked(&HeaderMap::new()), Err(Refused::MissingHeader));
    let mut twice = with(NEXI_AUTHORIZATION.as_bytes());
    twice.append("authorization", HeaderValue::from_static("x"));
    assert_eq!(checked(&twice), Err(Refused::MissingHeader));
    for wrong in [
        "",
        "abcdefgh1234567",
        "abcdefgh123456789",
        "Bearer abcdefgh12345678",
        "ABCDEFGH12345678",
    ] {
        assert_eq!(
            checked(&with(wrong.as_bytes())),
            Err(Refused::Authorization),
            "{wrong}"
        );
    }
}

proptest! {
    #[test]
    fn no_byte_of_it_can_be_altered(at in 0_usize..16, byte in b'!'..=b'~') {
        let mut altered = NEXI_AUTHORIZATION.as_bytes().to_vec();
        prop_assume!(altered[at] != byte);
        altered[at] = byte;
        prop_assert_eq!(checked(&with(&altered)), Err(Refused::Authorization));
    }
}

#[test]
fn the_published_event_is_understood_with_fields_to_come() {
    let body = json!({
        "id": "95d07a0958f84f858096450fdfe0dce2", "merchantId": 100_037_304,
        "timestamp": "2026-05-29T11:43:58.0398+00:00", "event": "payment.cancel.created",
        "data": { "cancelId": "95d0", "orderItems": [], "amount": { "amount": 173_331, "currency": "NOK" },
            "paymentId": "7b571afeddc34d8dbe7966d7a6e63d59" },
        "new": {},
    });
    let event = Event::parse(body.to_string().as_bytes()).unwrap();
    let expected = Event {
        id: "95d07a0958f84f858096450fdfe0dce2".to_owned(),
        name: EventName::Cancelled,
        payment_id: "7b571afeddc34d8dbe7966d7a6e63d59".to_owned(),
    };
    assert_eq!(event, expected);
    let newer = body
        .to_string()
        .replace("payment.cancel.created", "payment.split");
    let event = Event::parse(newer.as_bytes()).unwrap();
    assert_eq!(event.name, EventName::Other("payment.split".to_owned()));
}

#[test]
fn a_body_that_is_no_event_is_refused_without_quoting_it() {
    let error = Event::parse(br#"{"id":"1","event":"x","data":{"paymentId":12345678}}"#).unwrap_err();
    assert!(!error.to_string().contains("12345678"), "{error}");
    let long = "x".repeat(65);
    for (id, payment_id) in [("", "abc"), (long.as_str(), "abc"), ("1", "../x"), ("1", "")] {
        let body = json!({ "id": id, "event": "x", "data": { "paymentId": payment_id } });
        assert_eq!(
            Event::parse(body.to_string().as_bytes()),
            Err(MalformedEvent::Id),
            "{body}"
        );
    }
}

fn payment_to(inbox: &Inbox) -> NewPayment {
    let new = new_payment(1000);
    NewPayment {
        webhook_url: Some(format!("{}/hooks/nexi?order_id={}", inbox.url, new.reference)),
        ..new
    }
}

#[tokio::test]
async fn each_change_is_told_with_our_authorization_and_the_order_in_the_address() {
    let (inbox, emulator) = (Inbox::start().await, Emulator::start(options(None)).await);
    let (nexi, new) = (emulator.nexi(), payment_to(&inbox));
    let created = nexi.create(&new).await.unwrap();
    press(&created.redirect_url, "decline").await;
    press(&created.redirect_url, "approve").await;
    let paid = nexi.capture(&created.payment_id, 600, "c").await.unwrap();
    nexi.refund(&paid, 100, "r").await.unwrap();
    nexi.release(&created.payment_id, "x").await.unwrap();
    let names = inbox.names(6).await;
    assert_eq!(
        names,
        [
            "payment.reservation.failed",
            "payment.reservation.created.v2",
            "payment.checkout.completed",
            "payment.charge.created.v2",
            "payment.refund.completed",
            "payment.cancel.created",
        ]
    );
    let seen = inbox.seen();
    let mut ids: Vec<String> = Vec::new();
    for delivered in &seen {
        assert_eq!(checked(&delivered.headers), Ok(()));
        assert!(
            delivered
                .path_and_query
                .ends_with(&format!("?order_id={}", new.reference))
        );
        let event = Event::parse(delivered.body.to_string().as_bytes()).unwrap();
        assert_eq!(event.payment_id, created.payment_id);
        ids.push(event.id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), seen.len(), "each event has an id of its own");
}

#[tokio::test]
async fn anything_but_200_is_told_again_with_the_same_id() {
    let (inbox, emulator) = (Inbox::start().await, Emulator::start(options(None)).await);
    inbox.answer(StatusCode::ACCEPTED);
    let created = emulator.nexi().create(&payment_to(&inbox)).await.unwrap();
    press(&created.redirect_url, "approve").await;
    inbox.names(3).await;
    let pending = emulator.inspect(&created.payment_id).await;
    assert_eq!(pending["webhooks_pending"], 1);
    inbox.answer(StatusCode::OK);
    until(async || emulator.inspect(&created.payment_id).await["webhooks_pending"] == 0).await;
    let seen = inbox.seen();
    assert!(seen[..3].iter().all(|delivered| delivered.body == seen[0].body));
}
