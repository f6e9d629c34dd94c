//! Personal data is nowhere in clear but in the read model, and after an erasure not there either.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod command_lines;
mod crashes;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::privacy::{self, Canary};
use system_tests::{Answer, Shop, books, eventually};

/// A holder that no other test has.
fn order(shop: &Shop, canary: &Canary) -> Value {
    let mut order = shop.order();
    order["lines"][0]["holder"] = json!({
        "name": canary.name, "birth_date": canary.birth_date, "phone": canary.phone, "email": canary.email,
    });
    order["lines"][0]["vehicle"] = json!({"registration": canary.registration});
    order
}

/// A purchase whose money is collected.
async fn buy(shop: &Shop, key: &str, canary: &Canary) -> String {
    let placed = shop.place(key, &order(shop, canary)).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.at_provider(&placed, "approve").await;
    collected(shop, &order_id).await;
    order_id
}

/// Waits in the log, not in the read model, which may stand still.
async fn collected(shop: &Shop, order_id: &str) {
    let log = books::connect(&shop.system.databases().events_reader).await;
    let captured = "select from events where aggregate_id = $1 and event_type = 'PaymentCaptured'";
    let id: uuid::Uuid = order_id.parse().unwrap();
    eventually("the money is collected", async || {
        log.query_opt(captured, &[&id]).await.unwrap()
    })
    .await;
}

async fn license_of(shop: &Shop, order_id: &str) -> Value {
    eventually("the license in the read model", || async {
        shop.licenses_of(order_id).await.into_iter().next()
    })
    .await
}

async fn revoke(shop: &Shop, license: &Value, reason: &str) -> Answer {
    let path = format!("/licenses/{}/revoke", license["license_id"].as_str().unwrap());
    let because = json!({"reason": reason});
    shop.post(&path, &shop.tokens.staff, "revoke", &because)
        .await
        .expect(200)
}

async fn erase(shop: &Shop, holder_id: &str, key: &str) -> Answer {
    let path = format!("/holders/{holder_id}/erase");
    let because = json!({"reason": "requested"});
    shop.post(&path, &shop.tokens.admin, key, &because).await
}

/// Waits until no key of the person is left, and the rows have followed.
async fn forgotten(shop: &Shop, person: &str, erased: &Answer) {
    let log = books::connect(&shop.system.databases().events_reader).await;
    let person: uuid::Uuid = person.parse().unwrap();
    eventually("the keys are destroyed", async || {
        let keys = "select count(*) from personal_data where person_id = $1";
        let keys: i64 = log.query_one(keys, &[&person]).await.unwrap().get(0);
        (keys == 0).then_some(())
    })
    .await;
    let seen = format!("/orders?min_position={}", erased.position());
    shop.get(&seen, &shop.tokens.staff).await.expect(200);
}

async fn proofs(shop: &Shop) -> Vec<String> {
    books::proofs(shop).await
}

