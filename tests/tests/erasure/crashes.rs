//! command-api is killed at any moment of an erasure. Every erasure that was recorded is carried out: it is in the ledger once,
//! and no key of the person is left.

use std::time::Duration;

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::privacy::{self, Canary};
use system_tests::{Shop, books, eventually};
use uuid::Uuid;

use super::{buy, license_of, revoke};

/// How long after the request each kill comes, in milliseconds: around the answer, the event, the ledger and the keys.
const KILLS_AFTER_MS: [u64; 9] = [0, 5, 10, 20, 40, 50, 60, 70, 90];

#[tokio::test]
async fn erasure_survives_kills_at_any_moment_and_is_carried_out_once() {
    let shop = Shop::open(Options::default()).await;
    let mut holders = Vec::new();
    for number in 0..KILLS_AFTER_MS.len() {
        let name = format!("crash-{number}");
        let order_id = buy(&shop, &name, &Canary::new(&name)).await;
        let license = license_of(&shop, &order_id).await;
        revoke(&shop, &license, "Expelled").await;
        holders.push(license["holder_id"].as_str().unwrap().to_owned());
    }
    let because = json!({"reason": "requested"});
    let mut erasures = Vec::new();
    for (holder, after) in holders.iter().zip(KILLS_AFTER_MS) {
        let path = format!("/holders/{holder}/erase");
        let killing = async {
            // Not a wait for a condition: the moment is what differs.
            tokio::time::sleep(Duration::from_millis(after)).await;
            shop.system.kill(Process::CommandApi).await.unwrap();
        };
        let first = shop.try_post(&path, &shop.tokens.admin, holder, &because);
        // The answer may be lost: the administrator sends the request again with the same key.
        let (_, ()) = tokio::join!(first, killing);
        let answer = eventually("the erasure is answered", async || {
            let again = shop.try_post(&path, &shop.tokens.admin, holder, &because).await;
            again.ok().filter(|answer| answer.status == 202)
        })
        .await;
        erasures.push(answer.text_at("/erasure_id").to_owned());
    }
    let log = books::connect(&shop.system.databases().events_reader).await;
    for holder in &holders {
        let person: Uuid = holder.parse().unwrap();
        eventually("no key of the person is left", async || {
            let keys = "select count(*) from personal_data where person_id = $1";
            let keys: i64 = log.query_one(keys, &[&person]).await.unwrap().get(0);
            (keys == 0).then_some(())
        })
        .await;
    }
    let ledger = std::fs::read_to_string(shop.system.erasures_file()).unwrap();
    let written: Vec<String> = ledger
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["erasure_id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    for erasure in &erasures {
        let times = written.iter().filter(|one| *one == erasure).count();
        assert_eq!(times, 1, "{erasure} in {ledger}");
    }
    // An erasure is recorded again if a letter was recorded at the same moment.
    let recorded = "select count(*) from events where event_type = 'PersonErased'";
    let recorded: i64 = log.query_one(recorded, &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(recorded).unwrap(), written.len());
    let complaints = super::proofs(&shop).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    let complaints = privacy::rows_with(&shop, &Canary::new("crash")).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    shop.close().await;
}
