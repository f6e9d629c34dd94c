//! The checks can fail: each finds a change that this test makes to the books.

use std::io::Write as _;

use stack::{Options, Process};
use system_tests::books::{audit, close, connect};
use system_tests::purchase::Sales;
use system_tests::{Shop, eventually};
use uuid::Uuid;

use crate::till::Till;

async fn complaints(shop: &Shop, sales: &Sales) -> Vec<String> {
    audit(shop, sales).await.complaints
}

/// Changes the books, asserts the complaint, and changes them back.
async fn sabotaged(shop: &Shop, sales: &Sales, url: &str, sabotage: &str, repair: &str) -> String {
    let client = connect(url).await;
    client.batch_execute(sabotage).await.unwrap();
    let said = complaints(shop, sales).await.join("\n");
    client.batch_execute(repair).await.unwrap();
    said
}

fn assert_says(said: &str, expected: &[&str]) {
    for part in expected {
        assert!(said.contains(part), "no complaint has {part:?}:\n{said}");
    }
}

/// Makes the provider collect a payment once more, by repeating the record in its journal.
async fn collect_again(shop: &Shop, order_id: Uuid) {
    let pid = shop.system.pid(Process::PaymentEmulator).unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let mut variables = environment.split('\0');
    let journal = variables
        .find_map(|pair| pair.strip_prefix("DATA_FILE="))
        .unwrap();
    shop.system.stop_one(Process::PaymentEmulator).await.unwrap();
    let lines = std::fs::read_to_string(journal).unwrap();
    let collected = lines
        .lines()
        .find(|line| line.contains(&order_id.to_string()) && line.contains("CAPTURED"));
    let mut file = std::fs::OpenOptions::new().append(true).open(journal).unwrap();
    writeln!(file, "{}", collected.unwrap()).unwrap();
    shop.system.start_one(Process::PaymentEmulator).await.unwrap();
}

#[tokio::test]
async fn books_that_were_tampered_with_are_found_out() {
    let seal_soon = (Process::CommandApi, "SEAL_INTERVAL_S".into(), "1".into());
    let shop = Shop::open(Options {
        env: vec![seal_soon],
        ..Options::default()
    })
    .await;
    let mut sales = Till::new(&shop).sell(0..4).await;
    close(&shop, &sales).await;
    rows_were_changed(&shop, &sales).await;
    claims_were_changed(&shop, &sales).await;
    customers_remember_it_otherwise(&shop, &mut sales).await;
    log_and_payments_were_changed(&shop, &sales).await;
    shop.close().await;
}

/// A row dropped, a row doubled, a row changed.
async fn rows_were_changed(shop: &Shop, sales: &Sales) {
    let read = &shop.system.databases().read_owner;
    let keep = "create table kept_orders as table orders; create table kept_licenses as table licenses";
    connect(read).await.batch_execute(keep).await.unwrap();
    let repair = "truncate orders, licenses; insert into orders table kept_orders; insert into licenses table kept_licenses";

    for (sabotage, expected) in [
        (
            "delete from orders where order_id = (select min(order_id::text) from orders)::uuid",
            &["rows: 0 orders", "verify licensing: table orders"][..],
        ),
        (
            "delete from licenses where license_id = (select min(license_id::text) from licenses)::uuid",
            &["was promised the licenses", "verify licensing: table licenses"],
        ),
        (
            "insert into licenses select (jsonb_populate_record(l, jsonb_build_object('license_id', gen_random_uuid()))).*
             from licenses l limit 1",
            &["was promised the licenses", "verify licensing: table licenses"],
        ),
        (
            "update licenses set holder_phone = '' where license_id = (select min(license_id::text) from licenses)::uuid",
            &["verify licensing: table licenses"],
        ),
        ("update orders set status = 'paid'", &["is \"paid\"", "verify licensing: table orders"]),
    ] {
        let said = sabotaged(shop, sales, read, sabotage, repair).await;
        assert_says(&said, expected);
    }
    assert_eq!(
        complaints(shop, sales).await,
        Vec::<String>::new(),
        "all is repaired"
    );
}

