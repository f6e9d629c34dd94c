//! Hostile and broken requests at the real programs: each gets a clear problem, and none of them costs memory.

#![expect(clippy::expect_used, reason = "a test that fails says so by panicking")]

use futures_util::{StreamExt as _, stream};
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};
use stack::Options;
use system_tests::{Answer, Shop, answer};
use uuid::Uuid;

/// The most bytes of a body.
const BODY_LIMIT: usize = 1024 * 1024;

/// A command of the customer with a key of its own, without a body yet.
fn command(shop: &Shop, path: &str) -> RequestBuilder {
    let url = format!("{}/api/v1{path}", shop.system.command_api_url());
    let request = shop.http().post(url).bearer_auth(&shop.tokens.customer);
    request.header("Idempotency-Key", Uuid::new_v4().to_string())
}

fn order(shop: &Shop) -> RequestBuilder {
    command(shop, "/orders")
}

async fn refused(request: RequestBuilder, status: u16, code: &str) -> Answer {
    let answer = answer(request).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), status, "{code}: {}", answer.text);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{code}"
    );
    assert_eq!(answer.text_at("/code"), code, "{}", answer.text);
    for text in ["/message_nb", "/message_en", "/title", "/request_id"] {
        assert!(!answer.text_at(text).is_empty(), "{code}: {}", answer.text);
    }
    answer
}

fn json_body(request: RequestBuilder, body: impl Into<Body>) -> RequestBuilder {
    request.header("Content-Type", "application/json").body(body)
}

#[tokio::test]
async fn bodies_that_no_command_has() {
    let shop = Shop::open(Options::default()).await;
    let send = |body: Vec<u8>| json_body(order(&shop), body);
    refused(send(vec![b' '; BODY_LIMIT + 1]), 413, "body_too_large").await;
    let chunks = stream::iter((0..=BODY_LIMIT / 4096).map(|_| Ok::<_, std::io::Error>(vec![b' '; 4096])));
    refused(
        json_body(order(&shop), Body::wrap_stream(chunks)),
        413,
        "body_too_large",
    )
    .await;
    refused(send("[".repeat(200_000).into_bytes()), 400, "malformed_body").await;
    refused(
        send("{\"lines\":".repeat(50_000).into_bytes()),
        400,
        "malformed_body",
    )
    .await;
    refused(
        send(b"{\"payment_provider\": \"\xff\"}".to_vec()),
        400,
        "malformed_body",
    )
    .await;
    refused(
        send(
            "{\"lines\": []"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
        ),
        400,
        "malformed_body",
    )
    .await;
    let twice = refused(
        send(b"{\"lines\": [], \"lines\": []}".to_vec()),
        400,
        "malformed_body",
    )
    .await;
    assert_eq!(
        twice.body["errors"][0]["code"], "duplicate_field",
        "{}",
        twice.text
    );
    assert_eq!(twice.text_at("/errors/0/pointer"), "/lines");
    shop.close().await;
}

#[tokio::test]
async fn bodies_of_another_kind_than_they_say() {
    let shop = Shop::open(Options::default()).await;
    let body = shop.order().to_string();
    for kinds in [
        &["text/plain"][..],
        &[],
        &["application/json", "text/plain"],
        &["application/json", "application/json"],
        &["application/json; charset=utf-16"],
        &["application/x-www-form-urlencoded"],
    ] {
        let request = kinds.iter().fold(order(&shop), |request, kind| {
            request.header("Content-Type", *kind)
        });
        refused(request.body(body.clone()), 415, "unsupported_media_type").await;
    }
    // A thousand times smaller than what it would become.
    for encoding in ["gzip", "br", "zstd", "deflate", "identity, gzip", "x"] {
        let request = json_body(order(&shop), vec![0x1f, 0x8b, 8, 0]).header("Content-Encoding", encoding);
        let refused = refused(request, 415, "unsupported_media_type").await;
        assert_eq!(refused.header("accept-encoding"), Some("identity"));
    }
    let plain = json_body(order(&shop), body).header("Content-Encoding", "identity");
    answer(plain).await.expect("an answer").expect(201);
    shop.close().await;
}

#[tokio::test]
async fn heads_that_are_too_large_and_addresses_that_say_too_much() {
    let shop = Shop::open(Options::default()).await;
    for size in [40_000, 60_000, 300_000] {
        let url = format!("{}/api/v1/orders", shop.system.command_api_url());
        let request = shop.http().post(url).header("Idempotency-Key", "k".repeat(size));
        refused(request.json(&shop.order()), 431, "headers_too_large").await;
    }
    for size in [256, 10_000] {
        let url = format!("{}/api/v1/orders", shop.system.command_api_url());
        let request = shop.http().post(url).bearer_auth(&shop.tokens.customer);
        let request = request
            .header("Idempotency-Key", "k".repeat(size))
            .json(&shop.order());
        refused(request, 400, "idempotency_key_invalid").await;
    }
    for parameters in ["?dry_run=true", "?a", "?%ff"] {
        let request = command(&shop, &format!("/orders{parameters}")).json(&shop.order());
        refused(request, 400, "unknown_parameter").await;
    }
    answer(command(&shop, "/orders?").json(&shop.order()))
        .await
        .expect("an answer")
        .expect(201);
    shop.close().await;
}

