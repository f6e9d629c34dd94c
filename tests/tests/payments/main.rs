//! Money: whatever the provider does, a payment ends in licenses or goes back, and nothing is charged twice.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod elsewhere;
mod lanes;
mod nexi;
mod races;
mod reconcile;
mod retries;
mod uncollected;
mod webhooks;

use payments::vipps::{Credentials, Vipps, VippsOptions};
use payments::{Limits, NewPayment, PaymentProvider as _};
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::{Answer, Shop, eventually};
use tokio_postgres::{Client, NoTls};

fn orders_that_live_for(seconds: u32) -> Options {
    Options {
        env: vec![(Process::CommandApi, "ORDER_TTL_S".into(), seconds.to_string())],
        ..Options::default()
    }
}

/// How many requests the provider got since it started, and how many it holds, by operation.
async fn calls(shop: &Shop, which: &str, operation: &str) -> u64 {
    let url = format!("{}/emulator/calls", shop.system.payment_emulator_url());
    let calls: Value = shop.http().get(url).send().await.unwrap().json().await.unwrap();
    calls[which][operation].as_u64().unwrap_or(0)
}

/// Waits until the provider holds that many requests.
async fn held(shop: &Shop, operation: &str, least: u64) {
    eventually(&format!("{least} {operation} requests are held"), async || {
        (calls(shop, "held", operation).await >= least).then_some(())
    })
    .await;
}

