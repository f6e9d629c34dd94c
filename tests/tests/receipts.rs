//! Receipts: gapless numbers in the order of the log, whatever dies, and for whom they are.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use futures_util::StreamExt as _;
use serde_json::json;
use stack::{Options, Process};
use system_tests::purchase::{Purchase, Sales, order_of, send, worth_another_try};
use system_tests::{Shop, books, eventually, eventually_within};

const BUYERS: usize = 64;
const ROUNDS: usize = 3;
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

/// The only receipt or credit note of an order, once it is there.
async fn document(shop: &Shop, order_id: &str, kind: &str) -> serde_json::Value {
    let path = format!("/receipts?order_id={order_id}&kind={kind}");
    eventually(&format!("the {kind} of {order_id}"), || async {
        let page = shop.get(&path, &shop.tokens.staff).await.expect(200);
        let items = page.body["items"].as_array().unwrap().clone();
        assert!(items.len() < 2, "{}", page.text);
        items.into_iter().next()
    })
    .await
}

#[tokio::test]
async fn a_payment_has_a_receipt_and_a_refund_in_the_portal_a_credit_note() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("receipt", &shop.order()).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.at_provider(&placed, "approve").await;
    shop.order_with_status(&order_id, "fulfilled").await;

    let receipt = document(&shop, &order_id, "receipt").await;
    assert_eq!(receipt["gross_ore"], placed.body["total_ore"]);
    assert_eq!(receipt["order_number"], placed.body["order_number"]);
    assert_eq!(
        (&receipt["tax_ore"], &receipt["currency"]),
        (&json!(0), &json!("NOK"))
    );
    assert_eq!(receipt["lines"].as_array().map(Vec::len), Some(1));
    assert!(
        !receipt.to_string().contains("Nordmann"),
        "a receipt names no holder: {receipt}"
    );
    // The buyer sees it, no other customer and no club does.
    let one = format!("/receipts/{}", receipt["receipt_id"].as_str().unwrap());
    shop.get(&one, &shop.tokens.customer).await.expect(200);
    shop.get(&one, &shop.tokens.staff).await.expect(200);
    shop.get(&one, &shop.tokens.organizer).await.expect(404);
    shop.get(&one, &shop.tokens.customer2).await.expect(404);
    let bare = shop
        .http()
        .get(format!("{}/api/v1{one}", shop.system.query_api_url()));
    assert_eq!(bare.send().await.unwrap().status(), 401);

    let portal = format!("{}/portal/{order_id}/refund", shop.system.payment_emulator_url());
    let refunded = shop.http().post(portal).json(&json!({})).send().await.unwrap();
    assert!(refunded.status().is_success(), "{}", refunded.status());
    let note = document(&shop, &order_id, "credit_note").await;
    assert_eq!(note["corrects"], receipt["receipt_number"]);
    assert_eq!(note["gross_ore"], receipt["gross_ore"]);
    assert_eq!(
        note["number"].as_i64(),
        receipt["number"].as_i64().map(|number| number + 1)
    );
    shop.close().await;
}

#[tokio::test]
async fn sixty_four_buyers_at_once_and_kills_leave_no_gap_and_no_double() {
    let shop = Shop::open_private(Options {
        second_command_api: true,
        ..Options::default()
    })
    .await;
    let first = shop.system.command_api_url();
    let second = shop.system.second_command_api_url().unwrap();
    let mut sales = Sales::default();
    for round in 0..ROUNDS {
        let buying = futures_util::stream::iter(0..BUYERS)
            .map(|buyer| {
                let url = if buyer % 2 == 0 { &first } else { &second };
                buy(&shop, url, round * BUYERS + buyer)
            })
            .buffer_unordered(BUYERS)
            .collect::<Vec<_>>();
        // Each instance in turn, so that the leadership moves while receipts are due.
        let killing = async {
            let victim = [Process::CommandApi, Process::CommandApi2][round % 2];
            let log = books::connect(&shop.system.databases().events_reader).await;
            let issued = "select count(*) from events where event_type = 'ReceiptIssued'";
            let enough = i64::try_from(round * BUYERS + BUYERS / 4).unwrap();
            eventually_within(PATIENCE, "some of the receipts", async || {
                let count: i64 = log.query_one(issued, &[]).await.ok()?.get(0);
                (count >= enough).then_some(())
            })
            .await;
            shop.system.kill(victim).await.unwrap();
            shop.system.wait_ready(victim).await.unwrap();
        };
        let (purchases, ()) = tokio::join!(buying, killing);
        sales.purchases.extend(purchases);
    }
    books::close(&shop, &sales).await;
    shop.close().await;
}

/// Orders and pays, with one key and as often as it takes.
async fn buy(shop: &Shop, url: &str, number: usize) -> Purchase {
    let (key, order) = (format!("purchase-{number}"), order_of(shop, number));
    let placed = eventually_within(PATIENCE, "an order is acknowledged", async || {
        let answer = send(shop, url, &key, &order, PATIENCE).await.ok()?;
        assert!(
            answer.status == 201 || worth_another_try(&answer),
            "{}",
            answer.text
        );
        (answer.status == 201).then_some(answer)
    })
    .await;
    shop.at_provider(&placed, "approve").await;
    Purchase::acknowledged(&key, &order, &placed)
}
