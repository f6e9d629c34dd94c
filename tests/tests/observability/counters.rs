//! Counters start at 0 with the process. A rate over a counter that starts with the first failure does not include it.

use std::collections::BTreeSet;

use serde_json::json;
use stack::Options;
use system_tests::{Shop, eventually};

use crate::dashboard::trade;
use crate::exposition::{Exposition, scrape};

#[tokio::test]
async fn no_counter_begins_after_the_start() {
    let shop = Shop::open(Options::default()).await;
    // The planner's counters start when this instance leads, which may be after the shop is open.
    eventually("the planner runs", async || {
        shop.command_metric("bilsport_bus_feed_events_total", "planner")
            .await
    })
    .await;
    let at_start = series(&scrape(&shop).await);
    trade(&shop).await;
    fail(&shop).await;
    let later = series(&scrape(&shop).await);
    assert!(later.len() > 100, "{later:?}");
    let born_later: Vec<&String> = later.difference(&at_start).collect();
    assert!(born_later.is_empty(), "{born_later:#?}");
    shop.close().await;
}

/// Ordinary failures: a provider that is down, an unsigned webhook, a path that does not exist.
async fn fail(shop: &Shop) {
    let api = format!("{}/api/v1", shop.system.command_api_url());
    let webhook = shop
        .http()
        .post(format!("{api}/webhooks/vipps"))
        .body("{}")
        .send();
    assert_eq!(webhook.await.expect("an answer").status(), 401);
    let nowhere = shop.http().get(format!("{api}/nowhere")).send();
    assert_eq!(nowhere.await.expect("an answer").status(), 404);
    let plain = shop.http().post(format!("{api}/orders")).body("{}").send();
    assert_eq!(plain.await.expect("an answer").status(), 401);
    shop.provider_faults(&json!({"api": "unavailable"})).await;
    shop.place("failing", &shop.order_of("failing")).await.expect(503);
    shop.provider_faults(&json!({})).await;
    eventually("the failure is counted", async || {
        shop.command_metric("bilsport_payments_requests_total", "unavailable")
            .await
            .filter(|count| *count >= 1.0)
    })
    .await;
}

/// Every counter with its labels, by service.
fn series(all: &[Exposition]) -> BTreeSet<String> {
    all.iter()
        .flat_map(|one| {
            one.samples.iter().filter(|sample| {
                let name = sample.split(['{', ' ']).next().unwrap_or_default();
                one.kinds.get(name).is_some_and(|kind| kind == "counter")
            })
        })
        .filter_map(|sample| sample.rsplit_once(' '))
        .map(|(series, _value)| series.to_owned())
        .collect()
}
