//! Bodies that are too large, for each extractor.

use axum::body::Bytes;
use axum::routing::post;
use axum::{Extension, Router};
use serde_json::Value;
use service::extract::{Body, BodyLimit, Json};
use service::http::HttpOptions;

use crate::support::raw::Raw;
use crate::support::{Server, client, problem, start};

const LIMIT: usize = 1000;

async fn server() -> Server {
    let router = Router::new()
        .route(
            "/large",
            post(async |Body(body): Body| body.len().to_string()).layer(Extension(BodyLimit(5000))),
        )
        .route("/json", post(async |Json(_): Json<Value>| "read"))
        .route("/raw", post(async |Body(body): Body| body.len().to_string()))
        .route("/bytes", post(async |body: Bytes| body.len().to_string()));
    start(
        router,
        HttpOptions {
            body_limit: LIMIT,
            ..HttpOptions::default()
        },
    )
    .await
}

/// A JSON string of exactly `length` bytes.
fn json_of(length: usize) -> String {
    format!("\"{}\"", "x".repeat(length - 2))
}

#[tokio::test]
async fn the_limit_is_exact() {
    let server = server().await;
    for path in ["/json", "/raw", "/bytes"] {
        let post = |length| {
            client()
                .post(server.url(path))
                .header("content-type", "application/json")
                .body(json_of(length))
                .send()
        };
        assert_eq!(post(LIMIT).await.unwrap().status(), 200, "{path}");
        let refused = post(LIMIT + 1).await.unwrap();
        assert_eq!(refused.status(), 413, "{path}");
        assert_eq!(problem(refused).await["code"], "body_too_large", "{path}");
    }
}

#[tokio::test]
async fn a_chunked_body_cannot_hide_its_size() {
    let server = server().await;
    for path in ["/json", "/raw", "/bytes"] {
        let mut client = Raw::connect(server.address).await;
        let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", LIMIT + 1, json_of(LIMIT + 1));
        let head =
            "Host: shop\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close";
        client
            .send(&format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n{chunk}"))
            .await;
        let answer = client.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
        assert!(answer.contains("body_too_large"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_declared_size_is_refused_before_the_body_is_sent() {
    let server = server().await;
    let mut client = Raw::connect(server.address).await;
    let head = "Host: shop\r\nContent-Type: application/json\r\nExpect: 100-continue";
    client
        .send(&format!(
            "POST /json HTTP/1.1\r\n{head}\r\nContent-Length: 99999999999\r\n\r\n"
        ))
        .await;
    let answer = client.read_until("body_too_large").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_too_slow_is_told_so_and_its_connection_ends() {
    let router = Router::new()
        .route("/json", post(async |Json(_): Json<Value>| "read"))
        .route("/raw", post(async |Body(body): Body| body.len().to_string()));
    let options = HttpOptions {
        body_read_timeout: std::time::Duration::from_millis(50),
        ..HttpOptions::default()
    };
    let server = start(router, options).await;
    for (path, framing) in [
        ("/json", "Content-Length: 100"),
        ("/raw", "Content-Length: 100"),
        ("/raw", "Transfer-Encoding: chunked"),
    ] {
        let mut client = Raw::connect(server.address).await;
        let head = format!("Host: shop\r\nContent-Type: application/json\r\n{framing}");
        client
            .send(&format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n1"))
            .await;
        let answer = client.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{path} {framing}: {answer}");
        assert!(answer.contains("request_timeout"), "{path} {framing}: {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_route_may_take_more() {
    let server = server().await;
    let post = |length| client().post(server.url("/large")).body(json_of(length)).send();
    assert_eq!(post(5000).await.unwrap().text().await.unwrap(), "5000");
    let refused = post(5001).await.unwrap();
    assert_eq!(refused.status(), 413);
    assert_eq!(problem(refused).await["detail"], "the limit is 5000 bytes");
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_no_handler() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let reached = Arc::new(AtomicBool::new(false));
    let handler = {
        let reached = Arc::clone(&reached);
        async move |_: Body| reached.store(true, Ordering::SeqCst)
    };
    let server = start(Router::new().route("/", post(handler)), HttpOptions::default()).await;
    let mut client = Raw::connect(server.address).await;
    client
        .send("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nhalf")
        .await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.unwrap();
    let answer = client.read_to_end().await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    assert!(!reached.load(Ordering::SeqCst));
}
