//! What works is told truly while parts of the system are away, and when they are back.

#![expect(clippy::expect_used, reason = "a test that fails says so by panicking")]

use serde_json::Value;
use stack::{Options, Process};
use system_tests::{Shop, answer, eventually};

async fn status(shop: &Shop) -> Value {
    let url = format!("{}/api/v1/status", shop.system.query_api_url());
    let answer = answer(shop.http().get(url)).await.expect("an answer");
    answer.expect(200).body
}

/// How something in one of the lists is.
fn of<'a>(status: &'a Value, list: &str, name: &str) -> &'a Value {
    let all = status[list].as_array().expect("a list");
    let found = all.iter().find(|one| one["name"] == name);
    &found.expect("it is there")["status"]
}

async fn becomes(shop: &Shop, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let status = status(shop).await;
        condition(&status).then_some(status)
    })
    .await
}

async fn works_again(shop: &Shop) {
    let works = |status: &Value| {
        let features = status["features"].as_array().expect("features");
        status["status"] == "ok" && features.iter().all(|feature| feature["status"] == "works")
    };
    becomes(shop, "everything works", works).await;
}

#[tokio::test]
async fn what_is_away_is_said_and_what_still_works() {
    let shop = Shop::open_private(Options::default()).await;
    works_again(&shop).await;
    let take_down = async |process| shop.system.stop_one(process).await.expect("it stops");
    let start = async |process| shop.system.start_one(process).await.expect("it starts");

    take_down(Process::Projector).await;
    let status = becomes(&shop, "what is shown is old", |status| {
        of(status, "features", "browse") == "stale"
    })
    .await;
    assert_eq!(of(&status, "components", "updates"), "degraded");
    assert_eq!(of(&status, "features", "buy"), "works");
    start(Process::Projector).await;
    works_again(&shop).await;

    take_down(Process::Redis).await;
    let status = becomes(&shop, "Redis is away", |status| {
        of(status, "components", "redis") == "degraded"
    })
    .await;
    assert_eq!(status["status"], "degraded");
    assert_eq!(of(&status, "features", "browse"), "works");
    start(Process::Redis).await;
    works_again(&shop).await;

    take_down(Process::CommandApi).await;
    let status = becomes(&shop, "no orders are taken", |status| {
        of(status, "features", "buy") == "away"
    })
    .await;
    assert_eq!(of(&status, "features", "browse"), "works");
    assert_eq!(status["status"], "degraded");
    start(Process::CommandApi).await;
    works_again(&shop).await;

    // One that keeps its connections and answers nothing.
    shop.system.pause(Process::Postgres).expect("a pause");
    let status = becomes(&shop, "nothing works", |status| status["status"] == "down").await;
    assert_eq!(of(&status, "features", "browse"), "away");
    assert_eq!(of(&status, "features", "buy"), "away");
    shop.system
        .resume(Process::Postgres)
        .expect("an end of the pause");
    works_again(&shop).await;
    shop.close().await;
}