#[tokio::test]
async fn an_id_has_one_spelling_everywhere() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("order", &shop.order()).await.expect(201);
    let (id, at) = (placed.text_at("/order_id").to_owned(), placed.position());
    let id: Uuid = id.parse().expect("an id");
    let (staff, customer) = (&shop.tokens.staff, &shop.tokens.customer);
    let get = async |path: String| shop.get(&path, customer).await;
    get(format!("/orders/{id}?min_position={at}")).await.expect(200);
    let upper = id.to_string().to_uppercase();
    get(format!("/orders/{upper}")).await.expect(200);
    for spelling in [
        id.simple().to_string(),
        format!("%7B{id}%7D"),
        format!("urn:uuid:{id}"),
        format!("{id}%20"),
        "x".repeat(36),
    ] {
        let one = get(format!("/orders/{spelling}")).await.expect(400);
        assert_eq!(one.text_at("/code"), "malformed_path", "{spelling}");
        let filter = get(format!("/orders?customer_id={spelling}")).await.expect(400);
        assert_eq!(filter.text_at("/code"), "invalid_parameter", "{spelling}");
        let path = format!("/orders/{spelling}/capture-resolution");
        let body = json!({"action": "write_off", "reason": "x"});
        let command = shop
            .post(&path, staff, &Uuid::new_v4().to_string(), &body)
            .await
            .expect(400);
        assert_eq!(command.text_at("/code"), "malformed_path", "{spelling}");
    }
    let club = shop.clubs[0];
    for spelling in [
        club.simple().to_string(),
        club.braced().to_string(),
        club.urn().to_string(),
    ] {
        let mut order = shop.order_for("Ola Nordmann");
        order["lines"][0]["club_id"] = json!(spelling);
        let refused = shop.place(&spelling, &order).await.expect(400);
        assert_eq!(
            refused.text_at("/errors/0/pointer"),
            "/lines/0/club_id",
            "{spelling}"
        );
    }
    shop.close().await;
}

#[tokio::test]
async fn a_filter_of_a_closed_list_takes_its_words_alone() {
    let shop = Shop::open(Options::default()).await;
    for path in [
        "/orders?provider=paypal",
        "/orders?status=lost",
        "/licenses?category=swimming",
        "/licenses?role=pilot",
        "/license-types?category=swimming",
        "/users?role=king",
    ] {
        let refused = shop.get(path, &shop.tokens.staff).await.expect(400);
        assert_eq!(refused.text_at("/code"), "invalid_parameter", "{path}");
    }
    shop.get("/orders?provider=vipps", &shop.tokens.staff)
        .await
        .expect(200);
    shop.close().await;
}

/// What command-api has of memory, in bytes.
async fn resident(shop: &Shop) -> f64 {
    let metrics = shop
        .ops(&shop.system.command_ops_url(), "metrics")
        .await
        .expect("metrics")
        .text;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("process_resident_memory_bytes"));
    let value = line.and_then(|line| line.rsplit(' ').next());
    value.expect("a value").parse().expect("a number")
}

/// Bad requests of every size, many at once.
async fn flood(shop: &Shop, rounds: usize) {
    let requests = (0..rounds).flat_map(|_| {
        let send = |body: Vec<u8>| json_body(order(shop), body);
        let bomb = json_body(order(shop), vec![0; BODY_LIMIT]).header("Content-Encoding", "gzip");
        [
            send(vec![b' '; BODY_LIMIT]),
            send(vec![b' '; 2 * BODY_LIMIT]),
            send("[".repeat(BODY_LIMIT).into_bytes()),
            send(format!("{{\"lines\": [{}7]}}", "7,".repeat(BODY_LIMIT / 4)).into_bytes()),
            bomb,
            order(shop).header("X-Filler", "x".repeat(60_000)),
        ]
    });
    stream::iter(requests)
        .for_each_concurrent(24, async |request| {
            let status = answer(request).await.map(|answer| answer.status.as_u16());
            // A client that still writes when its connection ends may miss the answer.
            assert!(
                status.as_ref().map_or(true, |status| (400..500).contains(status)),
                "{status:?}"
            );
        })
        .await;
}

#[tokio::test]
async fn bad_requests_cost_no_memory_that_lasts() {
    const MORE: f64 = 48.0 * 1024.0 * 1024.0;
    let shop = Shop::open(Options::default()).await;
    flood(&shop, 20).await;
    let before = resident(&shop).await;
    flood(&shop, 80).await;
    let after = resident(&shop).await;
    assert!(after < before + MORE, "{before} bytes became {after}");
    let placed: Value = shop.place("still", &shop.order()).await.expect(201).body;
    assert_eq!(placed["status"], "payment_pending");
    shop.close().await;
}
