//! The shapes published in the API reference, and answers that make no sense.

use super::*;

const ID: &str = "0260000060000000b95dd4d24ed0c6ca";

fn published() -> Value {
    json!({ "payment": {
        "paymentId": ID,
        "summary": { "reservedAmount": 55_000, "chargedAmount": 30_000, "refundedAmount": 900 },
        "consumer": { "shippingAddress": {} },
        "paymentDetails": { "paymentType": "CARD", "paymentMethod": "Visa" },
        "orderDetails": { "amount": 55_000, "currency": "NOK", "reference": "order-0001" },
        "checkout": { "url": "https://checkout.example.org/?paymentId=1", "cancelUrl": null },
        "created": "2026-11-04T21:08:30.71+00:00",
        "refunds": [
            { "refundId": "r1", "amount": 900, "state": "Completed" },
            { "refundId": "r2", "amount": 50, "state": "Pending" },
            { "refundId": "r3", "amount": 70, "state": "Failed" }
        ],
        "charges": [
            { "chargeId": "c2", "amount": 20_000, "created": "2026-11-05T00:00:00+00:00" },
            { "chargeId": "c1", "amount": 10_000, "created": "2026-11-04T00:00:00+00:00" }
        ]
    }})
}

fn read(body: &Value) -> Result<Payment, Error> {
    payment(body.to_string().as_bytes(), ID)
}

#[test]
fn the_published_answer_is_understood() {
    let expected = Payment {
        reference: "order-0001".to_owned(),
        payment_id: ID.to_owned(),
        state: PaymentState::Authorized,
        amount_ore: 55_000,
        authorized_ore: 55_000,
        captured_ore: 30_000,
        cancelled_ore: 0,
        refunded_ore: 900,
        charges: Charges {
            made: vec![("c1".to_owned(), 10_000), ("c2".to_owned(), 20_000)],
            refunding_ore: 50,
            failed_refunds: 1,
        },
    };
    assert_eq!(read(&published()), Ok(expected));
}

#[test]
fn the_sums_tell_the_state() {
    let state = |summary: Value, terminated: Value| {
        let mut body = published();
        body["payment"]["summary"] = summary;
        body["payment"]["terminated"] = terminated;
        let found = read(&body).unwrap();
        (found.state, found.authorized_ore, found.collectable_ore())
    };
    let ended = json!("2026-11-04T21:08:30+00:00");
    assert_eq!(state(json!({}), Value::Null), (PaymentState::Created, 0, 0));
    assert_eq!(state(json!({}), ended.clone()), (PaymentState::Terminated, 0, 0));
    let reserved = json!({ "reservedAmount": 100 });
    assert_eq!(
        state(reserved.clone(), Value::Null),
        (PaymentState::Authorized, 100, 100)
    );
    // Money is there, whatever else is said.
    assert_eq!(state(reserved, ended), (PaymentState::Authorized, 100, 100));
    let released = json!({ "reservedAmount": 100, "cancelledAmount": 100 });
    assert_eq!(state(released, Value::Null), (PaymentState::Authorized, 100, 0));
    let at_once = json!({ "chargedAmount": 100 });
    assert_eq!(state(at_once, Value::Null), (PaymentState::Authorized, 100, 0));
}

#[test]
fn an_answer_that_makes_no_sense_is_refused_without_quoting_it() {
    let spoilt = [
        ("/payment/paymentId", json!("another")),
        ("/payment/orderDetails/currency", json!("DKK")),
        ("/payment/orderDetails", Value::Null),
        ("/payment/summary/chargedAmount", json!(-1)),
        ("/payment/summary/chargedAmount", json!(1.5)),
        ("/payment/summary/reservedAmount", json!(i64::MAX)),
        ("/payment/charges/0/chargeId", json!("../../OLA")),
        ("/payment/charges/0/amount", json!("OLA")),
        ("/payment", Value::Null),
    ];
    for (pointer, value) in spoilt {
        let mut body = published();
        *body.pointer_mut(pointer).unwrap() = value;
        let Err(error @ Error::Protocol(_)) = read(&body) else {
            panic!("{pointer} accepted");
        };
        assert!(!error.to_string().contains("OLA"), "{error}");
    }
}

#[test]
fn a_refund_of_an_unknown_state_is_under_way() {
    let mut body = published();
    body["payment"]["refunds"] = json!([{ "amount": 7, "state": "Enqueued" }, { "amount": 8 }]);
    assert_eq!(read(&body).unwrap().refunding_ore(), 15);
}

#[test]
fn both_kinds_of_errors_are_explained() {
    let fields = json!({ "errors": { "amount": ["too much", "too late"], "currency": ["no"] } });
    assert_eq!(
        detail(fields.to_string().as_bytes()),
        "amount: too much, too late; currency: no"
    );
    let message = json!({ "code": "1001", "message": "Not allowed", "source": "internal" });
    assert_eq!(detail(message.to_string().as_bytes()), "Not allowed; code 1001");
    assert_eq!(detail(b"<html>"), "");
}

#[test]
fn a_creation_names_the_order_and_every_event_has_the_authorization() {
    let new = NewPayment {
        reference: "order-0001".to_owned(),
        amount_ore: 42_000,
        description: "Engangslisens 100".to_owned(),
        return_url: "https://shop.example.org/takk".to_owned(),
        webhook_url: Some("https://shop.example.org/hooks?order_id=1".to_owned()),
    };
    let body = creation(
        &new,
        "https://shop.example.org/vilkar",
        &Secret::new("abcdefgh12"),
    );
    assert_eq!(body["order"]["reference"], "order-0001");
    assert_eq!(body["order"]["items"][0]["grossTotalAmount"], 42_000);
    let hooks = body["notifications"]["webHooks"].as_array().unwrap();
    assert_eq!(hooks.len(), EVENTS.len());
    assert!(hooks.iter().all(|hook| hook["authorization"] == "abcdefgh12"));
}
