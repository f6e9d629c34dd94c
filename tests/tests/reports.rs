//! Sales, activities and exports of a shop that sells, refunds, lets in, corrects and forgets.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use serde_json::{Value, json};
use stack::Options;
use system_tests::{Answer, Shop, books, eventually};
use uuid::Uuid;

const GROUPINGS: [&str; 7] = [
    "day",
    "week",
    "month",
    "club",
    "license_type",
    "category",
    "provider",
];

/// Buys a license of two types, and waits for the receipt.
async fn buy(shop: &Shop, key: &str) -> String {
    let mut order = shop.order();
    order["lines"] = json!([
        shop.line("konkurranse-bilcross", &format!("Kari {key}")),
        shop.line("banedag-racing", &format!("Ola {key}")),
    ]);
    let placed = shop.place(key, &order).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id").to_owned();
    documents(shop, &order_id, 1).await;
    order_id
}

/// Waits until an order has this number of receipts and credit notes.
async fn documents(shop: &Shop, order_id: &str, count: usize) {
    let path = format!("/receipts?order_id={order_id}");
    eventually(&format!("{count} documents of {order_id}"), async || {
        let page = shop.get(&path, &shop.tokens.staff).await.expect(200);
        (page.body["items"].as_array().map(Vec::len) == Some(count)).then_some(())
    })
    .await;
}

async fn command(shop: &Shop, path: &str, body: Value) -> Answer {
    let key = Uuid::new_v4().to_string();
    shop.post(path, &shop.tokens.staff, &key, &body).await
}

/// The sums of all receipts of the shop: taken in, paid back, tax that is left.
async fn sums_of_receipts(shop: &Shop) -> (i64, i64, i64) {
    let page = shop
        .get("/receipts?limit=200", &shop.tokens.staff)
        .await
        .expect(200);
    assert_eq!(page.body["next_cursor"], Value::Null);
    let receipts = page.body["items"].as_array().unwrap().iter();
    receipts.fold((0, 0, 0), |(gross, refunded, tax), receipt| {
        let (ore, of_it) = (
            receipt["gross_ore"].as_i64().unwrap(),
            receipt["tax_ore"].as_i64().unwrap(),
        );
        match receipt["kind"].as_str().unwrap() {
            "receipt" => (gross + ore, refunded, tax + of_it),
            _ => (gross, refunded + ore, tax - of_it),
        }
    })
}

/// Each list is as long as its days say.
async fn assert_days_are_those_of_the_lists(shop: &Shop) {
    let club = format!("licenses|club_id={}", shop.clubs[0]);
    for asked in [
        "orders|",
        "orders|status=fulfilled",
        "orders|status=refunded&provider=vipps",
        "orders|license_type=banedag-racing&sort=activity_date",
        "orders|q=Kari",
        "licenses|",
        "licenses|status=revoked",
        "licenses|status=issued&category=track_day",
        "licenses|checked_in=false&sort=activity_date",
        &club,
    ] {
        let (list, query) = asked.split_once('|').unwrap();
        for token in [&shop.tokens.staff, &shop.tokens.organizer, &shop.tokens.customer] {
            let outline = shop.get(&format!("/{list}/outline?{query}"), token).await;
            let list = shop.get(&format!("/{list}?{query}&count=true"), token).await;
            let (outline, list) = (outline.expect(200).body, list.expect(200).body);
            assert_eq!(outline["total"], list["total"], "{asked}: {outline}");
            let days = outline["days"].as_array().unwrap();
            let rows: i64 = days.iter().map(|day| day[1].as_i64().unwrap()).sum();
            assert_eq!(outline["total"], rows, "{asked}: {outline}");
        }
    }
    let all = shop
        .get("/licenses/outline", &shop.tokens.staff)
        .await
        .expect(200);
    assert_eq!(all.body["total"], 6, "{}", all.text);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn reports_are_those_of_the_receipts_after_refunds_corrections_and_erasures() {
    let shop = Shop::open_private(Options::default()).await;
    let staff = &shop.tokens.staff;
    let (kept, refunded, forgotten) = (
        buy(&shop, "kept").await,
        buy(&shop, "refunded").await,
        buy(&shop, "forgotten").await,
    );
    let because = json!({"reason": "Løpet er avlyst"});
    let one_line = json!({"reason": "Løpet er avlyst", "lines": [1]});
    command(&shop, &format!("/orders/{refunded}/refunds"), one_line)
        .await
        .expect(202);
    command(&shop, &format!("/orders/{forgotten}/refunds"), because)
        .await
        .expect(202);
    documents(&shop, &refunded, 2).await;
    documents(&shop, &forgotten, 2).await;
    let licenses = shop.licenses_of(&kept).await;
    let license = licenses[0]["license_id"].as_str().unwrap();
    let vehicle = json!({"reason": "Feil skilt", "vehicle": {"registration": "EK54321"}});
    command(&shop, &format!("/licenses/{license}/correct"), vehicle)
        .await
        .expect(200);
    for license in shop.licenses_of(&forgotten).await {
        let person = license["holder_id"].as_str().unwrap().to_owned();
        let path = format!("/holders/{person}/erase");
        eventually("the holder can be forgotten", async || {
            let key = Uuid::new_v4().to_string();
            let asked = shop
                .post(&path, &shop.tokens.admin, &key, &json!({"reason": "requested"}))
                .await;
            (asked.status == 202).then_some(())
        })
        .await;
    }
    // Waits for both projections, and compares each with a replay of the log.
    books::verify(&shop).await;

    let (gross, back, tax) = sums_of_receipts(&shop).await;
    assert!(gross > back && back > 0, "{gross} {back}");
    for grouping in GROUPINGS {
        let report = shop
            .get(&format!("/reports/sales?group_by={grouping}"), staff)
            .await
            .expect(200);
        let total = &report.body["total"];
        assert_eq!(
            (&total["gross_ore"], &total["refunded_ore"], &total["tax_ore"]),
            (&json!(gross), &json!(back), &json!(tax)),
            "{grouping}"
        );
        assert_eq!((&total["orders"], &total["licenses"]), (&json!(3), &json!(6)));
        let rows = report.body["items"].as_array().unwrap();
        let net: i64 = rows.iter().map(|row| row["net_ore"].as_i64().unwrap()).sum();
        assert_eq!(net, gross - back, "{grouping}");
    }

    let path = format!("/activities?club_id={}", shop.clubs[0]);
    let activities = shop.get(&path, &shop.tokens.organizer).await.expect(200);
    let activity = &activities.body["items"][0];
    assert_eq!(
        (&activity["sold"], &activity["revoked"]),
        (&json!(3), &json!(3)),
        "{activity}"
    );
    assert_eq!(activity["by_license_type"].as_array().map(Vec::len), Some(2));

    assert_days_are_those_of_the_lists(&shop).await;

    let export = shop
        .get("/exports/receipts?format=ndjson", staff)
        .await
        .expect(200);
    let rows: Vec<Value> = export
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 5);
    let sheet = shop.get("/exports/licenses", staff).await.expect(200);
    assert_eq!(sheet.text.lines().count(), 7, "{}", sheet.text);
    assert!(
        sheet.text.contains("EK54321") && !sheet.text.contains("Ola forgotten"),
        "{}",
        sheet.text
    );
    shop.close().await;
}
