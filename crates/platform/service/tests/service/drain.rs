//! Shutdown: what is in flight finishes, nothing new begins, and it ends.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use service::http::HttpOptions;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::raw::Raw;
use crate::support::{Server, start, start_default, until, within};

const GET: &str = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";

/// A server with one route that says when it was entered and waits to be released.
async fn slow_server(options: HttpOptions) -> (Server, Arc<Notify>, Arc<Notify>) {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
        move || async move {
            entered.notify_one();
            release.notified().await;
            "finished"
        }
    };
    (
        start(Router::new().route("/", get(handler)), options).await,
        entered,
        release,
    )
}

async fn refused(server: &Server) -> bool {
    TcpStream::connect(server.address).await.is_err()
}

#[tokio::test]
async fn a_request_in_flight_finishes_while_new_connections_are_refused() {
    let (server, entered, release) = slow_server(HttpOptions::default()).await;
    let mut client = Raw::connect(server.address).await;
    client.send(GET).await;
    within("the request to be in flight", entered.notified()).await;

    server.shutdown.cancel();
    until("the listener to close", async || refused(&server).await).await;
    assert!(
        !server.done.is_finished(),
        "the server ended with a request in flight"
    );

    release.notify_one();
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("finished"), "{answer}");
    within("the server to end", server.done).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_deadline() {
    let options = HttpOptions {
        drain_timeout: Duration::from_millis(100),
        ..HttpOptions::default()
    };
    let (server, entered, _release) = slow_server(options).await;
    let mut client = Raw::connect(server.address).await;
    client.send(GET).await;
    within("the request to be in flight", entered.notified()).await;
    server.shutdown.cancel();
    within("the server to end", server.done).await.unwrap().unwrap();
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn an_answer_that_never_ends_is_cut_off_at_the_deadline() {
    let body = || async {
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>("first")]);
        let never = futures_util::stream::once(pending());
        axum::body::Body::from_stream(futures_util::StreamExt::chain(first, never))
    };
    let options = HttpOptions {
        drain_timeout: Duration::from_millis(100),
        ..HttpOptions::default()
    };
    let server = start(Router::new().route("/", get(body)), options).await;
    let mut client = Raw::connect(server.address).await;
    client.send(GET).await;
    client.read_until("first").await;
    server.shutdown.cancel();
    within("the server to end", server.done).await.unwrap().unwrap();
    assert!(
        !client.read_to_end().await.contains("0\r\n\r\n"),
        "a cut off answer looks complete"
    );
}

#[tokio::test]
async fn idle_and_half_open_connections_do_not_delay_the_end() {
    let server = start_default(Router::new().route("/", get(async || "hello"))).await;
    let mut idle = Raw::connect(server.address).await;
    idle.send(GET).await;
    idle.read_until("hello").await;
    let mut silent = Raw::connect(server.address).await;

    // Far from the deadline of 8 s, or the wait below would not show that they were closed for being idle.
    server.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(7), server.done).await;
    ended
        .expect("idle connections held the server open")
        .unwrap()
        .unwrap();
    assert_eq!(idle.read_to_end().await, "");
    assert_eq!(silent.read_to_end().await, "");
}

#[tokio::test]
async fn a_server_that_was_told_to_stop_before_it_started_stops() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shutdown = tokio_util::sync::CancellationToken::new();
    shutdown.cancel();
    let served = service::http::serve(listener, Router::new(), HttpOptions::default(), shutdown);
    assert!(within("the server to end", served).await.is_ok());
}
