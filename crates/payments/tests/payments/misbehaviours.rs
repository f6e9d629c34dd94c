//! Each misbehaviour of the payment and of the webhooks, at both providers. Those of the API are in `both_providers`.

use payments::emulator::{Options, Webhook};
use payments::vipps::webhook::{host_of, verify};
use payments::{Error, Limits, NewPayment, Payment, PaymentProvider, PaymentState, nexi};
use secret::Secret;
use serde_json::{Value, json};

use crate::inbox::{Delivered, Inbox};
use crate::running::{
    BOTH, Emulator, Kind, NEXI_AUTHORIZATION, SECRET, approved, impatient, in_time, new_payment, options,
    press, until,
};

/// An emulator that tells everything to the inbox.
async fn telling(inbox: &Inbox) -> Emulator {
    Emulator::start(Options {
        webhook: Some(Webhook {
            url: format!("{}/hooks/vipps", inbox.url),
            secret: SECRET.to_owned(),
            merchant_serial_number: "123456".to_owned(),
        }),
        ..options(None)
    })
    .await
}

fn payment_to(inbox: &Inbox) -> NewPayment {
    NewPayment {
        webhook_url: Some(format!("{}/hooks/nexi", inbox.url)),
        ..new_payment(1000)
    }
}

/// Whether a receiver that knows the secrets would take it.
fn is_genuine(inbox: &Inbox, delivered: &Delivered) -> bool {
    if delivered.body["event"].is_string() {
        return nexi::webhook::verify(&Secret::new(NEXI_AUTHORIZATION), &delivered.headers).is_ok();
    }
    let (host, body) = (host_of(&inbox.url).unwrap(), delivered.body.to_string());
    let path = &delivered.path_and_query;
    verify(SECRET, "POST", path, &host, &delivered.headers, body.as_bytes()).is_ok()
}

/// How the customer's approval goes with this fault.
async fn approved_with(kind: Kind, fault: Value) -> (Emulator, Payment) {
    let emulator = Emulator::start(options(None)).await;
    emulator.rule(json!({ "fault": fault })).await;
    let adapter = kind.adapter(&emulator.url, Limits::default());
    let created = approved(adapter.as_ref(), &new_payment(1000)).await;
    let payment = adapter.get(&created.payment_id).await.unwrap();
    (emulator, payment)
}

#[tokio::test]
async fn amounts_differ() {
    for kind in BOTH {
        for (differs, authorized) in [(-100, 900), (50, 1050), (-5000, 1)] {
            let (_, payment) = approved_with(kind, json!({ "approve_differs": differs })).await;
            assert_eq!((payment.amount_ore, payment.authorized_ore), (1000, authorized));
        }
    }
}

#[tokio::test]
async fn an_approval_is_a_decline_or_nothing() {
    let (_, declined) = approved_with(Kind::Vipps, json!("decline")).await;
    assert_eq!(declined.state, PaymentState::Aborted);
    for (kind, fault) in [
        (Kind::Nexi, "decline"),
        (Kind::Nexi, "abandon"),
        (Kind::Vipps, "abandon"),
    ] {
        let (_, waiting) = approved_with(kind, json!(fault)).await;
        assert_eq!(waiting.state, PaymentState::Created, "{kind:?} {fault}");
    }
}

#[tokio::test]
async fn a_person_takes_a_part_and_gives_a_part_back() {
    for kind in BOTH {
        let (emulator, payment) = approved_with(kind, json!({ "portal_capture": 30 })).await;
        assert_eq!((payment.captured_ore, payment.collectable_ore()), (300, 700));
        emulator.rule(json!({ "fault": { "portal_refund": 50 } })).await;
        let adapter = kind.adapter(&emulator.url, Limits::default());
        adapter.capture(&payment.payment_id, 700, "c").await.unwrap();
        let found = adapter.get(&payment.payment_id).await.unwrap();
        assert_eq!((found.captured_ore, found.refunded_ore), (1000, 350), "{kind:?}");
    }
}

#[tokio::test]
async fn a_reservation_runs_out() {
    for kind in BOTH {
        let (emulator, held) = approved_with(kind, json!({ "reservation_ends_ms": 1 })).await;
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let id = held.payment_id.as_str();
        until(async || adapter.get(id).await.unwrap().collectable_ore() == 0).await;
        let gone = adapter.get(id).await.unwrap();
        assert_eq!((gone.state, gone.cancelled_ore), (PaymentState::Authorized, 1000));
        let late = adapter.capture(id, 1000, "c").await;
        assert!(matches!(late, Err(Error::Refused { .. })), "{kind:?}: {late:?}");
    }
}

