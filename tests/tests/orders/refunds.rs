//! `POST /orders/{order_id}/refunds` and `POST /licenses/{license_id}/revoke` with `refund`: to the øre, once, and never a
//! valid license whose money went back.

use chrono::Utc;
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::{Answer, Shop, books, eventually};

use super::{events, held, held_money, hold, license_statuses, no_tasks, order_where, refund};

const PRICES: [i64; 3] = [42_000, 22_000, 42_000];
const TOTAL: i64 = 106_000;

/// Three licenses of three holders.
fn three(shop: &Shop, key: &str) -> Value {
    let mut order = shop.order();
    order["lines"] = json!([
        shop.line("konkurranse-bilcross", &format!("Kari {key}")),
        shop.line("banedag-racing", &format!("Ola {key}")),
        shop.line("konkurranse-bilcross", &format!("Eva {key}")),
    ]);
    order
}

async fn bought(shop: &Shop, key: &str) -> String {
    let placed = shop.place(key, &three(shop, key)).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id").to_owned();
    order_where(shop, &order_id, "collected", |order| {
        order["payment"]["captured_ore"] == TOTAL
    })
    .await;
    order_id
}

fn because(lines: Value) -> Value {
    let mut body = json!({"reason": "Løpet er avlyst"});
    if !lines.is_null() {
        body["lines"] = lines;
    }
    body
}

#[tokio::test]
async fn lines_and_then_the_rest_go_back_to_the_ore_and_free_their_days() {
    let shop = Shop::open(Options::default()).await;
    let order_id = bought(&shop, "lines").await;
    let asked = refund(&shop, &order_id, "two", &because(json!([2])))
        .await
        .expect(202);
    assert_eq!(
        (
            &asked.body["status"],
            &asked.body["refund_state"],
            &asked.body["refunds"]
        ),
        (
            &json!("fulfilled"),
            &json!("pending"),
            &json!([{"line": 2, "amount_ore": PRICES[1], "state": "pending"}])
        )
    );
    // The license ended with the command, and its day is free at once.
    let mut again = shop.order();
    again["lines"] = json!([shop.line("banedag-racing", "Ola lines")]);
    shop.place("again", &again).await.expect(201);
    let replay = refund(&shop, &order_id, "two", &because(json!([2])))
        .await
        .expect(202);
    assert_eq!(
        (&replay.text, replay.header("idempotency-replayed")),
        (&asked.text, Some("true"))
    );
    let order = order_where(&shop, &order_id, "refunded in part", |order| {
        order["payment"]["refund_state"] == "refunded"
    })
    .await;
    assert_eq!(
        (
            &order["status"],
            &order["payment"]["refunded_ore"],
            &order["refunds"][0]["state"]
        ),
        (&json!("fulfilled"), &json!(PRICES[1]), &json!("refunded"))
    );
    assert_eq!(
        license_statuses(&shop, &order_id).await,
        ["issued", "revoked", "issued"]
    );
    let payment = shop.payment(&order_id).await;
    assert_eq!(
        (held_money(&payment), &payment["refunds"]),
        (TOTAL - PRICES[1], &json!(1)),
        "{payment}"
    );
    // Once more under another key: nothing is left of that line.
    let twice = refund(&shop, &order_id, "twice", &because(json!([2])))
        .await
        .expect(202);
    assert_eq!(twice.body["refund_state"], "refunded");

    let rest = refund(&shop, &order_id, "rest", &because(Value::Null))
        .await
        .expect(202);
    assert_eq!(rest.text_at("/status"), "refund_pending");
    let order = shop.order_with_status(&order_id, "refunded").await;
    assert_eq!(order["payment"]["refunded_ore"], TOTAL);
    assert_eq!(license_statuses(&shop, &order_id).await, ["revoked"; 3]);
    let payment = shop.payment(&order_id).await;
    assert_eq!(
        (held_money(&payment), &payment["refunds"]),
        (0, &json!(2)),
        "{payment}"
    );
    let last = refund(&shop, &order_id, "last", &because(Value::Null))
        .await
        .expect(202);
    assert_eq!(last.text_at("/status"), "refunded");
    books::verify(&shop).await;
    shop.close().await;
}

