//! Orders are compared with their payments at the provider: differences are healed, and what can't be healed is counted.

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::{Shop, eventually};

use super::{bought, order_where, portal};

/// The exit code and report of `command-api reconcile`.
async fn reconcile(shop: &Shop, more: &[&str]) -> (Option<i32>, Value, String) {
    let arguments = [&["reconcile", "--json"], more].concat();
    let mut command = shop.system.command(Process::CommandApi, &arguments).unwrap();
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{errors}"));
    (output.status.code(), report, errors)
}

#[tokio::test]
async fn what_moved_in_the_portal_without_a_webhook_is_healed_once() {
    let shop = Shop::open(Options::default()).await;
    let (order_id, _) = bought(&shop, "k").await;
    bought(&shop, "l").await;
    shop.provider_faults(&json!({"webhooks": "drop"})).await;
    let (code, report, progress) = reconcile(&shop, &[]).await;
    assert_eq!(
        (code, &report["compared"], &report["agree"]),
        (Some(0), &json!(2), &json!(2)),
        "{report}"
    );
    assert!(progress.contains("2 orders compared"), "{progress}");
    portal(&shop, &order_id, "refund", &json!({"amount_ore": 2_000})).await;
    let (code, report, _) = reconcile(&shop, &["--since", "2020-01-01"]).await;
    assert_eq!(
        (code, &report["healed"], &report["differ"]),
        (Some(0), &json!(1), &json!(0)),
        "{report}"
    );
    assert_eq!(report["orders"][0]["order_id"], order_id.as_str());
    assert_eq!(report["orders"][0]["reason"], "other_sums");
    order_where(&shop, &order_id, "partly back", |order| {
        order["payment"]["refunded_ore"] == 2_000
    })
    .await;
    let (code, report, _) = reconcile(&shop, &[]).await;
    assert_eq!((code, &report["healed"]), (Some(0), &json!(0)), "{report}");
    let (_, report, _) = reconcile(&shop, &["--since", "2999-01-01"]).await;
    assert_eq!(report["compared"], 0, "{report}");
    shop.close().await;
}

#[tokio::test]
async fn a_payment_that_the_provider_lost_is_counted_until_it_agrees() {
    let every = ("RECONCILE_EVERY_S".to_owned(), "1".to_owned());
    let options = Options {
        env: vec![(Process::CommandApi, every.0, every.1)],
        ..Options::default()
    };
    let shop = Shop::open(options).await;
    let (order_id, _) = bought(&shop, "k").await;
    let file = setting_of_emulator(&shop, "DATA_FILE");
    shop.system.stop_one(Process::PaymentEmulator).await.unwrap();
    std::fs::remove_file(file).unwrap();
    shop.system.start_one(Process::PaymentEmulator).await.unwrap();

    let (code, report, _) = reconcile(&shop, &[]).await;
    assert_eq!((code, &report["differ"]), (Some(1), &json!(1)), "{report}");
    assert_eq!(report["orders"][0]["reason"], "payment_missing");
    assert_eq!(report["orders"][0]["order_id"], order_id.as_str());
    // The schedule finds it, too.
    eventually("the unmatched payment is counted", async || {
        let metrics = shop
            .ops(&shop.system.command_ops_url(), "metrics")
            .await
            .ok()?
            .text;
        let mut lines = metrics.lines();
        let one = |line: &str| line.starts_with("bilsport_payments_unmatched{") && line.ends_with(" 1");
        lines.any(one).then_some(())
    })
    .await;

    // An outage is no difference, and not told as agreement either.
    shop.system.stop_one(Process::PaymentEmulator).await.unwrap();
    let (code, report, _) = reconcile(&shop, &[]).await;
    assert_eq!((code, &report["unanswered"]), (Some(2), &json!(1)), "{report}");
    shop.close().await;
}

fn setting_of_emulator(shop: &Shop, name: &str) -> String {
    let pid = shop.system.pid(Process::PaymentEmulator).unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let found = environment
        .split('\0')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name}")).to_owned()
}
