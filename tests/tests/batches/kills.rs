//! Batches under kills.

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::books::{connect, rows_equal_a_replay};
use system_tests::{Shop, eventually_within};

use super::{PATIENCE, results, submit};

/// How many people each killed batch suspends.
const PEOPLE: usize = 2_000;

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
    let items: Vec<Value> = (0..PEOPLE).map(person).collect();
    let batch_id = submit(&shop, "suspensions", "suspend", &items).await;
    let log = connect(&shop.system.databases().events_owner).await;
    let imposed = "select count(*) from events where event_type = 'SuspensionImposed'";
    for round in 1..=2 {
        let enough = i64::try_from(round * PEOPLE / 5).unwrap();
        eventually_within(PATIENCE, "some of the items", async || {
            let count: i64 = log.query_one(imposed, &[]).await.ok()?.get(0);
            (count >= enough).then_some(())
        })
        .await;
        // Whichever of them does the batch.
        for victim in [Process::CommandApi, Process::CommandApi2] {
            shop.system.kill(victim).await.unwrap();
            shop.system.wait_ready(victim).await.unwrap();
        }
    }
    let all = results(&shop, &batch_id).await;
    assert!(
        all.iter().all(|result| result["outcome"] == "succeeded"),
        "{all:?}"
    );
    let count: i64 = log.query_one(imposed, &[]).await.unwrap().get(0);
    assert_eq!(count, i64::try_from(PEOPLE).unwrap(), "each once");
    let left: i64 = log
        .query_one("select count(*) from staged_chunks", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
    assert!(
        shop.place("on", &shop.order_for(&format!("Ola {}", letters(7))))
            .await
            .status
            == 422
    );
    rows_equal_a_replay(&shop).await;
    shop.close().await;
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