#[tokio::test]
async fn what_is_not_staffs_or_not_the_orders_is_refused() {
    let shop = Shop::open(Options::default()).await;
    let order_id = bought(&shop, "refused").await;
    let path = format!("/orders/{order_id}/refunds");
    for token in [&shop.tokens.customer, &shop.tokens.organizer] {
        shop.post(&path, token, "who", &because(json!([1])))
            .await
            .expect(403);
    }
    let unknown = uuid::Uuid::now_v7().to_string();
    refund(&shop, &unknown, "unknown", &because(Value::Null))
        .await
        .expect(404);
    for (key, lines, pointer, code) in [
        ("none", json!([]), "/lines", "required"),
        ("four", json!([1, 4]), "/lines/1", "line_unknown"),
    ] {
        let refused = refund(&shop, &order_id, key, &because(lines)).await.expect(422);
        assert_eq!(
            (
                refused.text_at("/errors/0/pointer"),
                refused.text_at("/errors/0/code")
            ),
            (pointer, code)
        );
    }
    refund(&shop, &order_id, "minus", &because(json!([-1])))
        .await
        .expect(400);
    assert_eq!(license_statuses(&shop, &order_id).await, ["issued"; 3]);
    shop.close().await;
}

#[tokio::test]
async fn an_order_that_is_not_paid_is_not_refunded() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("k", &shop.order()).await.expect(201);
    let order_id = placed.text_at("/order_id");
    let refused = refund(&shop, order_id, "r", &because(Value::Null))
        .await
        .expect(409);
    assert_eq!(refused.text_at("/code"), "order_state");
    let path = format!("/orders/{order_id}/refunds");
    let stale = format!("{}/api/v1{path}", shop.system.command_api_url());
    let stale = shop.http().post(stale).bearer_auth(&shop.tokens.staff);
    let stale = stale
        .header("Idempotency-Key", "stale")
        .header("If-Match", "\"9\"");
    let stale = system_tests::answer(stale.json(&because(Value::Null)))
        .await
        .unwrap();
    assert_eq!(stale.expect(412).text_at("/code"), "version_mismatch");
    shop.close().await;
}

/// The capture of everything is on its way when staff decides.
#[tokio::test]
async fn a_refund_while_the_capture_is_under_way_leaves_what_the_other_lines_cost() {
    let shop = Shop::open(Options::default()).await;
    for (key, before, killed) in [
        ("work", "work", false),
        ("answer", "answer", false),
        ("work-killed", "work", true),
        ("answer-killed", "answer", true),
    ] {
        shop.provider_faults(&hold("capture", before)).await;
        let placed = shop.place(key, &three(&shop, key)).await.expect(201);
        let order_id = placed.text_at("/order_id");
        shop.at_provider(&placed, "approve").await.expect(200);
        shop.order_with_status(order_id, "fulfilled").await;
        held(&shop, "capture").await;
        refund(&shop, order_id, &format!("{key}-r"), &because(json!([1, 2])))
            .await
            .expect(202);
        if killed {
            shop.system.kill(Process::CommandApi).await.unwrap();
            shop.system.wait_ready(Process::CommandApi).await.unwrap();
        }
        shop.provider_faults(&json!({})).await;
        let order = order_where(&shop, order_id, "refunded in part", |order| {
            order["payment"]["refund_state"] == "refunded"
        })
        .await;
        let payment = shop.payment(order_id).await;
        assert_eq!(held_money(&payment), PRICES[2], "{key}: {payment}");
        let kept = order["payment"]["captured_ore"].as_i64().unwrap()
            - order["payment"]["refunded_ore"].as_i64().unwrap();
        assert_eq!(
            (kept, &order["status"]),
            (PRICES[2], &json!("fulfilled")),
            "{key}: {order}"
        );
        assert_eq!(
            license_statuses(&shop, order_id).await,
            ["revoked", "revoked", "issued"]
        );
    }
    books::verify(&shop).await;
    shop.close().await;
}

