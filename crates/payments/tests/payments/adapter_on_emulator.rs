//! Every operation of the port, through the emulator.

use payments::{Error, NewPayment, Payment, PaymentProvider, PaymentState};
use serde_json::json;

use crate::running::{Emulator, impatient, new_payment, options, press, vipps};

async fn authorized(emulator: &Emulator, amount_ore: i64) -> NewPayment {
    let new = new_payment(amount_ore);
    let created = emulator.vipps().create(&new).await.unwrap();
    assert_eq!(press(&created.redirect_url, "approve").await.0, 200);
    new
}

fn refusal(result: Result<Payment, Error>) -> u16 {
    match result {
        Err(Error::Refused { status, detail }) => {
            assert!(!detail.is_empty());
            status
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_payment_is_created_approved_captured_and_refunded() {
    let emulator = Emulator::start(options(None)).await;
    let vipps = emulator.vipps();
    let new = new_payment(45_000);
    let created = vipps.create(&new).await.unwrap();
    assert_eq!(
        created.redirect_url,
        format!("{}/pay/{}", emulator.url, new.reference)
    );
    let waiting = vipps.get(&new.reference).await.unwrap();
    assert_eq!(
        (waiting.state, waiting.amount_ore, waiting.authorized_ore),
        (PaymentState::Created, 45_000, 0)
    );

    let (status, body) = press(&created.redirect_url, "approve").await;
    assert_eq!(
        (status, body),
        (200, json!({ "reference": new.reference, "state": "AUTHORIZED" }))
    );
    let approved = vipps.get(&new.reference).await.unwrap();
    assert_eq!(
        (approved.state, approved.authorized_ore),
        (PaymentState::Authorized, 45_000)
    );

    let part = vipps.capture(&new.reference, 20_000, "capture-1").await.unwrap();
    assert_eq!(
        (part.state, part.captured_ore),
        (PaymentState::Authorized, 20_000)
    );
    let rest = vipps.capture(&new.reference, 25_000, "capture-2").await.unwrap();
    assert_eq!(rest.captured_ore, 45_000);
    let back = vipps.refund(&rest, 15_000, "refund-1").await.unwrap();
    assert_eq!((back.captured_ore, back.refunded_ore), (45_000, 15_000));
    assert_eq!(vipps.get(&new.reference).await.unwrap(), back);
}

#[tokio::test]
async fn creating_again_finds_the_same_payment() {
    let emulator = Emulator::start(options(None)).await;
    let vipps = emulator.vipps();
    let new = new_payment(100);
    let first = vipps.create(&new).await.unwrap();
    assert_eq!(vipps.create(&new).await.unwrap(), first);
    // Another description under the same key: the provider answers 409, the adapter looks the payment up.
    let reworded = NewPayment {
        description: "En lisens".to_owned(),
        ..new.clone()
    };
    assert_eq!(vipps.create(&reworded).await.unwrap(), first);
    emulator.fault(json!({ "create_conflict": true })).await;
    assert_eq!(vipps.create(&new).await.unwrap(), first);
    // Another amount is another payment: never hand out this one for it.
    let dearer = NewPayment {
        amount_ore: 200,
        ..new.clone()
    };
    assert!(matches!(
        vipps.create(&dearer).await,
        Err(Error::Refused { status: 409, .. })
    ));
    assert_eq!(vipps.get(&new.reference).await.unwrap().amount_ore, 100);
}

#[tokio::test]
async fn creating_at_once_creates_one() {
    let emulator = Emulator::start(options(None)).await;
    let vipps = emulator.vipps();
    let new = new_payment(100);
    let all = tokio::join!(
        vipps.create(&new),
        vipps.create(&new),
        vipps.create(&new),
        vipps.create(&new)
    );
    let expected = format!("{}/pay/{}", emulator.url, new.reference);
    for created in [all.0, all.1, all.2, all.3] {
        assert_eq!(created.unwrap().redirect_url, expected);
    }
    assert_eq!(
        emulator.inspect(&new.reference).await["history"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn one_key_is_one_capture() {
    let emulator = Emulator::start(options(None)).await;
    let vipps = emulator.vipps();
    let new = authorized(&emulator, 1000).await;
    let first = vipps.capture(&new.reference, 400, "the-key").await.unwrap();
    assert_eq!(
        vipps.capture(&new.reference, 400, "the-key").await.unwrap(),
        first
    );
    assert_eq!(refusal(vipps.capture(&new.reference, 500, "the-key").await), 409);
    let all = emulator.inspect(&new.reference).await;
    assert_eq!((&all["captures"], &all["captured_ore"]), (&json!(1), &json!(400)));
}

#[tokio::test]
async fn an_answer_that_is_lost_or_late_does_not_capture_twice() {
    let emulator = Emulator::start(options(None)).await;
    for fault in [
        json!({ "api": "answer_lost" }),
        json!({ "api": { "slow_ms": 5000 } }),
    ] {
        let new = authorized(&emulator, 1000).await;
        // Logged in beforehand, so that the fault meets the capture itself.
        let vipps = vipps(&emulator.url, impatient());
        vipps.get(&new.reference).await.unwrap();
        emulator.fault(fault).await;
        let lost = vipps.capture(&new.reference, 1000, "the-key").await;
        assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
        emulator.fault(json!({})).await;
        assert_eq!(
            vipps
                .capture(&new.reference, 1000, "the-key")
                .await
                .unwrap()
                .captured_ore,
            1000
        );
        assert_eq!(emulator.inspect(&new.reference).await["captures"], 1);
    }
}

#[tokio::test]
async fn more_than_there_is_is_refused() {
    let emulator = Emulator::start(options(None)).await;
    let vipps = emulator.vipps();
    let new = authorized(&emulator, 1000).await;
    assert_eq!(refusal(vipps.capture(&new.reference, 1001, "c-1").await), 400);
    let books = vipps.get(&new.reference).await.unwrap();
    assert_eq!(refusal(vipps.refund(&books, 1, "r-1").await), 400);
    vipps.capture(&new.reference, 1000, "c-2").await.unwrap();
    assert_eq!(refusal(vipps.capture(&new.reference, 1, "c-3").await), 400);
    assert_eq!(refusal(vipps.refund(&books, 1001, "r-2").await), 400);
    assert_eq!(refusal(vipps.release(&new.reference, "x-1").await), 409);
}

#[tokio::test]
async fn aborting_ends_a_payment_and_only_releasing_gives_up_a_reservation() {
    let emulator = Emulator::start(options(None)).await;
    let vipps = emulator.vipps();
    let new = new_payment(1000);
    let created = vipps.create(&new).await.unwrap();
    let ended = vipps.abort(&new.reference, "x-1").await.unwrap();
    assert_eq!((ended.state, ended.authorized_ore), (PaymentState::Terminated, 0));
    assert_eq!(vipps.abort(&new.reference, "x-1").await.unwrap(), ended);
    assert_eq!(refusal(vipps.abort(&new.reference, "x-2").await), 409);
    assert_eq!(press(&created.redirect_url, "approve").await.0, 409);
    assert_eq!(refusal(vipps.capture(&new.reference, 1000, "c-1").await), 409);

    let new = authorized(&emulator, 1000).await;
    assert_eq!(refusal(vipps.abort(&new.reference, "x-1").await), 409);
    assert_eq!(vipps.get(&new.reference).await.unwrap().collectable_ore(), 1000);
    vipps.capture(&new.reference, 300, "c-1").await.unwrap();
    let released = vipps.release(&new.reference, "x-2").await.unwrap();
    assert_eq!(
        (released.state, released.cancelled_ore, released.collectable_ore()),
        (PaymentState::Authorized, 700, 0)
    );
}

#[tokio::test]
async fn declined_and_unknown_payments_are_told_apart() {
    let emulator = Emulator::start(options(None)).await;
    let vipps = emulator.vipps();
    let new = new_payment(1000);
    let created = vipps.create(&new).await.unwrap();
    assert_eq!(
        press(&created.redirect_url, "decline").await.1["state"],
        "ABORTED"
    );
    assert_eq!(
        vipps.get(&new.reference).await.unwrap().state,
        PaymentState::Aborted
    );
    assert_eq!(press(&created.redirect_url, "approve").await.0, 409);
    assert_eq!(vipps.get("nobody-knows-this").await, Err(Error::NotFound));
    assert_eq!(
        vipps.capture("nobody-knows-this", 1, "c-1").await,
        Err(Error::NotFound)
    );
}

#[tokio::test]
async fn what_the_protocol_forbids_is_refused_before_it_is_sent() {
    let vipps = vipps("http://127.0.0.1:1", impatient());
    let good = new_payment(1000);
    for bad in [
        NewPayment {
            reference: "short".to_owned(),
            ..good.clone()
        },
        NewPayment {
            amount_ore: 0,
            ..good.clone()
        },
        NewPayment {
            return_url: "/relative".to_owned(),
            ..good.clone()
        },
    ] {
        assert!(
            matches!(vipps.create(&bad).await, Err(Error::Refused { status: 400, .. })),
            "{bad:?}"
        );
    }
    assert_eq!(refusal(vipps.get("../../accesstoken").await), 400);
    for key in ["", "with space", &"k".repeat(51), "blå"] {
        assert_eq!(
            refusal(vipps.capture(&good.reference, 1, key).await),
            400,
            "{key}"
        );
    }
    assert_eq!(refusal(vipps.capture(&good.reference, -1, "key").await), 400);
}

#[tokio::test]
async fn a_long_description_is_cut_and_a_strange_one_survives() {
    let emulator = Emulator::start(options(None)).await;
    let new = NewPayment {
        description: "Ærlig \u{1f3c1} \"<b>\\".repeat(50),
        ..new_payment(1000)
    };
    assert!(emulator.vipps().create(&new).await.is_ok());
}

#[tokio::test]
async fn expired_payments_say_so() {
    let ttl = std::time::Duration::from_millis(1);
    let emulator = Emulator::start(payments::emulator::Options {
        payment_ttl: ttl,
        ..options(None)
    })
    .await;
    let vipps = emulator.vipps();
    let new = new_payment(1000);
    let created = vipps.create(&new).await.unwrap();
    crate::running::until(async || vipps.get(&new.reference).await.unwrap().state == PaymentState::Expired)
        .await;
    assert_eq!(press(&created.redirect_url, "approve").await.0, 409);
    assert_eq!(refusal(vipps.abort(&new.reference, "x-1").await), 409);
}
