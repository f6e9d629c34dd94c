//! Licenses whose money can't be collected: recorded once, listed until decided, and decided by policy or by staff.

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::{Answer, Shop, eventually};

use super::{events, held, order_where, payment_where, portal};

/// The exit code and output of `command-api payments uncollected --json`.
async fn uncollected(shop: &Shop) -> (Option<i32>, Value) {
    let arguments = ["payments", "uncollected", "--json"];
    let mut command = shop.system.command(Process::CommandApi, &arguments).unwrap();
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), serde_json::from_str(&said).unwrap())
}

/// An order with its licenses, whose capture the provider holds.
async fn capture_held(shop: &Shop, key: &str) -> String {
    shop.provider_faults(&json!({"hold": {"operation": "capture", "before": "work"}}))
        .await;
    let placed = shop.place(key, &shop.order_of(key)).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.order_with_status(&order_id, "fulfilled").await;
    held(shop, "capture", 1).await;
    order_id
}

async fn resolve(shop: &Shop, order_id: &str, key: &str, action: &str) -> Answer {
    let body = json!({"action": action, "reason": "stengt bane"});
    let path = format!("/orders/{order_id}/capture-resolution");
    shop.post(&path, &shop.tokens.staff, key, &body).await
}

#[tokio::test]
async fn a_voided_reservation_is_listed_until_its_licenses_are_revoked() {
    let shop = Shop::open(Options::default()).await;
    assert_eq!(uncollected(&shop).await, (Some(0), json!([])));
    let order_id = capture_held(&shop, "k").await;
    portal(&shop, &order_id, "void", &json!({})).await;
    shop.provider_faults(&json!({})).await;
    let order = shop.order_with_status(&order_id, "capture_failed").await;
    assert_eq!(order["payment"]["capture_failure"], "reservation_gone");
    // The task has ended: a capture that the books prove impossible is not repeated.
    let of_kind = async |kind: &str| shop.command_metric("bilsport_process_tasks{", kind).await;
    eventually(
        "one decision is waited for, and nothing is to be captured",
        async || {
            let waits = (of_kind("resolve").await, of_kind("capture").await);
            (waits == (Some(1.0), Some(0.0))).then_some(())
        },
    )
    .await;
    let failures = shop
        .command_metric("bilsport_payments_capture_failures_total", "reservation_gone")
        .await;
    assert_eq!(failures, Some(1.0));
    let (code, list) = uncollected(&shop).await;
    assert_eq!(code, Some(1));
    assert_eq!(list[0]["order_id"], order_id, "{list}");
    let sums: Vec<_> = ["due_ore", "collected_ore", "collectable_ore"]
        .map(|name| list[0][name].as_i64())
        .into();
    assert_eq!(sums, [Some(42_000), Some(0), Some(0)]);
    let licenses = shop.licenses_of(&order_id).await;
    assert_eq!(list[0]["license_ids"], json!([licenses[0]["license_id"]]));

    let path = format!("/orders/{order_id}/capture-resolution");
    let revoke = json!({"action": "revoke", "reason": "stengt bane"});
    shop.post(&path, &shop.tokens.customer, "a", &revoke)
        .await
        .expect(403);
    resolve(&shop, &uuid::Uuid::now_v7().to_string(), "a", "revoke")
        .await
        .expect(404);
    let nothing = resolve(&shop, &order_id, "b", "collect_rest").await.expect(409);
    assert_eq!(nothing.text_at("/code"), "nothing_to_collect");
    assert_eq!(
        resolve(&shop, &order_id, "c", "forget").await.status.as_u16() / 100,
        4
    );
    let unsaid = shop
        .post(
            &path,
            &shop.tokens.staff,
            "d",
            &json!({"action": "revoke", "reason": " "}),
        )
        .await;
    assert_eq!(unsaid.expect(422).text_at("/errors/0/pointer"), "/reason");

    let revoked = resolve(&shop, &order_id, "e", "revoke").await.expect(200);
    assert_eq!(revoked.text_at("/status"), "refund_pending");
    let again = resolve(&shop, &order_id, "e", "revoke").await.expect(200);
    assert_eq!(
        (&again.text, again.header("idempotency-replayed")),
        (&revoked.text, Some("true"))
    );
    assert_eq!(
        resolve(&shop, &order_id, "f", "write_off")
            .await
            .expect(409)
            .text_at("/code"),
        "order_state"
    );
    shop.order_with_status(&order_id, "refunded").await;
    eventually("the license is revoked", async || {
        let path = format!("/licenses?status=revoked&order_id={order_id}");
        let page = shop.get(&path, &shop.tokens.staff).await.expect(200);
        (page.body["items"].as_array()?.len() == 1).then_some(())
    })
    .await;
    assert_eq!(uncollected(&shop).await, (Some(0), json!([])));
    shop.close().await;
}