/// Wherever command-api dies, the money goes back once.
#[tokio::test]
async fn a_refund_is_done_once_wherever_command_api_dies() {
    let shop = Shop::open(Options::default()).await;
    for (key, operation, before) in [
        ("get", "get", "work"),
        ("work", "refund", "work"),
        ("answer", "refund", "answer"),
    ] {
        let order_id = bought(&shop, key).await;
        shop.provider_faults(&hold(operation, before)).await;
        refund(&shop, &order_id, &format!("{key}-r"), &because(json!([3])))
            .await
            .expect(202);
        held(&shop, operation).await;
        shop.system.kill(Process::CommandApi).await.unwrap();
        shop.provider_faults(&json!({})).await;
        shop.system.wait_ready(Process::CommandApi).await.unwrap();
        order_where(&shop, &order_id, "refunded in part", |order| {
            order["payment"]["refund_state"] == "refunded"
        })
        .await;
        let payment = shop.payment(&order_id).await;
        assert_eq!(
            (held_money(&payment), &payment["refunds"]),
            (TOTAL - PRICES[2], &json!(1)),
            "{key}: {payment}"
        );
    }
    shop.close().await;
}

/// The order turned to a refund while its licenses were about to be issued.
#[tokio::test]
async fn an_order_that_is_refunded_before_it_is_fulfilled_issues_nothing_and_leaves_no_task() {
    let shop = Shop::open(Options::default()).await;
    let log = books::connect(&shop.system.databases().events_owner).await;
    let placed = shop.place("k", &three(&shop, "k")).await.expect(201);
    let order_id = placed.text_at("/order_id");
    // Nothing is planned, so the paid order waits for its licenses.
    log.batch_execute("begin; lock table process_tasks in access exclusive mode")
        .await
        .unwrap();
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(order_id, "paid").await;
    let one = refund(&shop, order_id, "one", &because(json!([1])))
        .await
        .expect(409);
    assert_eq!(one.text_at("/code"), "order_state", "its licenses come first");
    let all = refund(&shop, order_id, "all", &because(Value::Null))
        .await
        .expect(202);
    assert_eq!(all.text_at("/status"), "refund_pending");
    log.batch_execute("commit").await.unwrap();
    shop.order_with_status(order_id, "refunded").await;
    no_tasks(&shop, &["fulfill", "refund", "revoke", "capture"]).await;
    assert!(shop.licenses_of(order_id).await.is_empty());
    let payment = shop.payment(order_id).await;
    assert_eq!(
        (held_money(&payment), &payment["captures"]),
        (0, &json!(0)),
        "{payment}"
    );
    shop.close().await;
}

/// Staff refunds in the very moment in which licenses are issued.
#[tokio::test]
async fn of_fulfilment_and_refund_either_may_be_first_and_no_license_is_left_valid() {
    let shop = Shop::open(Options::default()).await;
    for n in 0..12 {
        let key = format!("race-{n}");
        let placed = shop.place(&key, &three(&shop, &key)).await.expect(201);
        let order_id = placed.text_at("/order_id");
        shop.at_provider(&placed, "approve").await.expect(200);
        let mut attempt = 0;
        let refunded: Answer = eventually("the refund is accepted", || {
            attempt += 1;
            let key = format!("{key}-{attempt}");
            let shop = &shop;
            async move {
                let answer = refund(shop, order_id, &key, &because(Value::Null)).await;
                match answer.status.as_u16() {
                    202 => Some(answer),
                    409 => None,
                    other => panic!("{other}: {}", answer.text),
                }
            }
        })
        .await;
        assert_eq!(refunded.text_at("/status"), "refund_pending");
        shop.order_with_status(order_id, "refunded").await;
        let payment = shop.payment(order_id).await;
        assert_eq!(held_money(&payment), 0, "{payment}");
        eventually("no license is valid", async || {
            let statuses = license_statuses(&shop, order_id).await;
            statuses.iter().all(|status| status == "revoked").then_some(())
        })
        .await;
    }
    no_tasks(&shop, &["fulfill", "refund", "revoke", "capture"]).await;
    books::verify(&shop).await;
    shop.close().await;
}