#[tokio::test]
async fn a_canary_is_in_no_place_but_the_rows_and_after_its_erasure_nowhere() {
    let shop = Shop::open_private(Options::default()).await;
    let canary = Canary::new("first");
    // The read model is on the same server, and shows the data: while nothing is projected, the server's files are the log's.
    shop.system.stop_one(Process::Projector).await.unwrap();
    let order_id = buy(&shop, "canary", &canary).await;
    let declined = shop
        .place("declined", &with_day(order(&shop, &canary), 31))
        .await
        .expect(201);
    shop.at_provider(&declined, "decline").await;
    let mut wrong = order(&shop, &canary);
    wrong["lines"][0]["holder"]["birth_date"] = json!("2087-03-29");
    let refused = shop.place("refused", &wrong).await.expect(422);
    let twice = shop.place("twice", &order(&shop, &canary)).await.expect(422);
    let contact = json!({"name": canary.name, "email": canary.email, "phone": canary.phone});
    let changed = shop
        .patch("/users/me", &shop.tokens.customer, "contact", &contact)
        .await
        .expect(200);
    for answer in [&refused, &twice, &changed, &declined] {
        let found = canary.found_in(answer.text.as_bytes());
        assert!(found.is_empty(), "{found:?} in {}", answer.text);
    }
    settle(&shop).await;
    let complaints = privacy::places_with(&shop, &canary).await;
    assert!(complaints.is_empty(), "{complaints:#?}");

    shop.system.start_one(Process::Projector).await.unwrap();
    let license = license_of(&shop, &order_id).await;
    assert_eq!(license["holder"]["name"], json!(canary.name), "the rows show it");
    assert_eq!(license["vehicle"]["registration"], json!(canary.registration));
    let holder_id = license["holder_id"].as_str().unwrap().to_owned();
    // The search finds what is there: from here on the read model and the server's files have the canary.
    assert!(!privacy::rows_with(&shop, &canary).await.is_empty());
    assert!(!privacy::places_with(&shop, &canary).await.is_empty());

    let revoked = revoke(&shop, &license, &format!("{} was expelled", canary.name)).await;
    shop.get(
        &format!("/licenses?min_position={}", revoked.position()),
        &shop.tokens.staff,
    )
    .await
    .expect(200);
    let erased = erase(&shop, &holder_id, "erase").await.expect(202);
    forgotten(&shop, &holder_id, &erased).await;
    let me = changed.text_at("/user_id").to_owned();
    let mine = shop
        .post(
            &format!("/users/{me}/erase"),
            &shop.tokens.customer,
            "me",
            &json!({"reason": "requested"}),
        )
        .await
        .expect(202);
    forgotten(&shop, &me, &mine).await;

    let complaints = privacy::rows_with(&shop, &canary).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    let license = license_of(&shop, &order_id).await;
    assert!(license["holder_erased_at"].is_string(), "{license}");
    assert_eq!(license["holder"]["name"], json!(""));
    assert_eq!(license["vehicle"], json!(null));
    let complaints = proofs(&shop).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    shop.close().await;
}

fn with_day(mut order: Value, days: u64) -> Value {
    order["lines"][0]["activity_date"] = json!(system_tests::in_days(days));
    order
}

