//! The limits of the whole system over HTTP.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::json;
use stack::{Options, Process};
use system_tests::{Answer, Shop, answer, eventually};

/// Options with these settings of both APIs.
fn with(settings: &[(&str, &str)]) -> Options {
    let programs = [Process::CommandApi, Process::CommandApi2, Process::QueryApi];
    let env = programs.into_iter().flat_map(|program| {
        let settings = settings.iter();
        settings.map(move |(name, value)| (program, (*name).to_owned(), (*value).to_owned()))
    });
    Options {
        env: env.collect(),
        ..Options::default()
    }
}

async fn cancel(shop: &Shop, base: &str) -> Answer {
    let url = format!("{base}/api/v1/orders/{}/cancel", uuid::Uuid::nil());
    let request = shop.http().post(url).bearer_auth(&shop.tokens.customer);
    answer(request.header("Idempotency-Key", "k").json(&json!({})))
        .await
        .unwrap()
}

async fn clubs(shop: &Shop, forwarded: &str) -> Answer {
    let url = format!("{}/api/v1/clubs", shop.system.query_api_url());
    let request = shop.http().get(url).header("X-Forwarded-For", forwarded);
    answer(request).await.unwrap()
}

#[tokio::test]
async fn two_instances_share_a_customers_limit_and_every_answer_says_what_is_left() {
    let mut options = with(&[("RATE_LIMITS", "customer=60/h:6"), ("REDIS_TIMEOUT_MS", "5000")]);
    options.second_command_api = true;
    let shop = Shop::open(options).await;
    let first = shop.system.command_api_url();
    let second = shop.system.second_command_api_url().unwrap();
    for (number, base) in [&first, &second, &first, &second, &first, &second]
        .into_iter()
        .enumerate()
    {
        let refused = cancel(&shop, base).await.expect(404);
        assert_eq!(
            refused.header("ratelimit-policy").unwrap(),
            "\"address\";q=1000;w=5, \"customer\";q=6;w=360"
        );
        let left = refused.header("ratelimit").unwrap();
        assert!(
            left.contains(&format!("\"customer\";r={};", 5 - number)),
            "{left}"
        );
    }
    for base in [&first, &second] {
        let limited = cancel(&shop, base).await.expect(429);
        assert_eq!(limited.text_at("/code"), "rate_limited");
        assert!(
            limited.text_at("/message_nb").starts_with("Du har sendt"),
            "{}",
            limited.text
        );
        assert!(
            limited.text_at("/message_en").starts_with("You have sent"),
            "{}",
            limited.text
        );
        let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert!(limited.header("ratelimit").unwrap().contains("\"customer\";r=0;"));
    }
    // Staff, and queries, are counted apart. Health and metrics are not counted at all.
    let read = shop.get("/orders", &shop.tokens.customer).await.expect(200);
    assert!(read.header("ratelimit").unwrap().contains("\"customer\";r=5;"));
    let staff = shop.get("/orders", &shop.tokens.staff).await.expect(200);
    assert!(staff.header("ratelimit").unwrap().contains("\"staff\";r=499;"));
    let ops = shop
        .ops(&shop.system.query_ops_url(), "health/ready")
        .await
        .unwrap()
        .expect(200);
    assert_eq!(ops.header("ratelimit"), None);
    // A login that is refused is counted as none.
    let bad = shop.get("/orders", "x.y.z").await.expect(401);
    assert!(
        bad.header("ratelimit").unwrap().contains("\"public\";r=399;"),
        "{bad:?}"
    );
    let limited = shop
        .command_metric("bilsport_rate_limit_checks_total", "limited")
        .await;
    assert!(limited.is_some_and(|count| count >= 1.0), "{limited:?}");
    shop.close().await;
}

#[tokio::test]
async fn an_address_is_what_our_own_proxy_says_and_nothing_else() {
    let limits = [("RATE_LIMITS", "public=60/h:3"), ("REDIS_TIMEOUT_MS", "5000")];
    let shop = Shop::open(with(&limits)).await;
    for number in 0..5 {
        let expected = if number < 3 { 200 } else { 429 };
        clubs(&shop, &format!("198.51.100.{number}"))
            .await
            .expect(expected);
    }
    shop.close().await;

    let trusted = [limits[0], limits[1], ("TRUSTED_PROXIES", "127.0.0.1")];
    let shop = Shop::open(with(&trusted)).await;
    for number in 0..4 {
        let expected = if number < 3 { 200 } else { 429 };
        // The first entry is the client's own invention.
        clubs(&shop, &format!("192.0.2.{number}, 198.51.100.1"))
            .await
            .expect(expected);
    }
    let limited = clubs(&shop, "198.51.100.1").await.expect(429);
    assert!(
        limited.text_at("/message_nb").contains("nettet"),
        "{}",
        limited.text
    );
    clubs(&shop, "198.51.100.2").await.expect(200);
    shop.close().await;
}

#[tokio::test]
async fn whatever_happens_to_redis_under_load_no_request_fails() {
    // The usual time limit, and room for all requests of this test.
    let options = with(&[("RATE_LIMITS", "public=1000/s:100000,address=off")]);
    let shop = Shop::open_private(options).await;
    let (answered, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let load = join_all((0..8).map(|_| async {
        while !enough.load(Ordering::Relaxed) {
            let status = clubs(&shop, "").await.status.as_u16();
            assert!([200, 429].contains(&status), "{status}");
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let sabotage = async {
        let system = &shop.system;
        some_more(&answered).await;
        system.pause(Process::Redis).unwrap();
        some_more(&answered).await;
        is_used(&shop, false).await;
        some_more(&answered).await;
        system.resume(Process::Redis).unwrap();
        is_used(&shop, true).await;
        some_more(&answered).await;
        system.crash(Process::Redis).await.unwrap();
        is_used(&shop, false).await;
        some_more(&answered).await;
        system.launch(Process::Redis).await.unwrap();
        system.wait_ready(Process::Redis).await.unwrap();
        is_used(&shop, true).await;
        some_more(&answered).await;
        enough.store(true, Ordering::Relaxed);
    };
    tokio::join!(load, sabotage);
    let by = async |source| {
        let ops = shop.system.query_ops_url();
        shop.metric(&ops, "bilsport_rate_limit_checks_total", source)
            .await
            .unwrap()
    };
    assert!(by("redis").await > 0.0 && by("local").await > 0.0);
    shop.close().await;
}

/// Waits for a few hundred more answers.
async fn some_more(answered: &AtomicUsize) {
    let wanted = answered.load(Ordering::Relaxed) + 300;
    eventually("more answers", async || {
        (answered.load(Ordering::Relaxed) >= wanted).then_some(())
    })
    .await;
}

/// Waits until query-api says that Redis is used, or is not, and is ready all the time.
async fn is_used(shop: &Shop, used: bool) {
    eventually(&format!("Redis is used: {used}"), async || {
        let ready = shop
            .ops(&shop.system.query_ops_url(), "health/ready")
            .await
            .ok()?
            .expect(200);
        let checks = ready.body["checks"].as_array()?;
        let redis = checks.iter().find(|check| check["name"] == "redis")?;
        (redis["reason"].is_null() == used).then_some(())
    })
    .await;
}