#[tokio::test]
async fn the_provider_refuses_a_capture_and_a_refund() {
    let emulator = Emulator::start(options(None)).await;
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, impatient());
        let created = approved(adapter.as_ref(), &new_payment(1000)).await;
        let id = created.payment_id.as_str();
        emulator
            .rule(json!({ "fault": { "refuse": 402 }, "operation": "capture", "next": 1 }))
            .await;
        let refused = adapter.capture(id, 1000, "c").await;
        assert!(
            matches!(refused, Err(Error::Refused { status: 402, .. })),
            "{refused:?}"
        );
        let paid = adapter.capture(id, 1000, "c").await.unwrap();
        emulator
            .rule(json!({ "fault": { "refuse": 409 }, "operation": "refund", "reference": id }))
            .await;
        let refused = adapter.refund(&paid, 1000, "r").await;
        assert!(
            matches!(refused, Err(Error::Refused { status: 409, .. })),
            "{refused:?}"
        );
        assert_eq!(adapter.get(id).await.unwrap().refunded_ore, 0);
        emulator.fault(json!({})).await;
        assert_eq!(adapter.refund(&paid, 1000, "r").await.unwrap().refunded_ore, 1000);
    }
}

#[tokio::test]
async fn a_webhook_comes_before_the_redirect() {
    for kind in BOTH {
        let inbox = Inbox::start().await;
        let emulator = telling(&inbox).await;
        emulator
            .rule(json!({ "fault": "approve_first", "operation": "create" }))
            .await;
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let created = adapter.create(&payment_to(&inbox)).await.unwrap();
        let seen = inbox.seen();
        let authorized = |delivered: &Delivered| {
            ["AUTHORIZED", "payment.reservation.created.v2"].contains(&delivered.name())
        };
        assert!(seen.iter().any(authorized), "{kind:?}");
        let paid = adapter.get(&created.payment_id).await.unwrap();
        assert_eq!(paid.state, PaymentState::Authorized);
    }
    let inbox = Inbox::start().await;
    let emulator = telling(&inbox).await;
    emulator.rule(json!({ "fault": "webhook_first" })).await;
    emulator.vipps().create(&payment_to(&inbox)).await.unwrap();
    assert_eq!(inbox.seen()[0].name(), "CREATED");
}

/// The webhooks of a payment that was approved and captured with this fault, once nothing is pending.
async fn told_with(kind: Kind, rule: Value) -> (Inbox, Vec<Delivered>) {
    let inbox = Inbox::start().await;
    let emulator = telling(&inbox).await;
    emulator.rule(rule).await;
    let adapter = kind.adapter(&emulator.url, Limits::default());
    let created = approved(adapter.as_ref(), &payment_to(&inbox)).await;
    adapter.capture(&created.payment_id, 1000, "c").await.unwrap();
    until(async || emulator.inspect(&created.payment_id).await["webhooks_pending"] == 0).await;
    let seen = inbox.seen();
    (inbox, seen)
}

fn captured(delivered: &Delivered) -> bool {
    ["CAPTURED", "payment.charge.created.v2"].contains(&delivered.name())
}

/// CREATED, AUTHORIZED, CAPTURED; and reservation, checkout, charge.
const TOLD: usize = 3;

#[tokio::test]
async fn webhooks_are_lost_doubled_and_late() {
    for kind in BOTH {
        let (_, seen) = told_with(kind, json!({ "fault": "webhook_drop", "probability": 1 })).await;
        assert!(seen.is_empty(), "{kind:?}");
        let (_, seen) = told_with(kind, json!({ "fault": "webhook_duplicate" })).await;
        assert_eq!(seen.len(), 2 * TOLD, "{kind:?}");
        assert_eq!(seen[0].body, seen[1].body);
        let (_, seen) = told_with(kind, json!({ "fault": { "webhook_delay_ms": 20 } })).await;
        assert_eq!(seen.len(), TOLD, "{kind:?}");
    }
}