/// Presses a button in the provider's portal.
async fn portal(shop: &Shop, order_id: &str, action: &str, body: &Value) {
    let url = format!(
        "{}/portal/{order_id}/{action}",
        shop.system.payment_emulator_url()
    );
    let answer = shop.http().post(url).json(body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

/// The log's database.
async fn log(shop: &Shop) -> Client {
    let (client, connection) = tokio_postgres::connect(&shop.system.databases().events_owner, NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// The events of an order, by name.
async fn events(shop: &Shop, order_id: &str) -> Vec<String> {
    let rows = log(shop)
        .await
        .query(
            "select event_type from events where aggregate_type = 'order' and aggregate_id = $1::text::uuid order by sequence",
            &[&order_id],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// An order that is placed, approved, fulfilled and captured.
async fn bought(shop: &Shop, key: &str) -> (String, Answer) {
    let placed = shop.place(key, &shop.order_of(key)).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id").to_owned();
    order_where(shop, &order_id, "captured", |order| {
        order["payment"]["captured_ore"] == 42_000
    })
    .await;
    (order_id, placed)
}

/// Waits until the order satisfies the condition, and returns it as staff reads it.
async fn order_where(shop: &Shop, order_id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("order {order_id} is {what}"), async || {
        let order = shop.get(&format!("/orders/{order_id}"), &shop.tokens.staff).await;
        fits(&order.body).then_some(order.body)
    })
    .await
}

/// A setting of command-api's.
fn setting(shop: &Shop, name: &str) -> String {
    let pid = shop.system.pid(Process::CommandApi).unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let found = environment
        .split('\0')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// The secret in the file that a setting of command-api names.
fn secret(shop: &Shop, name: &str) -> String {
    std::fs::read_to_string(setting(shop, name)).unwrap()
}

async fn payment_where(shop: &Shop, order_id: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let payment = shop.payment(order_id).await;
        fits(&payment).then_some(payment)
    })
    .await
}

#[tokio::test]
async fn a_declined_payment_cancels_the_order() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("k", &shop.order_of("k")).await.expect(201);
    shop.at_provider(&placed, "decline").await.expect(200);
    let order_id = placed.text_at("/order_id");
    shop.order_with_status(order_id, "cancelled").await;
    assert!(shop.licenses_of(order_id).await.is_empty());
    shop.close().await;
}

#[tokio::test]
async fn without_any_webhook_the_provider_is_asked_before_an_order_is_given_up() {
    let shop = Shop::open(orders_that_live_for(3)).await;
    shop.provider_faults(&json!({"webhooks": "drop"})).await;
    let paid = shop.place("a", &shop.order_of("a")).await.expect(201);
    let unpaid = shop.place("b", &shop.order_of("b")).await.expect(201);
    shop.at_provider(&paid, "approve").await.expect(200);
    shop.order_with_status(paid.text_at("/order_id"), "fulfilled")
        .await;
    let order_id = unpaid.text_at("/order_id");
    shop.order_with_status(order_id, "expired").await;
    // Its payment was ended first, so it can't be paid any more.
    let payment = shop.payment(order_id).await;
    assert_eq!(payment["state"], "TERMINATED", "{payment}");
    shop.at_provider(&unpaid, "approve").await.expect(409);
    assert!(shop.licenses_of(order_id).await.is_empty());
    shop.close().await;
}

#[tokio::test]
async fn an_order_whose_payment_could_not_be_started_is_continued_by_the_same_key() {
    let shop = Shop::open(Options::default()).await;
    shop.provider_faults(&json!({"api": "unavailable"})).await;
    let refused = shop.place("k", &shop.order_of("k")).await.expect(503);
    assert_eq!(refused.text_at("/code"), "payment_provider_unavailable");
    assert!(refused.header("retry-after").is_some());
    shop.provider_faults(&json!({})).await;
    let placed = shop.place("k", &shop.order_of("k")).await.expect(201);
    let orders = shop
        .get(
            &format!("/orders?count=true&min_position={}", placed.position()),
            &shop.tokens.staff,
        )
        .await;
    assert_eq!(orders.body["total"], 1, "{}", orders.text);
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;
    shop.close().await;
}

/// Found by a campaign: the used key was taken for that of the lost answer, and the customer was sent to pay for an order
/// that is not in the log.
#[tokio::test]
async fn a_retry_whose_answer_from_the_log_is_lost_pays_for_the_order_that_there_is() {
    let shop = Shop::open(Options::default()).await;
    shop.provider_faults(&json!({"api": "unavailable"})).await;
    shop.place("k", &shop.order_of("k")).await.expect(503);
    shop.provider_faults(&json!({})).await;
    let log = log(&shop).await;
    // The second request's batch is sent, and waits for the head.
    log.batch_execute("begin; select from log_head for update")
        .await
        .unwrap();
    let order = shop.order_of("k");
    let losing = async {
        let lost = "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
                    where application_name = 'event-store append' and datname = current_database()
                      and wait_event_type = 'Lock'";
        eventually("its connection is lost", async || {
            let lost: i64 = log.query_one(lost, &[]).await.unwrap().get(0);
            (lost > 0).then_some(())
        })
        .await;
        log.batch_execute("commit").await.unwrap();
    };
    let (placed, ()) = tokio::join!(shop.place("k", &order), losing);
    let placed = placed.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order = shop
        .order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;
    assert_eq!(order["total_ore"], placed.body["total_ore"]);
    let orders = shop.get("/orders?count=true", &shop.tokens.staff).await;
    assert_eq!(orders.body["total"], 1, "{}", orders.text);
    shop.close().await;
}

#[tokio::test]
async fn a_capture_whose_answer_is_lost_is_one_capture_and_holds_up_no_license() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("k", &shop.order_of("k")).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    // From here on the provider does the work and its answers are lost: that to the webhook's read, and that to the capture.
    shop.provider_faults(&json!({"api": "answer_lost"})).await;
    shop.at_provider(&placed, "approve").await.expect(200);
    eventually("an answer is lost", async || {
        shop.command_metric("bilsport_payments_requests_total", "unavailable")
            .await
            .filter(|count| *count >= 1.0)
    })
    .await;
    shop.provider_faults(&json!({})).await;
    shop.order_with_status(&order_id, "paid or fulfilled").await;
    shop.provider_faults(&json!({"api": "answer_lost"})).await;
    shop.order_with_status(&order_id, "fulfilled").await;
    assert_eq!(
        shop.licenses_of(&order_id).await.len(),
        1,
        "with or without the money"
    );
    shop.provider_faults(&json!({"webhooks": "duplicate"})).await;
    let payment = payment_where(&shop, &order_id, "captured", |payment| {
        payment["captured_ore"] == 42_000
    })
    .await;
    assert_eq!(payment["captures"], 1, "{payment}");
    shop.close().await;
}

/// A body is read before its signature is verified, so this limit holds for unauthenticated senders.
#[tokio::test]
async fn a_webhook_has_at_most_64_kib() {
    let shop = Shop::open(Options::default()).await;
    let url = format!("{}/api/v1/webhooks/vipps", shop.system.command_api_url());
    for (length, status) in [(64 << 10, 401), ((64 << 10) + 1, 413)] {
        let sent = shop.http().post(&url).body("x".repeat(length)).send().await;
        assert_eq!(sent.unwrap().status(), status, "{length} bytes");
    }
    shop.close().await;
}

#[tokio::test]
async fn only_a_signed_webhook_is_listened_to_and_what_it_says_is_never_believed() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("k", &shop.order_of("k")).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    let url = format!("{}/api/v1/webhooks/vipps", shop.system.command_api_url());
    // The provider's webhook of the new payment comes first: handled later, it would read the state that the test sets below.
    eventually("the provider's own webhook is handled", async || {
        shop.command_metric("bilsport_payments_webhooks_total", "applied")
            .await
            .filter(|count| *count >= 1.0)
    })
    .await;
    // Defect 2: a forged webhook claims that the order is paid.
    let claim = json!({
        "msn": "123456", "reference": order_id, "pspReference": "x", "name": "AUTHORIZED",
        "amount": {"currency": "NOK", "value": 42_000}, "timestamp": "2026-01-01T00:00:00Z", "success": true,
    });
    let forged = shop.http().post(&url).json(&claim).send().await.unwrap();
    assert_eq!(forged.status(), 401);
    let signature = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256\
                     &Signature=agAiSyogQbDHpeucoNwYz+yAr5nJ+v+zasdkSbqzv+U=";
    let dated = shop
        .http()
        .post(&url)
        .header("x-ms-date", "Thu, 30 Mar 2023 08:38:32 GMT")
        .header(
            "x-ms-content-sha256",
            "lNlsp1XA03N34HrQsVzPgJKtC+r7l/RBF4V3JQUWMj4=",
        )
        .header("Authorization", signature)
        .json(&claim)
        .send()
        .await
        .unwrap();
    assert_eq!(dated.status(), 401);
    // The provider's own webhooks arrive with a broken signature, and have no effect.
    shop.provider_faults(&json!({"webhooks": "corrupt_signature"}))
        .await;
    shop.at_provider(&placed, "approve").await.expect(200);
    eventually("webhooks are refused", async || {
        shop.command_metric("bilsport_payments_webhooks_total", "refused")
            .await
            .filter(|count| *count >= 3.0)
    })
    .await;
    let path = format!("/orders/{order_id}?min_position={}", placed.position());
    let order = shop.get(&path, &shop.tokens.customer).await.expect(200);
    assert_eq!(order.body["status"], "payment_pending");
    shop.provider_faults(&json!({})).await;
    shop.order_with_status(&order_id, "fulfilled").await;
    shop.close().await;
}

/// The adapter that command-api uses, to create late and wrong payments.
fn provider_of(shop: &Shop) -> Vipps {
    let value = |name: &str| setting(shop, name);
    Vipps::new(VippsOptions {
        base_url: value("VIPPS_BASE_URL"),
        credentials: Credentials {
            client_id: value("VIPPS_CLIENT_ID"),
            client_secret: secret(shop, "VIPPS_CLIENT_SECRET_FILE"),
            subscription_key: secret(shop, "VIPPS_SUBSCRIPTION_KEY_FILE"),
            merchant_serial_number: value("VIPPS_MSN"),
        },
        limits: Limits::default(),
    })
    .unwrap()
}

/// Waits until that list of orders has one, and returns the id of the first.
async fn first_order(shop: &Shop, path: &str) -> String {
    eventually("the order is readable", async || {
        let orders = shop.get(path, &shop.tokens.staff).await;
        let id = orders.body.pointer("/items/0/order_id");
        id.and_then(Value::as_str).map(str::to_owned)
    })
    .await
}

/// An order that expired without a payment, and then is paid after all: `amount_ore`, at the provider.
async fn paid_after_it_expired(shop: &Shop, amount_ore: i64) -> String {
    shop.provider_faults(&json!({"api": "unavailable"})).await;
    shop.place("k", &shop.order_of("k")).await.expect(503);
    shop.provider_faults(&json!({})).await;
    let order_id = first_order(shop, "/orders").await;
    shop.order_with_status(&order_id, "expired").await;
    let late = NewPayment {
        reference: order_id.clone(),
        amount_ore,
        description: "Engangslisens".into(),
        return_url: "http://127.0.0.1/".into(),
        webhook_url: None,
    };
    let created = provider_of(shop).create(&late).await.unwrap();
    let approve = shop
        .http()
        .post(format!("{}/approve", created.redirect_url))
        .header("Accept", "application/json");
    assert_eq!(approve.send().await.unwrap().status(), 200);
    order_id
}

#[tokio::test]
async fn a_payment_after_expiry_revives_an_order_whose_days_are_ahead() {
    let shop = Shop::open(orders_that_live_for(1)).await;
    let order_id = paid_after_it_expired(&shop, 42_000).await;
    shop.order_with_status(&order_id, "fulfilled").await;
    assert_eq!(shop.licenses_of(&order_id).await.len(), 1);
    let payment = payment_where(&shop, &order_id, "captured", |payment| payment["captures"] == 1).await;
    assert_eq!(payment["captured_ore"], 42_000);
    shop.close().await;
}

#[tokio::test]
async fn a_payment_of_the_wrong_amount_goes_back_whole_and_buys_nothing() {
    let shop = Shop::open(orders_that_live_for(1)).await;
    let order_id = paid_after_it_expired(&shop, 41_999).await;
    shop.order_with_status(&order_id, "refunded").await;
    let payment = shop.payment(&order_id).await;
    assert_eq!(
        (&payment["cancelled_ore"], &payment["captured_ore"]),
        (&json!(41_999), &json!(0)),
        "{payment}"
    );
    assert!(shop.licenses_of(&order_id).await.is_empty());
    shop.close().await;
}
