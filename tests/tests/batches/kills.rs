//! Batches under kills.

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::books::{connect, rows_equal_a_replay};
use system_tests::{Shop, eventually_within};

use super::{PATIENCE, results, submit};

/// How many items each killed batch has.
const ITEMS: usize = 2_000;

#[tokio::test]
async fn no_item_is_done_twice_or_left_out_when_command_api_is_killed() {
    let shop = Shop::open_private(Options {
        second_command_api: true,
        ..Options::default()
    })
    .await;
    let person = |number: usize| {
        let name = format!("Ola {}", letters(number));
        json!({"person": {"name": name, "birth_date": "1990-05-17"}, "reason": "Decision 12/2026"})
    };
    let people: Vec<Value> = (0..ITEMS).map(person).collect();
    each_is_done_once_under_kills(&shop, "suspend", &people, "SuspensionImposed").await;
    let placed = shop
        .place("on", &shop.order_for(&format!("Ola {}", letters(7))))
        .await;
    assert_eq!(placed.status, 422, "{}", placed.body);

    // Several to a command: no price may be left out of the one that died.
    let codes = [
        "konkurranse-bilcross",
        "banedag-racing",
        "passasjer-ledsager-rally",
    ];
    let price = |number: usize| {
        let code = codes[number % codes.len()];
        json!({"code": code, "price_ore": 10_000 + number})
    };
    let prices: Vec<Value> = (0..ITEMS).map(price).collect();
    each_is_done_once_under_kills(&shop, "set_price", &prices, "LicenseTypePriceSet").await;
    let amounts = "select count(distinct payload::jsonb->>'price_ore') from events
        where event_type = 'LicenseTypePriceSet' and (payload::jsonb->>'price_ore')::bigint between 10000 and 11999";
    assert_eq!(super::count(&shop, amounts).await, i64::try_from(ITEMS).unwrap());

    rows_equal_a_replay(&shop).await;
    shop.close().await;
}

/// Kills every command-api twice while they do the batch.
async fn each_is_done_once_under_kills(shop: &Shop, kind: &str, items: &[Value], event_type: &str) {
    let log = connect(&shop.system.databases().events_owner).await;
    let count = async || -> i64 {
        let sql = "select count(*) from events where event_type = $1";
        log.query_one(sql, &[&event_type]).await.unwrap().get(0)
    };
    let before = count().await;
    let batch_id = submit(shop, kind, kind, items).await;
    for round in 1..=2 {
        let enough = i64::try_from(round * items.len() / 5).unwrap();
        eventually_within(PATIENCE, "some of the items", async || {
            (count().await - before >= enough).then_some(())
        })
        .await;
        // Whichever of them does the batch.
        for victim in [Process::CommandApi, Process::CommandApi2] {
            shop.system.kill(victim).await.unwrap();
            shop.system.wait_ready(victim).await.unwrap();
        }
    }
    let all = results(shop, &batch_id).await;
    assert!(
        all.iter().all(|result| result["outcome"] == "succeeded"),
        "{all:?}"
    );
    let done = i64::try_from(items.len()).unwrap();
    assert_eq!(count().await - before, done, "each once");
    assert_eq!(super::count(shop, "select count(*) from staged_chunks").await, 0);
}

/// A name without digits.
fn letters(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return name;
        }
    }
}
