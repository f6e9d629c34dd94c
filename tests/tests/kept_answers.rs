//! Answers that are kept in Redis, in the whole system: each price shows with its position, and events that change no row
//! of the catalogue leave its answers kept.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use serde_json::{Value, json};
use stack::Options;
use system_tests::{Answer, Shop, eventually};

const LIST: &str = "/license-types?category=competition&limit=200";

fn price(types: &Answer) -> &Value {
    let items = types.body["items"].as_array().unwrap();
    let bilcross = items.iter().find(|item| item["code"] == "konkurranse-bilcross");
    &bilcross.unwrap()["price_ore"]
}

/// How many answers were kept, in Redis or by the instance.
async fn hits(shop: &Shop) -> f64 {
    let name = "bilsport_query_cache_lookups_total";
    let ops = shop.system.query_ops_url();
    let mut hits = 0.0;
    for outcome in ["hit", "remembered"] {
        hits += shop.metric(&ops, name, outcome).await.unwrap_or(0.0);
    }
    hits
}

#[tokio::test]
async fn prices_show_at_once_and_purchases_leave_the_catalogue_kept() {
    let shop = Shop::open(Options::default()).await;
    let staff = shop.tokens.staff.clone();
    let path = "/license-types/konkurranse-bilcross/prices";
    for number in 1..=20 {
        let ore = 50_000 + number;
        let set = json!({"price_ore": ore});
        let set = shop
            .post(path, &staff, &format!("p-{number}"), &set)
            .await
            .expect(201);
        let waited = format!("{LIST}&min_position={}", set.position());
        for path in [waited.as_str(), LIST, LIST] {
            let types = shop.get(path, &staff).await.expect(200);
            assert_eq!(price(&types), ore, "{path}");
        }
    }
    let placed = shop.place("k-1", &shop.order_of("k-1")).await.expect(201);
    let order = format!(
        "/orders/{}?min_position={}",
        placed.text_at("/order_id"),
        placed.position()
    );
    shop.get(&order, &shop.tokens.customer).await.expect(200);
    // The position moved, and the answer is found with it.
    let before = hits(&shop).await;
    let types = eventually("a kept answer", async || {
        let types = shop.get(LIST, &staff).await.expect(200);
        (hits(&shop).await > before).then_some(types)
    })
    .await;
    assert_eq!(price(&types), 50_020);
    assert!(types.position() >= placed.position());
    shop.close().await;
}
