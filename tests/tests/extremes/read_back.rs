//! Accepted values are read back equal.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use stack::Options;
use system_tests::Shop;

use crate::filters::every_filter_finds;
use crate::reading::{Rows, every_way};
use crate::writing::{AT_ONCE, Taken, clubs, license_types, orders, prices};

#[tokio::test]
async fn what_is_taken_is_read_back_equal_in_every_list() {
    let shop = Shop::open(Options::default()).await;
    let (clubs, first) = clubs(&shop).await;
    let (types, second) = license_types(&shop).await;
    let (orders, third) = orders(&shop).await;
    let (prices, last) = prices(&shop).await;
    // Enough values were accepted.
    for (what, count, least) in [
        ("clubs", clubs.len(), 15),
        ("license types", types.len(), 60),
        ("orders", orders.len(), 60),
        ("prices", prices.len(), 8),
    ] {
        assert!(count >= least, "{what}: only {count} were taken");
    }
    let position = first.max(second).max(third).max(last);
    shop.get(&format!("/clubs?min_position={position}"), &shop.tokens.staff)
        .await
        .expect(200);

    let beyond = format!("/clubs?min_position={}", position + 1_000_000);
    let refused = shop.get(&beyond, &shop.tokens.staff).await.expect(400);
    assert_eq!(
        refused.text_at("/code"),
        "position_unknown",
        "the projector says how far the log is"
    );

    let said = every_way(&shop, "/clubs", "club_id").await;
    assert_said(&said, &clubs);
    let said = every_way(&shop, "/license-types", "license_type_id").await;
    // The type's creation sets its first price, which is today's.
    assert_said(&said, &types);
    let listed = said
        .values()
        .find(|row| row["code"] == "banedag-racing")
        .expect("the type");
    for (ore, valid_from) in &prices {
        let is = |price: &Value| {
            let from = price["valid_from"]
                .as_str()
                .and_then(|from| from.parse::<DateTime<Utc>>().ok());
            // In microseconds. A moment that passed while it was sent becomes the present.
            let later = from.map(|from| from.timestamp_micros() - valid_from.timestamp_micros());
            let now = *valid_from <= Utc::now();
            price["price_ore"] == *ore
                && later.is_some_and(|later| later == 0 || now && (0..60_000_000).contains(&later))
        };
        let said = listed["prices"].as_array().expect("prices");
        assert!(said.iter().any(is), "{ore} from {valid_from} in {listed}");
    }

    let said = every_way(&shop, "/orders", "order_id").await;
    assert_said(&said, &orders);
    every_filter_finds(&shop, "/orders", "order_id", &said).await;
    licenses(&shop, &said).await;
    shop.close().await;
}

fn assert_said(rows: &Rows, taken: &[Taken]) {
    for Taken { id, expected } in taken {
        let row = rows
            .get(id)
            .unwrap_or_else(|| panic!("{id} is in no list: {expected:?}"));
        for (pointer, expected) in expected {
            assert_eq!(row.pointer(pointer), Some(expected), "{pointer} of {row}");
        }
    }
}

/// Pays all orders, and reads the licenses in every way.
async fn licenses(shop: &Shop, orders: &Rows) {
    let pending: Vec<(&String, &Value)> = orders
        .iter()
        .filter(|(_, order)| order["status"] == "payment_pending")
        .collect();
    let mut due: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, order) in &pending {
        due.insert(id, order["lines"].as_array().map_or(0, Vec::len));
    }
    stream::iter(&pending)
        .for_each_concurrent(AT_ONCE, |(_, order)| async move {
            let url = order["payment"]["redirect_url"].as_str().expect("where to pay");
            let approved = shop
                .http()
                .post(format!("{url}/approve"))
                .header("Accept", "application/json");
            assert!(approved.send().await.expect("an answer").status().is_success());
        })
        .await;
    let expected: usize = due.values().sum();
    system_tests::eventually("every paid line has its license", async || {
        let page = shop
            .get("/licenses?limit=1&count=true", &shop.tokens.staff)
            .await
            .expect(200);
        (page.body["total"] == expected).then_some(())
    })
    .await;
    let said = every_way(shop, "/licenses", "license_id").await;
    for license in said.values() {
        let order = &orders[license["order_id"].as_str().expect("an order")];
        let line = license["line"]
            .as_u64()
            .and_then(|line| usize::try_from(line).ok())
            .expect("a line");
        let sold = &order["lines"][line - 1];
        for field in [
            "holder",
            "vehicle",
            "activity_date",
            "activity_days",
            "price_ore",
            "club_name",
        ] {
            assert_eq!(license[field], sold[field], "{field} of {license}");
        }
    }
    every_filter_finds(shop, "/licenses", "license_id", &said).await;
}
