//! The port's contract, held by both adapters against the emulator.

use std::time::Duration;

use payments::{Error, Limits, Payment, PaymentProvider, PaymentState};
use serde_json::json;

use crate::running::{BOTH, Emulator, Kind, approved, impatient, new_payment, options, press, until};

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
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let new = new_payment(45_000);
        let created = adapter.create(&new).await.unwrap();
        let id = created.payment_id.as_str();
        assert_eq!(id == new.reference, kind == Kind::Vipps);
        let waiting = adapter.get(id).await.unwrap();
        assert_eq!(
            (waiting.state, waiting.authorized_ore),
            (PaymentState::Created, 0)
        );
        assert_eq!(
            (
                waiting.reference.as_str(),
                waiting.payment_id.as_str(),
                waiting.amount_ore
            ),
            (new.reference.as_str(), id, 45_000)
        );
        press(&created.redirect_url, "approve").await;
        let held = adapter.get(id).await.unwrap();
        assert_eq!(
            (held.state, held.collectable_ore()),
            (PaymentState::Authorized, 45_000)
        );

        let part = adapter.capture(id, 20_000, "capture-1").await.unwrap();
        assert_eq!((part.captured_ore, part.collectable_ore()), (20_000, 25_000));
        let all = adapter.capture(id, 25_000, "capture-2").await.unwrap();
        assert_eq!(all.captured_ore, 45_000);
        // Over the border between two captures.
        let back = adapter.refund(&all, 30_000, "refund-1").await.unwrap();
        assert_eq!((back.state, back.kept_ore()), (PaymentState::Authorized, 15_000));
        let rest = adapter.refund(&back, 15_000, "refund-2").await.unwrap();
        assert_eq!((rest.refunded_ore, rest.kept_ore()), (45_000, 0));
        assert_eq!(adapter.get(id).await.unwrap(), rest);
    }
}

#[tokio::test]
async fn one_key_is_one_change_also_when_it_is_repeated_with_what_was_read_before() {
    let emulator = Emulator::start(options(None)).await;
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let created = approved(adapter.as_ref(), &new_payment(1000)).await;
        let id = created.payment_id.as_str();
        let captured = adapter.capture(id, 400, "the-key").await.unwrap();
        assert_eq!(adapter.capture(id, 400, "the-key").await.unwrap(), captured);
        assert_eq!(refusal(adapter.capture(id, 500, "the-key").await), 409);
        let captured = adapter.capture(id, 600, "another-key").await.unwrap();
        for _ in 0..3 {
            let refunded = adapter.refund(&captured, 700, "the-refund").await.unwrap();
            assert_eq!(refunded.refunded_ore, 700, "{kind:?}");
        }
        let book = emulator.inspect(id).await;
        assert_eq!(
            (&book["captures"], &book["captured_ore"]),
            (&json!(2), &json!(1000))
        );
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_moves_money_once() {
    let emulator = Emulator::start(options(None)).await;
    let faults = [
        json!("answer_lost"),
        json!("answer_never"),
        json!({ "reset": "answer" }),
        json!({ "slow_ms": 60_000 }),
    ];
    for kind in BOTH {
        for fault in &faults {
            let adapter = kind.adapter(&emulator.url, impatient());
            let created = approved(adapter.as_ref(), &new_payment(1000)).await;
            let id = created.payment_id.as_str();
            emulator
                .rule(json!({ "fault": fault, "operation": "capture" }))
                .await;
            let lost = adapter.capture(id, 1000, "the-key").await;
            assert!(
                matches!(lost, Err(Error::Unavailable(_))),
                "{kind:?} {fault}: {lost:?}"
            );
            assert_eq!(emulator.inspect(id).await["captured_ore"], 1000);
            emulator
                .rule(json!({ "fault": fault, "operation": "refund" }))
                .await;
            let captured = adapter.capture(id, 1000, "the-key").await.unwrap();
            let lost = adapter.refund(&captured, 1000, "refund").await;
            assert!(
                matches!(lost, Err(Error::Unavailable(_))),
                "{kind:?} {fault}: {lost:?}"
            );
            emulator.fault(json!({})).await;
            let back = adapter.refund(&captured, 1000, "refund").await.unwrap();
            assert_eq!(back.refunded_ore, 1000);
            let book = emulator.inspect(id).await;
            assert_eq!((&book["captures"], &book["refunds"]), (&json!(1), &json!(1)));
        }
    }
}

#[tokio::test]
async fn a_failure_before_the_work_is_not_noticed() {
    let emulator = Emulator::start(options(None)).await;
    for kind in BOTH {
        for fault in [json!({ "fail": 500 }), json!({ "reset": "work" })] {
            let adapter = kind.adapter(&emulator.url, impatient());
            let created = approved(adapter.as_ref(), &new_payment(1000)).await;
            emulator
                .rule(json!({ "fault": fault, "operation": "capture", "next": 2 }))
                .await;
            let captured = adapter.capture(&created.payment_id, 1000, "k").await.unwrap();
            assert_eq!(captured.captured_ore, 1000, "{kind:?} {fault}");
            assert_eq!(emulator.inspect(&created.payment_id).await["captures"], 1);
        }
    }
}

#[tokio::test]
async fn too_many_requests_are_not_followed_by_more() {
    let emulator = Emulator::start(options(None)).await;
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, impatient());
        let created = approved(adapter.as_ref(), &new_payment(1000)).await;
        emulator
            .rule(json!({ "fault": { "too_many_requests": 7 }, "operation": "capture" }))
            .await;
        let tried = adapter.capture(&created.payment_id, 1000, "k").await;
        assert_eq!(tried, Err(Error::Unavailable("too many requests".to_owned())));
        let faults = reqwest::get(format!("{}/emulator/faults", emulator.url))
            .await
            .unwrap();
        let faults: serde_json::Value = faults.json().await.unwrap();
        assert_eq!(faults["applied"], json!([1]), "{kind:?}");
    }
}

