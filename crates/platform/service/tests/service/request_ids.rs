//! One id per request, from the client's header to the last log line.

use axum::Router;
use axum::routing::get;
use service::request_id::{self, RequestId};
use uuid::Uuid;

use crate::support::logs::Logs;
use crate::support::raw::Raw;
use crate::support::{client, start_default};

fn router() -> Router {
    Router::new().route(
        "/",
        get(async |id: RequestId| {
            tracing::info!("handling");
            // Both ways to the id have to agree, and work for spawned tasks only through a scope of their own.
            let elsewhere = tokio::spawn(async { request_id::current() }).await.unwrap();
            let scoped = tokio::spawn(request_id::scope(id.clone(), async { request_id::current() }))
                .await
                .unwrap();
            format!("{id} {:?} {elsewhere:?} {scoped:?}", request_id::current())
        }),
    )
}

#[tokio::test]
async fn a_callers_id_is_kept_and_echoed() {
    let server = start_default(router()).await;
    for id in [
        "a",
        "web-42",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "x:y/z",
    ] {
        let response = client()
            .get(server.url("/"))
            .header("x-request-id", id)
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["x-request-id"], id);
        let expected = format!("{id} Some({id:?}) None Some({id:?})");
        assert_eq!(response.text().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_missing_or_hostile_id_is_replaced() {
    let server = start_default(router()).await;
    let too_long = "x".repeat(65);
    for headers in [
        String::new(),
        "X-Request-Id: \r\n".to_owned(),
        "X-Request-Id: two words\r\n".to_owned(),
        "X-Request-Id: tab\tbed\r\n".to_owned(),
        "X-Request-Id: b\u{e5}t\r\n".to_owned(),
        format!("X-Request-Id: {too_long}\r\n"),
        "X-Request-Id: one\r\nX-Request-Id: two\r\n".to_owned(),
    ] {
        let mut client = Raw::connect(server.address).await;
        client
            .send(&format!(
                "GET / HTTP/1.1\r\nHost: shop\r\n{headers}Connection: close\r\n\r\n"
            ))
            .await;
        let answer = client.read_to_end().await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let echoed: Vec<&str> = head
            .lines()
            .filter_map(|line| line.strip_prefix("x-request-id: "))
            .collect();
        assert_eq!(echoed.len(), 1, "{headers:?}: {answer}");
        let id: Uuid = echoed[0]
            .parse()
            .unwrap_or_else(|_| panic!("{headers:?} was not replaced: {answer}"));
        assert_eq!(id.get_version_num(), 7);
        assert!(body.starts_with(echoed[0]), "{body}");
    }
}

#[tokio::test]
async fn every_log_line_of_a_request_carries_its_id_at_the_top() {
    let (logs, _guard) = Logs::capture("info");
    let server = start_default(router()).await;
    for id in ["first", "second"] {
        client()
            .get(server.url("/"))
            .header("x-request-id", id)
            .send()
            .await
            .unwrap();
    }
    for message in ["handling", "request"] {
        let ids: Vec<_> = logs
            .with_message(message)
            .iter()
            .map(|line| line["request_id"].clone())
            .collect();
        assert_eq!(ids, ["first", "second"], "{message}");
    }
}

#[tokio::test]
async fn the_id_is_logged_even_when_only_warnings_are() {
    let (logs, _guard) = Logs::capture("warn");
    let id = RequestId::parse("quiet").unwrap();
    request_id::scope(id, async { tracing::warn!("careful") }).await;
    assert_eq!(logs.with_message("careful")[0]["request_id"], "quiet");
}
