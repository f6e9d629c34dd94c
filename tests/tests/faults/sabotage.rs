//! The checks can fail: each finds what was done to the books behind everyone's back.

use stack::{Options, Process};
use system_tests::Shop;

use crate::books::{close, complaints, connect};
use crate::till::{Purchase, Till};

/// Changes the books, looks at what is said of it, and changes them back.
async fn sabotaged(shop: &Shop, purchases: &[Purchase], url: &str, sabotage: &str, repair: &str) -> String {
    let client = connect(url).await;
    client.batch_execute(sabotage).await.unwrap();
    let said = complaints(shop, purchases).await.join("\n");
    client.batch_execute(repair).await.unwrap();
    said
}

fn assert_says(said: &str, expected: &[&str]) {
    for part in expected {
        assert!(said.contains(part), "nobody said {part:?}:\n{said}");
    }
}

#[tokio::test]
async fn books_that_were_tampered_with_are_found_out() {
    let shop = Shop::open(Options::default()).await;
    let mut purchases = Till::new(&shop).sell(0..4).await;
    close(&shop, &purchases).await;
    let databases = shop.system.databases().clone();
    let read = &databases.read_owner;
    let keep = "create table kept_orders as table orders; create table kept_licenses as table licenses";
    connect(read).await.batch_execute(keep).await.unwrap();
    let repair = "truncate orders, licenses; insert into orders table kept_orders; insert into licenses table kept_licenses";

    for (sabotage, expected) in [
        (
            "delete from orders where order_id = (select min(order_id::text) from orders)::uuid",
            &["rows: 0 orders", "replay: orders"][..],
        ),
        (
            "delete from licenses where license_id = (select min(license_id::text) from licenses)::uuid",
            &["was promised the licenses", "replay: licenses"],
        ),
        (
            "insert into licenses select (jsonb_populate_record(l, jsonb_build_object('license_id', gen_random_uuid()))).*
             from licenses l limit 1",
            &["was promised the licenses", "replay: licenses"],
        ),
        (
            "update licenses set holder_phone = '' where license_id = (select min(license_id::text) from licenses)::uuid",
            &["replay: licenses"],
        ),
        ("update orders set status = 'paid'", &["is \"paid\"", "replay: orders"]),
    ] {
        let said = sabotaged(&shop, &purchases, read, sabotage, repair).await;
        assert_says(&said, expected);
    }
    assert_eq!(
        complaints(&shop, &purchases).await,
        Vec::<String>::new(),
        "all is repaired"
    );

    let total_ore = std::mem::replace(&mut purchases[0].total_ore, 1);
    assert_says(
        &complaints(&shop, &purchases).await.join("\n"),
        &["rows: the order of", "payment: "],
    );
    purchases[0].total_ore = total_ore;
    let answer = std::mem::take(&mut purchases[0].answer);
    assert_says(&complaints(&shop, &purchases).await.join("\n"), &["answer: "]);
    purchases[0].answer = answer;
    let unsold = purchases.pop().unwrap();
    let said = complaints(&shop, &purchases).await.join("\n");
    assert_says(
        &said,
        &["log: 4 aggregates of type order where 3", "rows: nobody bought"],
    );
    purchases.push(unsold);

    // Last, since nothing puts an event back.
    shop.system.stop_one(Process::CommandApi).await.unwrap();
    let forget = "alter table events disable trigger events_are_final;
                  delete from events where event_type = 'LicenseIssued'";
    connect(&databases.events_owner)
        .await
        .batch_execute(forget)
        .await
        .unwrap();
    shop.system.start_one(Process::CommandApi).await.unwrap();
    let said = complaints(&shop, &purchases).await.join("\n");
    assert_says(
        &said,
        &["log: position", "log: 0 aggregates of type license", "replay: "],
    );
    shop.close().await;
}