#[tokio::test]
async fn webhooks_overtake_each_other() {
    for kind in BOTH {
        let (_, seen) = told_with(kind, json!({ "fault": "webhook_out_of_order" })).await;
        let names: Vec<&str> = seen.iter().map(Delivered::name).collect();
        let expected = match kind {
            Kind::Vipps => ["AUTHORIZED", "CREATED", "CAPTURED"],
            Kind::Nexi => [
                "payment.charge.created.v2",
                "payment.reservation.created.v2",
                "payment.checkout.completed",
            ],
        };
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn webhooks_are_forged_and_spoilt() {
    for kind in BOTH {
        let (inbox, seen) = told_with(kind, json!({ "fault": "webhook_forged" })).await;
        let genuine: Vec<bool> = seen.iter().map(|one| is_genuine(&inbox, one)).collect();
        assert_eq!(
            genuine.iter().filter(|genuine| **genuine).count(),
            TOLD,
            "{kind:?}"
        );
        assert_eq!(genuine.len(), 2 * TOLD);
        assert!(!genuine[0], "the forged one is first");
        let forged = seen.iter().find(|one| captured(one)).unwrap();
        let amount = [
            &forged.body["amount"]["value"],
            &forged.body["data"]["amount"]["amount"],
        ];
        assert!(amount.contains(&&json!(10_000)), "{}", forged.body);

        // This inbox takes it; the others are genuine.
        let (inbox, seen) = told_with(kind, json!({ "fault": "webhook_spoilt", "next": 1 })).await;
        let genuine: Vec<bool> = seen.iter().map(|one| is_genuine(&inbox, one)).collect();
        let expected = match kind {
            Kind::Vipps => [false, true, true],
            // The first change is told in two webhooks.
            Kind::Nexi => [false, false, true],
        };
        assert_eq!(genuine, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn a_webhook_lies_about_the_amount() {
    for kind in BOTH {
        let (inbox, seen) = told_with(kind, json!({ "fault": { "webhook_amount": 500 } })).await;
        let told = seen.iter().find(|one| captured(one)).unwrap();
        assert!(is_genuine(&inbox, told), "{kind:?}");
        let amount = [
            &told.body["amount"]["value"],
            &told.body["data"]["amount"]["amount"],
        ];
        assert!(amount.contains(&&json!(1500)), "{}", told.body);
    }
}

#[tokio::test]
async fn the_books_have_every_movement() {
    let emulator = Emulator::start(options(None)).await;
    let mut expected = Vec::new();
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        for _ in 0..3 {
            let created = approved(adapter.as_ref(), &new_payment(1000)).await;
            adapter.capture(&created.payment_id, 1000, "c").await.unwrap();
            expected.push(created.payment_id);
        }
    }
    let (mut found, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let url = format!("{}/emulator/books?after={from}&limit=4", emulator.url);
        let page: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        found.extend(page["payments"].as_array().unwrap().clone());
        after = page["next"].as_u64();
    }
    let ids: Vec<&str> = found
        .iter()
        .map(|one| one["payment_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, expected);
    for one in &found {
        assert_eq!(
            (&one["captured_ore"], &one["captures"]),
            (&json!(1000), &json!(1))
        );
        let moves: Vec<&Value> = one["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| &m["name"])
            .collect();
        assert_eq!(moves, ["CREATED", "AUTHORIZED", "CAPTURED"]);
    }
    assert_eq!(found[5]["provider"], "nexi");
}

#[tokio::test]
async fn the_portal_lets_a_reservation_run_out() {
    let emulator = Emulator::start(options(None)).await;
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let created = approved(adapter.as_ref(), &new_payment(1000)).await;
        let url = format!("{}/portal/{}/expire", emulator.url, created.payment_id);
        let done = in_time(reqwest::Client::new().post(url).send()).await.unwrap();
        assert_eq!(done.status(), 200);
        let gone = adapter.get(&created.payment_id).await.unwrap();
        assert_eq!((gone.collectable_ore(), gone.cancelled_ore), (0, 1000));
    }
}

#[tokio::test]
async fn a_second_press_changes_nothing() {
    let emulator = Emulator::start(options(None)).await;
    emulator.rule(json!({ "fault": { "portal_capture": 10 } })).await;
    for kind in BOTH {
        let adapter = kind.adapter(&emulator.url, Limits::default());
        let created = approved(adapter.as_ref(), &new_payment(1000)).await;
        assert_eq!(press(&created.redirect_url, "approve").await.0, 200);
        assert_eq!(adapter.get(&created.payment_id).await.unwrap().captured_ore, 100);
    }
}
