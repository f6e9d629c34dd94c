//! Every answer has every header of the edge, once.

use reqwest::Method;
use reqwest::header::HeaderMap;
use stack::Process;
use system_tests::{Answer, answer, eventually};
use uuid::Uuid;

use crate::support::Edge;

/// The policy of all documents but the gate's.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types sw; report-uri /csp-report";

/// Those that are the same everywhere.
const FIXED: &[(&str, &str)] = &[
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Those that a document may have of its own, and what all others have.
const USUAL: &[(&str, &str)] = &[
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ("content-security-policy", POLICY),
];

/// The one value of a header.
#[track_caller]
fn once<'a>(what: &str, headers: &'a HeaderMap, name: &str) -> &'a str {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(values.len(), 1, "{what}: {name}: {values:?}");
    values[0]
}

#[track_caller]
fn has_fixed(what: &str, headers: &HeaderMap) {
    for (name, value) in FIXED {
        assert_eq!(once(what, headers, name), *value, "{what}: {name}");
    }
    for (name, _) in USUAL {
        once(what, headers, name);
    }
    assert!(!once(what, headers, "x-request-id").is_empty());
    for name in [
        "cache-control",
        "retry-after",
        "vary",
        "cache-status",
        "date",
        "content-type",
    ] {
        assert!(headers.get_all(name).iter().count() <= 1, "{what}: {name}");
    }
}

#[track_caller]
fn has_all(what: &str, headers: &HeaderMap) {
    has_fixed(what, headers);
    for (name, value) in USUAL {
        assert_eq!(once(what, headers, name), *value, "{what}: {name}");
    }
}

/// Every kind of route and answer, with the status that it has without front-door.
fn routes(unknown: Uuid) -> Vec<(Method, String, u16)> {
    let get = |path: &str, status| (Method::GET, path.to_owned(), status);
    let post = |path: &str, status| (Method::POST, path.to_owned(), status);
    let too_long = format!("/api/v1/orders?q={}", "q".repeat(20_000));
    vec![
        get("/", 200),
        (Method::HEAD, "/".to_owned(), 200),
        get("/favicon.svg", 200),
        get("/robots.txt", 200),
        get("/sw.js", 200),
        get("/assets/app-1a2b3c.js", 200),
        get("/assets/app-0f0f0f.js", 404),
        get("/assets/", 404),
        get("/nowhere", 404),
        get("/errors/503.html", 404),
        get("/.api", 404),
        get("/.session-check", 404),
        get("/.problem/unavailable", 404),
        post("/", 405),
        post("/csp-report", 204),
        get("/api/v1/clubs", 200),
        (Method::HEAD, "/api/v1/clubs".to_owned(), 200),
        get("/api/v1/license-types?limit=1", 200),
        get("/api/v1/license-types?limit=nonsense", 400),
        get("/api/v1/terms", 200),
        get("/api/v1/status", 200),
        get("/status", 200),
        get("/api/v1/openapi.json", 200),
        get("/api/v1/docs", 307),
        get("/api/v1/docs/nothing.js", 404),
        get(&format!("/api/v1/licenses/{unknown}/verification"), 404),
        get("/.well-known/license-keys.json", 200),
        get("/revocations", 200),
        get(&format!("/api/v1/orders/{unknown}/return-status?t=x"), 401),
        post("/api/v1/webhooks/vipps", 401),
        get("/api/v1/webhooks/nowhere", 404),
        get("/api/v1/orders", 503),
        get("/api/v1/stream", 503),
        get("/api/v1/nowhere", 503),
        post("/api/v1/orders", 503),
        post("/api/v1/clubs", 503),
        (Method::PATCH, "/api/v1/users/me".to_owned(), 503),
        (Method::OPTIONS, "/api/v1/orders".to_owned(), 503),
        (Method::TRACE, "/api/v1/orders".to_owned(), 405),
        get("/session/login", 503),
        post("/session/refresh", 503),
        get("/session/check", 404),
        get("/waiting-room/shop.json", 503),
        get("/waiting-room/enter", 503),
        get(&too_long, 414),
    ]
}