/// Waits until everything is in the stream.
async fn settle(shop: &Shop) {
    let log = books::connect(&shop.system.databases().events_reader).await;
    let bus = shop.bus("erasure").await.unwrap();
    eventually("the stream has the whole log", async || {
        let head: i64 = log
            .query_one("select position from log_head", &[])
            .await
            .unwrap()
            .get(0);
        let stream = bus.get_stream(shop.system.stream()).await.ok()?;
        let last = stream.cached_info().state.last_sequence;
        (i64::try_from(last).unwrap() >= head).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_needed_is_not_forgotten_and_only_administrators_forget() {
    let shop = Shop::open(Options::default()).await;
    let canary = Canary::new("needed");
    let placed = shop.place("open", &order(&shop, &canary)).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    let row = eventually("the order in the read model", async || {
        let row = shop.get(&format!("/orders/{order_id}"), &shop.tokens.staff).await;
        row.status.is_success().then_some(row.body)
    })
    .await;
    // The order names no holder id: that of the license is the same.
    assert_eq!(row["lines"][0]["holder"]["name"], json!(canary.name));
    let holder_id = holder_id_of(&shop, &order_id).await;

    let refused = erase(&shop, &holder_id, "under-way").await.expect(409);
    assert_eq!(refused.text_at("/code"), "erasure_order_open");
    shop.at_provider(&placed, "approve").await;
    collected(&shop, &order_id).await;
    let refused = erase(&shop, &holder_id, "valid").await.expect(409);
    assert_eq!(refused.text_at("/code"), "erasure_license_valid");

    let path = format!("/holders/{holder_id}/erase");
    let because = json!({"reason": "requested"});
    for token in [&shop.tokens.customer, &shop.tokens.organizer, &shop.tokens.staff] {
        shop.post(&path, token, "who", &because).await.expect(403);
    }
    let text = json!({"reason": "Kari asked on the phone"});
    let status = shop.post(&path, &shop.tokens.admin, "text", &text).await.status;
    assert!(status.is_client_error(), "{status}");
    let nobody = uuid::Uuid::new_v4().to_string();
    erase(&shop, &nobody, "nobody").await.expect(404);

    let license = license_of(&shop, &order_id).await;
    revoke(&shop, &license, "Expelled").await;
    let erased = erase(&shop, &holder_id, "now").await.expect(202);
    let again = erase(&shop, &holder_id, "now").await.expect(202);
    assert_eq!(erased.text, again.text, "the same answer for the same key");
    forgotten(&shop, &holder_id, &erased).await;
    // A holder who comes back is a customer like any other.
    let back = shop.place("back", &order(&shop, &canary)).await.expect(201);
    let back_id = back.text_at("/order_id").to_owned();
    shop.at_provider(&back, "approve").await;
    collected(&shop, &back_id).await;
    let license = license_of(&shop, &back_id).await;
    assert_eq!(license["holder"]["name"], json!(canary.name));
    let complaints = proofs(&shop).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    shop.close().await;
}

/// The key rows name the holder.
async fn holder_id_of(shop: &Shop, order_id: &str) -> String {
    let log = books::connect(&shop.system.databases().events_reader).await;
    let person = "select distinct person_id from personal_data where aggregate_id = $1";
    let id: uuid::Uuid = order_id.parse().unwrap();
    let person: uuid::Uuid = log.query_one(person, &[&id]).await.unwrap().get(0);
    person.to_string()
}

#[tokio::test]
async fn what_was_forgotten_stays_forgotten_after_a_restore() {
    let shop = Shop::open_private(Options::default()).await;
    let canary = Canary::new("backup");
    let order_id = buy(&shop, "backup", &canary).await;
    let license = license_of(&shop, &order_id).await;
    let holder_id = license["holder_id"].as_str().unwrap().to_owned();
    revoke(&shop, &license, "Expelled").await;

    let data = shop.system.servers().postgres().data_dir().unwrap().to_owned();
    let (backup, lost) = (data.with_extension("backup"), data.with_extension("lost"));
    shop.system.stop_one(Process::Postgres).await.unwrap();
    copy(&data, &backup);
    shop.system.start_one(Process::Postgres).await.unwrap();
    // With the connections of before the stop, the first attempts may fail; the key makes repeating them safe.
    let erased = eventually("the erasure is recorded", async || {
        let erased = erase(&shop, &holder_id, "erase").await;
        (erased.status == 202).then_some(erased)
    })
    .await;
    forgotten(&shop, &holder_id, &erased).await;
    let ledger = std::fs::read_to_string(shop.system.erasures_file()).unwrap();
    assert!(ledger.contains(erased.text_at("/erasure_id")), "{ledger}");
    assert!(canary.found_in(ledger.as_bytes()).is_empty());

    shop.system.kill(Process::CommandApi).await.unwrap();
    shop.system.stop_one(Process::Postgres).await.unwrap();
    std::fs::rename(&data, &lost).unwrap();
    std::fs::rename(&backup, &data).unwrap();
    shop.system.start_one(Process::Postgres).await.unwrap();
    shop.system.start_one(Process::CommandApi).await.unwrap();
    shop.system.wait_ready(Process::CommandApi).await.unwrap();

    // Before it is ready, the ledger is carried out.
    let log = books::connect(&shop.system.databases().events_reader).await;
    let person: uuid::Uuid = holder_id.parse().unwrap();
    let keys = "select count(*) from personal_data where person_id = $1";
    let keys: i64 = log.query_one(keys, &[&person]).await.unwrap().get(0);
    assert_eq!(keys, 0);
    eventually("the rows follow", async || {
        let licenses = shop.licenses_of(&order_id).await;
        let gone = licenses.first()?["holder_erased_at"].is_string();
        gone.then_some(())
    })
    .await;
    let complaints = privacy::rows_with(&shop, &canary).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    shop.close().await;
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}
