//! What is kept, for how long, and for whom.

use policy::POLICY;
use reqwest::Method;
use service::auth::{Rule, Who};
use stack::Process;
use system_tests::{Answer, answer, eventually};

use crate::support::{Edge, code};

/// How an answer came: `edge; hit`, `edge; fwd=uri-miss` and so on.
fn came(answered: &Answer) -> &str {
    answered.header("cache-status").unwrap_or("not from the cache")
}

#[tokio::test]
async fn files_are_kept_as_long_as_their_names_say() {
    let edge = Edge::open(&[]).await;
    edge.put("assets/app-1a2b3c.js", b"console.log('plain');\n");
    // Not what they claim to be: what counts is that these very bytes arrive.
    edge.put("assets/app-1a2b3c.js.gz", b"bytes of gzip");
    edge.put("assets/app-1a2b3c.js.br", b"bytes of brotli");
    edge.put("sw.js", b"self.skipWaiting();\n");
    edge.put("kjop/index.html", b"<!doctype html><title>Kjop</title>");

    let asset = async |encodings: &str| {
        let request = edge.request(Method::GET, "/assets/app-1a2b3c.js");
        let request = request.header("accept-encoding", encodings);
        answer(request).await.unwrap().expect(200)
    };
    let plain = asset("identity").await;
    assert_eq!(plain.text, "console.log('plain');\n");
    assert_eq!(plain.header("cache-control"), Some("max-age=31536000, immutable"));
    assert_eq!(
        plain.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    let gzip = asset("gzip").await;
    assert_eq!(
        (gzip.header("content-encoding"), &gzip.text[..]),
        (Some("gzip"), "bytes of gzip")
    );
    assert_eq!(gzip.header("vary"), Some("Accept-Encoding"));
    let module = "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so";
    if std::path::Path::new(module).exists() {
        let brotli = asset("gzip, deflate, br").await;
        assert_eq!(
            (brotli.header("content-encoding"), &brotli.text[..]),
            (Some("br"), "bytes of brotli")
        );
        assert_eq!(brotli.header("vary"), Some("Accept-Encoding"));
    }

    let gone = edge.get("/assets/app-0f0f0f.js").await.expect(404);
    assert!(!gone.text.contains("Engangslisens"), "{}", gone.text);
    assert_eq!(gone.header("cache-control"), Some("no-store"));
    for path in ["/", "/kjop", "/robots.txt"] {
        let page = edge.get(path).await.expect(200);
        assert_eq!(
            page.header("cache-control"),
            Some("max-age=0, s-maxage=60, stale-while-revalidate=600"),
            "{path}"
        );
    }
    let worker = edge.get("/sw.js").await.expect(200);
    assert_eq!(worker.header("cache-control"), Some("no-cache"));
    edge.shop.close().await;
}

#[tokio::test]
async fn public_answers_are_asked_for_once_and_vary_by_nothing_that_is_not_in_the_key() {
    let edge = Edge::open(&[]).await;
    let path = "/api/v1/clubs?limit=7";
    let first = edge.get(path).await.expect(200);
    assert_eq!(came(&first), "edge; fwd=uri-miss");
    assert_eq!(
        first.header("cache-control"),
        Some("public, max-age=60, stale-while-revalidate=600")
    );
    let before = edge.counted("/api/v1/clubs").await;
    for _ in 0..20 {
        let again = edge.get(path).await.expect(200);
        assert_eq!(came(&again), "edge; hit");
        assert_eq!(again.text, first.text);
        assert_ne!(
            again.header("x-request-id"),
            first.header("x-request-id"),
            "each request has its own id"
        );
        assert_eq!(again.header("ratelimit"), None, "the limit of another client");
    }
    let more = edge.counted("/api/v1/clubs").await - before;
    assert!(more < 0.5, "{more} came to query-api");
    let head = answer(edge.request(Method::HEAD, path))
        .await
        .unwrap()
        .expect(200);
    assert_eq!((came(&head), &head.text[..]), ("edge; hit", ""));

    // Many ways to say the same, and one copy of each encoding.
    let encoded = async |encodings: &str| {
        let request = edge.request(Method::GET, "/api/v1/license-types?limit=200");
        let answered = answer(request.header("accept-encoding", encodings)).await;
        answered.unwrap().expect(200)
    };
    for (first, others) in [
        ("gzip, deflate, br", ["br", "br;q=1.0, gzip;q=0.5"]),
        ("gzip", ["gzip, deflate, br;q=0", "deflate, gzip"]),
        ("identity", ["", "gzip;q=0"]),
    ] {
        let kept = encoded(first).await;
        assert_eq!(came(&kept), "edge; fwd=uri-miss", "{first}");
        for other in others {
            let copy = encoded(other).await;
            assert_eq!(came(&copy), "edge; hit", "{other}");
            assert_eq!(
                copy.header("content-encoding"),
                kept.header("content-encoding"),
                "{other}"
            );
        }
    }

    // Who waits for a position is not given an answer that did not.
    let waits = edge.request(Method::GET, path).header("min-position", "1");
    let waits = answer(waits).await.unwrap().expect(200);
    assert_eq!(came(&waits), "edge; fwd=uri-miss");
    edge.shop.close().await;
}

#[tokio::test]
async fn every_public_read_is_in_the_table_of_the_edge() {
    let edge = Edge::without_login().await;
    let public = |who: Who| matches!(who, Who::Public);
    let reads = POLICY.iter().filter(|rule| rule.method == "GET");
    let (open, closed): (Vec<&Rule>, Vec<&Rule>) = reads.partition(|rule| public(rule.who));
    assert!(
        open.len() >= 5 && closed.len() >= 20,
        "{} {}",
        open.len(),
        closed.len()
    );
    for rule in open {
        let path = filled(rule.path);
        let answered = edge.get(&path).await;
        assert!(answered.status.as_u16() < 500, "{path}: {}", answered.text);
        let direct = edge.direct(&path).await;
        assert_eq!(answered.status, direct.status, "{path}");
        let varies = direct.header("vary").unwrap_or_default().split(", ");
        for by in varies.filter(|by| !by.is_empty()) {
            assert!(
                ["accept-encoding", "min-position"].contains(&by),
                "{path} varies by {by}"
            );
        }
    }
    for rule in closed.iter().filter(|rule| !matches!(rule.who, Who::Capability)) {
        let path = filled(rule.path);
        let refused = edge.get(&path).await.expect(503);
        assert_eq!(code(&refused), "login_unavailable", "{path}");
    }
    edge.shop.close().await;
}

/// A path of the policy with an id in the place of each parameter.
fn filled(path: &str) -> String {
    let id = uuid::Uuid::now_v7().to_string();
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { &id[..] } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn an_old_answer_is_shown_and_marked_while_query_api_is_away() {
    let edge = Edge::open(&[]).await;
    let status = edge.get("/api/v1/status").await.expect(200);
    let keys = edge.get("/.well-known/license-keys.json").await.expect(200);
    edge.shop.system.crash(Process::QueryApi).await.unwrap();
    // The status is kept for a second.
    let stale = eventually("an answer that is too old", async || {
        let answered = edge.get("/api/v1/status").await.expect(200);
        (came(&answered) == "edge; hit; detail=stale-if-error").then_some(answered)
    })
    .await;
    assert_eq!(stale.text, status.text, "the status from before");
    let kept = edge.get("/.well-known/license-keys.json").await.expect(200);
    assert_eq!((came(&kept), &kept.text), ("edge; hit", &keys.text));
    let unknown = edge.get("/api/v1/terms").await.expect(503);
    assert_eq!(code(&unknown), "unavailable");

    edge.shop.system.launch(Process::QueryApi).await.unwrap();
    edge.shop.system.wait_ready(Process::QueryApi).await.unwrap();
    eventually("a new status", async || {
        let answered = edge.get("/api/v1/status").await.expect(200);
        (answered.text_at("/generated_at") > stale.text_at("/generated_at")).then_some(())
    })
    .await;
    edge.shop.close().await;
}

#[tokio::test]
async fn an_old_answer_is_shown_while_query_api_is_silent() {
    let edge = Edge::open(&[]).await;
    edge.get("/api/v1/status").await.expect(200);
    edge.shop.system.pause(Process::QueryApi).unwrap();
    eventually("an answer that is too old", async || {
        let answered = edge.get("/api/v1/status").await.expect(200);
        came(&answered)
            .starts_with("edge; hit; detail=stale")
            .then_some(())
    })
    .await;
    let silent = edge.get("/api/v1/terms").await.expect(503);
    assert_eq!(code(&silent), "timeout");
    assert_eq!(silent.header("retry-after"), Some("1"));
    edge.shop.system.resume(Process::QueryApi).unwrap();
    edge.shop.close().await;
}

#[tokio::test]
async fn what_belongs_to_a_person_is_never_kept() {
    let edge = Edge::open(&[]).await;
    let placed = edge.shop.place("k", &edge.shop.order()).await.expect(201);
    let page = placed.text_at("/payment/redirect_url");
    // As a browser: the provider sends it back to the shop.
    let approve = edge.shop.http().post(format!("{page}/approve"));
    let approve = approve.header("accept", "text/html");
    let back = approve.send().await.unwrap().url().clone();
    let (_, capability) = back.query_pairs().find(|(name, _)| name == "t").unwrap();
    let order_id = placed.text_at("/order_id");
    let path = format!("/api/v1/orders/{order_id}/return-status?t={capability}");
    for _ in 0..2 {
        let read = eventually("the order in the rows", async || {
            Some(edge.get(&path).await).filter(|read| read.status == 200)
        })
        .await;
        assert_eq!(read.header("cache-control"), Some("private, no-store"));
        assert_eq!(came(&read), "not from the cache");
    }
    // Refusals of public routes are not kept, either.
    for _ in 0..2 {
        let refused = edge.get("/api/v1/clubs?limit=nonsense").await.expect(400);
        assert_eq!(came(&refused), "edge; fwd=uri-miss");
        assert_eq!(refused.header("cache-control"), Some("no-store"));
    }
    edge.shop.close().await;
}