#[tokio::test]
async fn every_answer_has_every_header_once() {
    let edge = Edge::without_login().await;
    edge.put("assets/app-1a2b3c.js", b"export {};\n");
    edge.put("sw.js", b"self.skipWaiting();\n");
    for (method, path, status) in routes(Uuid::now_v7()) {
        let what = format!("{method} {}", &path[..path.len().min(60)]);
        let answered = answer(edge.request(method, &path)).await.unwrap();
        assert_eq!(answered.status.as_u16(), status, "{what}: {}", answered.text);
        has_all(&what, &answered.headers);
    }

    let clubs = edge.get("/api/v1/clubs").await;
    let tag = clubs.header("etag").unwrap();
    let again = edge
        .request(Method::GET, "/api/v1/clubs")
        .header("if-none-match", tag);
    let again = answer(again).await.unwrap().expect(304);
    has_all("304 of an API", &again.headers);
    let page = edge.get("/").await;
    let again = edge
        .request(Method::GET, "/")
        .header("if-none-match", page.header("etag").unwrap());
    has_all("304 of a page", &answer(again).await.unwrap().expect(304).headers);

    let html = edge.request(Method::GET, "/session/login");
    let html = answer(html.header("accept", "text/html,*/*")).await.unwrap();
    assert!(html.expect(503).text.contains("ikke tilgjengelig"));

    // Beyond the limit of addresses.
    let limited = eventually("a refusal", async || {
        let many = (0..100).map(|_| edge.get("/api/v1/orders"));
        let answers = futures_util::future::join_all(many).await;
        answers.into_iter().find(|answered| answered.status == 429)
    })
    .await;
    has_all("429", &limited.headers);
    edge.shop.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_and_what_cannot_be_reached_is_answered_with_them_too() {
    let edge = Edge::open(&[]).await;
    for (unreadable, status) in [
        ("NONSENSE\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nconnection: close\r\n\r\n", "400"),
        ("GET /%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "400"),
        (
            "POST /api/v1/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 34603009\r\n\r\n",
            "413",
        ),
    ] {
        let text = edge.raw(unreadable).await.to_lowercase();
        assert!(text.starts_with(&format!("http/1.1 {status} ")), "{text}");
        assert_eq!(
            text.contains("application/problem+json"),
            unreadable.contains("/api/"),
            "{text}"
        );
        for (name, value) in [FIXED, USUAL].concat() {
            let line = format!("\r\n{name}: {}\r\n", value.to_lowercase());
            assert_eq!(text.matches(&line).count(), 1, "{unreadable}: {line}\n{text}");
        }
    }

    edge.shop.system.crash(Process::QueryApi).await.unwrap();
    edge.shop.system.crash(Process::CommandApi).await.unwrap();
    for path in ["/api/v1/terms", "/revocations", "/api/v1/status", "/status"] {
        let away: Answer = edge.get(path).await.expect(503);
        has_all(path, &away.headers);
    }
    let away = edge.post("/api/v1/webhooks/vipps", "{}").await.expect(503);
    has_all("a webhook", &away.headers);
    edge.shop.close().await;
}

#[tokio::test]
async fn a_document_has_the_policy_that_it_needs() {
    let edge = Edge::open(&[]).await;
    for name in ["port.html", "port/skann.html", "retur.html", "kjop.html"] {
        edge.put(name, b"<!doctype html><title>x</title>");
    }
    for path in ["/port", "/port/skann"] {
        let gate = edge.get(path).await.expect(200);
        has_fixed(path, &gate.headers);
        let policy = once(path, &gate.headers, "content-security-policy");
        assert!(
            policy.contains("script-src 'self' 'wasm-unsafe-eval';"),
            "{policy}"
        );
        assert!(policy.contains("media-src 'self' blob:;"), "{policy}");
        let others = policy
            .replace(" 'wasm-unsafe-eval'", "")
            .replace(" media-src 'self' blob:;", "");
        assert_eq!(others, POLICY);
        assert_eq!(
            once(path, &gate.headers, "permissions-policy"),
            "camera=(self), microphone=(), geolocation=()"
        );
    }
    let missing = edge.get("/port/nowhere").await.expect(404);
    has_all("an error page below the gate", &missing.headers);

    let returned = edge.get("/retur?order_id=1&t=2").await.expect(200);
    has_fixed("/retur", &returned.headers);
    assert_eq!(
        once("/retur", &returned.headers, "referrer-policy"),
        "no-referrer"
    );
    has_all("/kjop", &edge.get("/kjop").await.expect(200).headers);

    // The reference has the policy that query-api gives it, whether it comes from there or from the cache.
    let direct = edge.direct("/api/v1/docs/").await;
    let its_own = once("docs", &direct.headers, "content-security-policy");
    assert!(its_own.contains("'unsafe-inline'"), "{its_own}");
    for _ in 0..2 {
        let docs = edge.get("/api/v1/docs/").await.expect(200);
        has_fixed("docs", &docs.headers);
        assert_eq!(once("docs", &docs.headers, "content-security-policy"), its_own);
    }
    edge.shop.close().await;
}