/// A claim that is missing, and one without an order.
async fn claims_were_changed(shop: &Shop, sales: &Sales) {
    let events = &shop.system.databases().events_owner;
    let keep = "create table kept_claims as table claims";
    connect(events).await.batch_execute(keep).await.unwrap();
    let repair = "delete from claims; insert into claims select * from kept_claims";
    for (sabotage, expected) in [
        (
            "delete from claims where holder = (select min(holder::text) from claims where scope = 'license-day')::uuid",
            "is not held",
        ),
        (
            "update claims set holder = gen_random_uuid() where holder = (select min(holder::text) from claims where scope = 'license-day')::uuid",
            "is held by what is over",
        ),
    ] {
        let said = sabotaged(shop, sales, events, sabotage, repair).await;
        assert_says(&said, &[expected]);
    }
}

/// An order that is not what was acknowledged, that was not ordered, or that is lost.
async fn customers_remember_it_otherwise(shop: &Shop, sales: &mut Sales) {
    let total_ore = std::mem::replace(&mut sales.purchases[0].total_ore, 1);
    assert_says(
        &complaints(shop, sales).await.join("\n"),
        &["rows: the order of", "payment: "],
    );
    sales.purchases[0].total_ore = total_ore;
    let answer = std::mem::take(&mut sales.purchases[0].answer);
    assert_says(&complaints(shop, sales).await.join("\n"), &["answer: "]);
    sales.purchases[0].answer = answer;
    let unsold = sales.purchases.pop().unwrap();
    let said = complaints(shop, sales).await.join("\n");
    assert_says(
        &said,
        &[
            "log: 4 aggregates of type order where 3",
            "rows: no customer bought",
        ],
    );
    sales.abandoned.push(unsold.key.clone());
    let said = complaints(shop, sales).await.join("\n");
    assert_says(
        &said,
        &[
            "which was given up, went",
            "which was given up, is",
            "payment: unpaid order",
        ],
    );
    sales.abandoned.clear();
    sales.purchases.push(unsold);
    let order_id = std::mem::take(&mut sales.purchases[0].order_id);
    let found = audit(shop, sales).await;
    assert_says(
        &found.complaints.join("\n"),
        &["was told of order", "rows: 0 orders"],
    );
    assert_eq!((found.lost, found.doubled), (1, 0));
    sales.purchases[0].order_id = order_id;
}

/// One key with two orders, one payment collected twice, events that are gone.
async fn log_and_payments_were_changed(shop: &Shop, sales: &Sales) {
    let events = &shop.system.databases().events_owner;
    let client = connect(events).await;
    let sealed = "select (select max(last_position) from log_seals) = (select position from log_head)";
    eventually("everything is sealed", async || {
        let sealed: Option<bool> = client.query_one(sealed, &[]).await.unwrap().get(0);
        sealed.filter(|sealed| *sealed)
    })
    .await;
    let keep =
        "create table kept_events as table events; alter table events disable trigger events_are_final";
    client.batch_execute(keep).await.unwrap();
    let double = "update events set metadata = (metadata::jsonb || jsonb_build_object('request_id',
                      (select metadata::jsonb ->> 'request_id' from events where event_type = 'OrderPlaced' order by position limit 1)))::text
                  where position = (select max(position) from events where event_type = 'OrderPlaced')";
    let repair = "update events set metadata = kept.metadata from kept_events kept where kept.position = events.position";
    let said = sabotaged(shop, sales, events, double, repair).await;
    assert_says(&said, &["has the orders", "was told of order", "seals: "]);
    collect_again(shop, sales.purchases[0].order_id).await;
    let said = complaints(shop, sales).await.join("\n");
    assert_says(&said, &["payment: purchase-"]);

    // Last, since a deleted event can't be restored.
    shop.system.stop_one(Process::CommandApi).await.unwrap();
    let forget = "delete from events where event_type = 'LicenseIssued'";
    client.batch_execute(forget).await.unwrap();
    shop.system.start_one(Process::CommandApi).await.unwrap();
    let said = complaints(shop, sales).await.join("\n");
    assert_says(
        &said,
        &[
            "log: position",
            "log: 0 aggregates of type license",
            "verify licensing: the log lacks",
            "seals: ",
        ],
    );
}
