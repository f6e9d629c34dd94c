//! A customer approves while the shop expires the order: the payment is kept, in both commit orders and wherever
//! command-api dies.

use serde_json::{Value, json};
use stack::Process;
use system_tests::{Answer, Shop, eventually};

use super::{calls, first_order, held, log, orders_that_live_for, payment_where};

/// Where command-api is killed: before a step of the race.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Killed {
    Never,
    BeforeApproval,
    BeforeCancel,
    BeforeSecondRead,
    BeforeCommit,
}

const KILLS: [Killed; 5] = [
    Killed::Never,
    Killed::BeforeApproval,
    Killed::BeforeCancel,
    Killed::BeforeSecondRead,
    Killed::BeforeCommit,
];

async fn kill(shop: &Shop) {
    shop.system.kill(Process::CommandApi).await.unwrap();
    shop.system.wait_ready(Process::CommandApi).await.unwrap();
}

/// An append waits for the head of the log.
pub(crate) async fn append_waits(log: &tokio_postgres::Client) {
    let waiting = "select count(*) from pg_stat_activity where application_name = 'event-store append'
                   and datname = current_database() and wait_event_type = 'Lock'";
    eventually("an append waits", async || {
        let waiting: i64 = log.query_one(waiting, &[]).await.unwrap().get(0);
        (waiting > 0).then_some(())
    })
    .await;
}

/// Expiry has read an unpaid payment, and the provider holds its cancel. Then the customer approves.
async fn approved_before_the_cancel(shop: &Shop, webhooks: &str, killed: Killed) {
    let log = log(shop).await;
    let confirmed_first = webhooks == "deliver";
    let hold =
        |operation: &str| json!({"webhooks": webhooks, "hold": {"operation": operation, "before": "work"}});
    shop.provider_faults(&hold("cancel")).await;
    let placed = shop
        .place(&format!("{killed:?}"), &shop.order_of(&format!("{killed:?}")))
        .await
        .expect(201);
    let order_id = placed.text_at("/order_id");
    held(shop, "cancel", 1).await;
    if killed == Killed::BeforeApproval {
        kill(shop).await;
    }
    if killed == Killed::BeforeCommit {
        log.batch_execute("begin; select from log_head for update")
            .await
            .unwrap();
    }
    shop.at_provider(&placed, "approve").await.expect(200);
    if confirmed_first && killed != Killed::BeforeCommit {
        shop.order_with_status(order_id, "paid or fulfilled").await;
    }
    match killed {
        Killed::Never | Killed::BeforeApproval => {}
        Killed::BeforeCancel => kill(shop).await,
        Killed::BeforeSecondRead => {
            shop.provider_faults(&hold("get")).await;
            held(shop, "get", 1).await;
            kill(shop).await;
        }
        Killed::BeforeCommit => {
            if !confirmed_first {
                shop.provider_faults(&json!({"webhooks": webhooks})).await;
            }
            append_waits(&log).await;
            shop.system.kill(Process::CommandApi).await.unwrap();
            log.batch_execute("commit").await.unwrap();
            shop.system.wait_ready(Process::CommandApi).await.unwrap();
        }
    }
    shop.provider_faults(&json!({"webhooks": webhooks})).await;
    sold(shop, &placed).await;
}

/// The licenses are issued, and the money is collected once and in full.
async fn sold(shop: &Shop, placed: &Answer) {
    let order_id = placed.text_at("/order_id");
    shop.order_with_status(order_id, "fulfilled").await;
    assert_eq!(shop.licenses_of(order_id).await.len(), 1);
    let payment = payment_where(shop, order_id, "captured", |payment| {
        payment["captured_ore"] == 42_000
    })
    .await;
    let rest: [&Value; 3] = ["captures", "cancelled_ore", "refunded_ore"].map(|name| &payment[name]);
    assert_eq!(rest, [&json!(1), &json!(0), &json!(0)], "{payment}");
}

#[tokio::test]
async fn an_approval_that_a_webhook_confirms_before_the_cancel_is_kept() {
    let shop = Shop::open(orders_that_live_for(1)).await;
    for killed in KILLS {
        approved_before_the_cancel(&shop, "deliver", killed).await;
    }
    shop.close().await;
}

#[tokio::test]
async fn an_approval_that_only_the_refused_cancel_tells_of_is_kept() {
    let shop = Shop::open(orders_that_live_for(1)).await;
    for killed in KILLS {
        approved_before_the_cancel(&shop, "drop", killed).await;
    }
    shop.close().await;
}

/// The provider is still making the payment when the order's time is over.
async fn started_too_late(shop: &Shop, key: &'static str, approve: bool) -> Answer {
    let hold = |operation: &str| json!({"hold": {"operation": operation, "before": "work"}});
    shop.provider_faults(&hold("create")).await;
    let (url, token, order) = (
        shop.system.command_api_url(),
        shop.tokens.customer.clone(),
        shop.order_of(key),
    );
    let http = shop.http().clone();
    let request = tokio::spawn(async move {
        let request = http
            .post(format!("{url}/api/v1/orders"))
            .bearer_auth(token)
            .header("Idempotency-Key", key)
            .json(&order);
        request.send().await.unwrap().error_for_status().unwrap();
    });
    let expired = first_order(shop, "/orders?status=expired&limit=1").await;
    shop.provider_faults(&hold("cancel")).await;
    held(shop, "cancel", 1).await;
    if approve {
        let url = format!("{}/pay/{expired}/approve", shop.system.payment_emulator_url());
        let approval = shop.http().post(url).header("Accept", "application/json");
        assert_eq!(approval.send().await.unwrap().status(), 200);
        shop.order_with_status(&expired, "paid or fulfilled").await;
    }
    shop.provider_faults(&json!({})).await;
    request.await.unwrap();
    shop.place(key, &shop.order_of(key)).await.expect(200)
}

#[tokio::test]
async fn an_order_that_ends_while_its_payment_is_started_leaves_nothing_to_pay() {
    let shop = Shop::open(orders_that_live_for(1)).await;
    let answer = started_too_late(&shop, "k", false).await;
    let order_id = answer.text_at("/order_id");
    assert_eq!(answer.text_at("/status"), "expired");
    assert_eq!(answer.body["payment"]["redirect_url"], Value::Null);
    payment_where(&shop, order_id, "ended", |payment| {
        payment["state"] == "TERMINATED"
    })
    .await;
    assert_eq!(calls(&shop, "total", "capture").await, 0);
    shop.close().await;
}

#[tokio::test]
async fn an_approval_while_a_payment_that_was_started_too_late_is_ended_is_kept() {
    let shop = Shop::open(orders_that_live_for(1)).await;
    let answer = started_too_late(&shop, "k", true).await;
    sold(&shop, &answer).await;
    shop.close().await;
}