#[tokio::test]
async fn a_part_that_somebody_collected_under_our_key_is_made_whole_by_the_policy() {
    let shop = Shop::open(Options::default()).await;
    let order_id = capture_held(&shop, "k").await;
    let ours = format!("capture-{}", order_id.replace('-', ""));
    portal(
        &shop,
        &order_id,
        "capture",
        &json!({"amount_ore": 10_000, "idempotency_key": ours}),
    )
    .await;
    shop.provider_faults(&json!({})).await;
    let payment = payment_where(&shop, &order_id, "whole", |payment| {
        payment["captured_ore"] == 42_000
    })
    .await;
    assert_eq!(payment["captures"], 2, "{payment}");
    let order = order_where(&shop, &order_id, "whole", |order| {
        order["payment"]["captured_ore"] == 42_000
    })
    .await;
    assert_eq!(
        (&order["status"], &order["payment"]["capture_failure"]),
        (&json!("fulfilled"), &Value::Null)
    );
    let events = events(&shop, &order_id).await;
    let last: Vec<&str> = events.iter().map(String::as_str).skip(4).collect();
    assert_eq!(last, ["CaptureFailed", "CaptureResolved", "PaymentCaptured"]);
    let version =
        "select payload::json ->> 'policy_version' from events where event_type = 'CaptureResolved'";
    let version: String = super::log(&shop)
        .await
        .query_one(version, &[])
        .await
        .unwrap()
        .get(0);
    let policy: Value = serde_json::from_str(include_str!("../../../data/capture-policy.json")).unwrap();
    assert_eq!(version, policy["version"].as_str().unwrap());
    shop.close().await;
}

#[tokio::test]
async fn without_a_policy_staff_decides_and_what_is_written_off_is_not_held_any_more() {
    let file = std::env::temp_dir().join(format!("capture-policy-{}.json", uuid::Uuid::now_v7()));
    std::fs::write(&file, r#"{"version": "ask", "by_reason": {}}"#).unwrap();
    let options = Options {
        env: vec![(
            Process::CommandApi,
            "CAPTURE_POLICY_FILE".into(),
            file.display().to_string(),
        )],
        ..Options::default()
    };
    let shop = Shop::open(options).await;
    for (key, action, captured, cancelled) in [
        ("a", "write_off", 10_000, 32_000),
        ("b", "collect_rest", 42_000, 0),
    ] {
        let order_id = capture_held(&shop, key).await;
        portal(&shop, &order_id, "capture", &json!({"amount_ore": 10_000})).await;
        shop.provider_faults(&json!({})).await;
        shop.order_with_status(&order_id, "capture_failed").await;
        resolve(&shop, &order_id, &format!("{key}-r"), action)
            .await
            .expect(200);
        payment_where(&shop, &order_id, "as decided", |payment| {
            payment["captured_ore"] == captured && payment["cancelled_ore"] == cancelled
        })
        .await;
        let order = order_where(&shop, &order_id, "as decided", |order| {
            order["status"] == "fulfilled" && order["payment"]["captured_ore"] == captured
        })
        .await;
        assert_eq!(order["payment"]["written_off_ore"], cancelled);
        assert_eq!(shop.licenses_of(&order_id).await[0]["status"], "issued");
    }
    std::fs::remove_file(&file).unwrap();
    shop.close().await;
}

/// The step before which command-api is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Killed {
    Capture,
    SecondRead,
    Commit,
}

#[tokio::test]
async fn a_capture_that_can_not_succeed_is_said_once_wherever_command_api_dies() {
    let shop = Shop::open(Options::default()).await;
    for killed in [Killed::Capture, Killed::SecondRead, Killed::Commit] {
        let order_id = capture_held(&shop, &format!("{killed:?}")).await;
        let log = super::log(&shop).await;
        if killed == Killed::Commit {
            // Before the void, since its webhook may record the failure first.
            log.batch_execute("begin; select from log_head for update")
                .await
                .unwrap();
        }
        portal(&shop, &order_id, "void", &json!({})).await;
        match killed {
            Killed::Capture => shop.system.kill(Process::CommandApi).await.unwrap(),
            Killed::SecondRead => {
                shop.provider_faults(
                    &json!({"webhooks": "drop", "hold": {"operation": "get", "before": "work"}}),
                )
                .await;
                held(&shop, "get", 1).await;
                shop.system.kill(Process::CommandApi).await.unwrap();
            }
            Killed::Commit => {
                shop.provider_faults(&json!({})).await;
                super::races::append_waits(&log).await;
                shop.system.kill(Process::CommandApi).await.unwrap();
                log.batch_execute("commit").await.unwrap();
            }
        }
        shop.provider_faults(&json!({})).await;
        shop.system.wait_ready(Process::CommandApi).await.unwrap();
        shop.order_with_status(&order_id, "capture_failed").await;
        resolve(&shop, &order_id, &format!("{killed:?}-r"), "revoke")
            .await
            .expect(200);
        // Between the decision and what follows from it.
        shop.system.kill(Process::CommandApi).await.unwrap();
        shop.system.wait_ready(Process::CommandApi).await.unwrap();
        shop.order_with_status(&order_id, "refunded").await;
        eventually("the license is revoked", async || {
            (shop.licenses_of(&order_id).await[0]["status"] == "revoked").then_some(())
        })
        .await;
        let events = events(&shop, &order_id).await;
        let last: Vec<&str> = events.iter().map(String::as_str).skip(4).collect();
        assert_eq!(
            last,
            ["CaptureFailed", "CaptureResolved", "OrderRefunded"],
            "{killed:?}"
        );
    }
    shop.close().await;
}