#[tokio::test]
async fn a_license_is_revoked_with_its_money_or_not_at_all() {
    let shop = Shop::open(Options::default()).await;
    let order_id = bought(&shop, "revoke").await;
    let licenses = shop.licenses_of(&order_id).await;
    let of_line = |line: u64| {
        let license = licenses.iter().find(|license| license["line"] == line).unwrap();
        format!("/licenses/{}/revoke", license["license_id"].as_str().unwrap())
    };
    let staff = &shop.tokens.staff;
    let with_money = json!({"reason": "Utestengt", "refund": true});
    let revoked = shop
        .post(&of_line(1), staff, "one", &with_money)
        .await
        .expect(200);
    assert_eq!(
        revoked.body["refund"],
        json!({"line": 1, "amount_ore": PRICES[0], "state": "pending"})
    );
    let without = shop
        .post(&of_line(2), staff, "two", &json!({"reason": "Utestengt"}))
        .await
        .expect(200);
    assert_eq!(without.body.get("refund"), None);
    order_where(&shop, &order_id, "refunded in part", |order| {
        order["payment"]["refunded_ore"] == PRICES[0]
    })
    .await;
    // The money of a license that was revoked before can follow.
    shop.post(&of_line(2), staff, "two-again", &with_money)
        .await
        .expect(200);
    order_where(&shop, &order_id, "refunded further", |order| {
        order["payment"]["refunded_ore"] == PRICES[0] + PRICES[1]
    })
    .await;
    assert_eq!(
        license_statuses(&shop, &order_id).await,
        ["revoked", "revoked", "issued"]
    );
    assert_eq!(
        events(&shop, &order_id).await.split_off(5),
        [
            "LineRefundsRequested",
            "LinesRefunded",
            "LineRefundsRequested",
            "LinesRefunded"
        ]
    );
    books::verify(&shop).await;
    shop.close().await;
}

#[tokio::test]
async fn after_its_day_has_begun_only_who_the_policy_names_gives_the_money_of_a_license_back() {
    let shop = Shop::open(Options::default()).await;
    let mut order = shop.order();
    // Today in Norway, also in the last hours of the day in UTC.
    let offset = chrono::FixedOffset::east_opt(3600).unwrap();
    order["lines"][0]["activity_date"] = json!(Utc::now().with_timezone(&offset).date_naive());
    let placed = shop.place("today", &order).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id");
    shop.order_with_status(order_id, "fulfilled").await;
    let license = &shop.licenses_of(order_id).await[0];
    let path = format!("/licenses/{}/revoke", license["license_id"].as_str().unwrap());
    let with_money = json!({"reason": "Syk", "refund": true});
    let late = shop
        .post(&path, &shop.tokens.staff, "late", &with_money)
        .await
        .expect(422);
    assert_eq!(late.text_at("/errors/0/code"), "refund_too_late");
    let late = refund(&shop, order_id, "late", &because(Value::Null))
        .await
        .expect(422);
    assert_eq!(late.text_at("/errors/0/pointer"), "/lines");
    assert_eq!(
        license_statuses(&shop, order_id).await,
        ["issued"],
        "neither happened"
    );
    let mut against = because(json!([1]));
    against["override_policy"] = json!(true);
    refund(&shop, order_id, "staff", &against).await.expect(403);
    let path = format!("/orders/{order_id}/refunds");
    shop.post(&path, &shop.tokens.admin, "admin", &against)
        .await
        .expect(202);
    shop.order_with_status(order_id, "refunded").await;
    assert_eq!(license_statuses(&shop, order_id).await, ["revoked"]);
    shop.close().await;
}
