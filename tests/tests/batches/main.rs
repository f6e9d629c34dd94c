//! `POST /batches`: many commands of one kind, each judged by itself, once, whatever dies meanwhile.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod files;
mod items;
mod kills;
mod operators;
mod uploads;

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::books::connect;
use system_tests::{Answer, Shop, answer, eventually_within};

const PATIENCE: Duration = Duration::from_mins(2);

/// Sends a file of items.
async fn send(shop: &Shop, key: &str, address: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let sent = try_send(shop, key, address, content_type, body).await;
    sent.unwrap()
}

async fn try_send(
    shop: &Shop,
    key: &str,
    address: &str,
    content_type: &str,
    body: impl Into<Vec<u8>>,
) -> reqwest::Result<Answer> {
    let url = format!("{}/api/v1/batches{address}", shop.system.command_api_url());
    let request = shop.http().post(url).bearer_auth(&shop.tokens.staff);
    let request = request
        .header("Idempotency-Key", key)
        .header("Content-Type", content_type);
    answer(request.body(body.into())).await
}

async fn submit(shop: &Shop, key: &str, kind: &str, items: &[Value]) -> String {
    let batch = json!({"kind": kind, "items": items});
    let submitted = shop
        .post("/batches", &shop.tokens.staff, key, &batch)
        .await
        .expect(202);
    assert_eq!(submitted.body["total"], items.len());
    submitted.text_at("/batch_id").to_owned()
}

/// The batch when all of its items are done.
async fn done(shop: &Shop, batch_id: &str) -> Value {
    let path = format!("/batches/{batch_id}");
    eventually_within(PATIENCE, "the batch is done", async || {
        let batch = shop.get(&path, &shop.tokens.staff).await;
        (batch.status == 200 && batch.body["status"] == "done").then_some(batch.body)
    })
    .await
}

/// All results of a batch that is done, in their order.
async fn results(shop: &Shop, batch_id: &str) -> Vec<Value> {
    let batch = done(shop, batch_id).await;
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/batches/{batch_id}/results?limit=100{after}");
        let page = shop.get(&path, &shop.tokens.staff).await.expect(200);
        all.extend(page.body["items"].as_array().unwrap().clone());
        match page.body["next_cursor"].as_str() {
            Some(cursor) => after = format!("&cursor={cursor}"),
            None => break,
        }
    }
    let failed = all.iter().filter(|result| result["outcome"] == "failed").count();
    assert_eq!(batch["total"], all.len());
    assert_eq!(batch["failed"], failed);
    assert_eq!(batch["succeeded"], all.len() - failed);
    for (place, result) in all.iter().enumerate() {
        assert_eq!(result["n"], place + 1, "{result}");
    }
    all
}

/// The outcome of each item: `done` with its label, or the code of its problem with the fields that are wrong.
async fn outcomes(shop: &Shop, batch_id: &str) -> Vec<String> {
    let outcome = |result: &Value| {
        let code = result["code"].as_str().unwrap_or_default();
        if result["outcome"] == "succeeded" {
            return format!("done {code}").trim_end().to_owned();
        }
        let fields = result["fields"].as_array().unwrap().iter();
        let fields = fields.map(|field| {
            format!(
                " {} {}",
                field["pointer"].as_str().unwrap(),
                field["code"].as_str().unwrap()
            )
        });
        format!("{code}{}", fields.collect::<String>())
    };
    results(shop, batch_id).await.iter().map(outcome).collect()
}

async fn count(shop: &Shop, sql: &str) -> i64 {
    let log = connect(&shop.system.databases().events_owner).await;
    log.query_one(sql, &[]).await.unwrap().get(0)
}

fn complimentary(shop: &Shop, holder: &str) -> Value {
    let mut item = shop.line("konkurranse-bilcross", holder);
    item["reason"] = json!("Volunteer of the club");
    item
}