#[tokio::test]
async fn more_than_there_is_is_refused() {
    let emulator = Emulator::start(options(None)).await;
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let created = approved(adapter.as_ref(), &new_payment(1000)).await;
        let id = created.payment_id.as_str();
        assert_eq!(refusal(adapter.capture(id, 1001, "c-1").await), 400);
        let books = adapter.get(id).await.unwrap();
        assert_eq!(refusal(adapter.refund(&books, 1, "r-1").await), 400);
        let books = adapter.capture(id, 1000, "c-2").await.unwrap();
        assert_eq!(refusal(adapter.refund(&books, 1001, "r-2").await), 400);
        for amount_ore in [0, -1] {
            assert_eq!(refusal(adapter.capture(id, amount_ore, "c-3").await), 400);
            assert_eq!(refusal(adapter.refund(&books, amount_ore, "r-3").await), 400);
        }
    }
}

#[tokio::test]
async fn aborting_ends_a_payment_and_only_releasing_gives_up_a_reservation() {
    let emulator = Emulator::start(options(None)).await;
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let created = adapter.create(&new_payment(1000)).await.unwrap();
        let id = created.payment_id.as_str();
        let ended = adapter.abort(id, "x-1").await.unwrap();
        assert_eq!((ended.state, ended.authorized_ore), (PaymentState::Terminated, 0));
        assert_eq!(adapter.abort(id, "x-1").await.unwrap(), ended);
        assert_eq!(press(&created.redirect_url, "approve").await.0, 409);
        refusal(adapter.capture(id, 1000, "c-1").await);

        let created = approved(adapter.as_ref(), &new_payment(1000)).await;
        let id = created.payment_id.as_str();
        refusal(adapter.abort(id, "x-1").await);
        assert_eq!(adapter.get(id).await.unwrap().collectable_ore(), 1000, "{kind:?}");
        adapter.capture(id, 300, "c-1").await.unwrap();
        for _ in 0..2 {
            let released = adapter.release(id, "x-2").await.unwrap();
            assert_eq!(
                (released.state, released.cancelled_ore, released.collectable_ore()),
                (PaymentState::Authorized, 700, 0)
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_payment_is_not_found() {
    let emulator = Emulator::start(options(None)).await;
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let nobody = "nobody-knows-this";
        assert_eq!(adapter.get(nobody).await, Err(Error::NotFound));
        assert_eq!(adapter.capture(nobody, 1, "c-1").await, Err(Error::NotFound));
        assert_eq!(adapter.abort(nobody, "x-1").await, Err(Error::NotFound));
        refusal(adapter.get("../../v1/payments").await);
        refusal(adapter.capture(nobody, 1, "with space").await);
    }
}

#[tokio::test]
async fn a_payment_of_one_provider_is_none_at_the_other() {
    let emulator = Emulator::start(options(None)).await;
    let (vipps, nexi) = (emulator.vipps(), emulator.nexi());
    let at_vipps = approved(&vipps, &new_payment(1000)).await.payment_id;
    let at_nexi = approved(&nexi, &new_payment(1000)).await.payment_id;
    assert_eq!(nexi.get(&at_vipps).await, Err(Error::NotFound));
    assert_eq!(vipps.get(&at_nexi).await, Err(Error::NotFound));
    assert_eq!(nexi.capture(&at_vipps, 1000, "k").await, Err(Error::NotFound));
    assert_eq!(vipps.release(&at_nexi, "k").await, Err(Error::NotFound));
}

#[tokio::test]
async fn a_payment_that_nobody_answers_is_over_in_time() {
    let emulator = Emulator::start(payments::emulator::Options {
        payment_ttl: Duration::from_millis(1),
        ..options(None)
    })
    .await;
    for (kind, state) in [
        (Kind::Vipps, PaymentState::Expired),
        (Kind::Nexi, PaymentState::Terminated),
    ] {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let created = adapter.create(&new_payment(1000)).await.unwrap();
        until(async || adapter.get(&created.payment_id).await.unwrap().state == state).await;
        assert_eq!(press(&created.redirect_url, "approve").await.0, 409);
    }
}
