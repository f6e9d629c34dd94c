//! Clients that try to hold a connection for free.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use service::http::HttpOptions;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use crate::support::raw::Raw;
use crate::support::{client, let_others_run, start, start_default, within};

const SHORT: Duration = Duration::from_millis(50);

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

/// Options with a short time limit for a request's head.
fn short_head() -> HttpOptions {
    HttpOptions {
        header_read_timeout: SHORT,
        ..HttpOptions::default()
    }
}

#[tokio::test]
async fn headers_that_never_end_are_cut_off() {
    let server = start(hello(), short_head()).await;
    let mut slow = Raw::connect(server.address).await;
    slow.send("GET / HTTP/1.1\r\nHost: shop\r\nX-Slow: ").await;
    assert_eq!(slow.read_to_end().await, "");
}

#[tokio::test]
async fn headers_that_drip_are_cut_off_too() {
    let server = start(hello(), short_head()).await;
    let mut slow = Raw::connect(server.address).await;
    slow.send("GET / HTTP/1.1\r\n").await;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    within("the server to hang up on a dripping client", async {
        // Each byte would restart a limit on silence; this limit is on the whole head.
        while slow.0.write_all(b"X").await.is_ok() {
            ticks.tick().await;
        }
    })
    .await;
    assert_eq!(slow.read_to_end().await, "");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = start(
        hello(),
        HttpOptions {
            header_read_timeout: SHORT,
            idle_timeout_s: 1,
            ..HttpOptions::default()
        },
    )
    .await;
    let mut silent = Raw::connect(server.address).await;
    assert_eq!(silent.read_to_end().await, "");

    let mut idle = Raw::connect(server.address).await;
    idle.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    assert!(
        idle.read_to_end().await.ends_with("hello"),
        "an idle connection was not closed after its answer"
    );
}

/// Load balancers keep idle connections for a minute and send the next request on one of them.
#[tokio::test]
async fn an_idle_connection_outlives_the_limit_of_a_head() {
    let server = start(hello(), short_head()).await;
    let head = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
    let mut idle = Raw::connect(server.address).await;
    idle.send(head).await;
    idle.read_until("hello").await;
    // Another connection that sends half a head measures the time: it ends when the limit is over.
    let mut half = Raw::connect(server.address).await;
    half.send("GET / HTTP/1.1\r\n").await;
    assert_eq!(half.read_to_end().await, "");

    idle.send(head).await;
    idle.read_until("hello").await;
    // A head that has begun is held to the limit, on an old connection as on a new one.
    idle.send("GET / HTTP/1.1\r\n").await;
    assert_eq!(idle.read_to_end().await, "");
}

/// Sends a request that hyper refuses by itself, and returns the answer's head and its problem.
async fn refused(request: &str) -> (String, serde_json::Value) {
    let server = start_default(hello()).await;
    let mut client = Raw::connect(server.address).await;
    client.send(request).await;
    let answer = client.read_to_end().await;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let problem: serde_json::Value =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    for text in ["message_nb", "message_en", "request_id", "title"] {
        assert!(
            problem[text].as_str().is_some_and(|text| !text.is_empty()),
            "{problem}"
        );
    }
    let id = problem["request_id"].as_str().unwrap();
    assert!(head.contains(&format!("x-request-id: {id}")), "{head}");
    (head.to_owned(), problem)
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused_with_a_problem() {
    let get = |headers: &str| format!("GET / HTTP/1.1\r\nHost: shop\r\n{headers}\r\n");
    for headers in [
        format!("Idempotency-Key: {}\r\n", "x".repeat(60_000)),
        format!("Idempotency-Key: {}\r\n", "x".repeat(900_000)),
        "X-One: 1\r\n".repeat(200),
    ] {
        let (head, problem) = refused(&get(&headers)).await;
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&431.into(), &"headers_too_large".into())
        );
    }
    let path = "x".repeat(60_000);
    let (head, problem) = refused(&format!("GET /{path} HTTP/1.1\r\nHost: shop\r\n\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    assert_eq!(problem["code"], "headers_too_large");
}

#[tokio::test]
async fn what_is_no_http_is_refused_with_a_problem() {
    for request in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: shop\r\n\r\n",
        "GET / HTTP/1.1\r\nHost shop\r\n\r\n",
        "G\u{0}T / HTTP/1.1\r\nHost: shop\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: -1\r\n\r\n",
    ] {
        let (head, problem) = refused(request).await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&400.into(), &"malformed_request".into())
        );
    }
}

/// A handler's answer stays unchanged, even when it looks like hyper's own.
#[tokio::test]
async fn an_answer_of_a_handler_is_never_exchanged() {
    let text = "HTTP/1.1 431 x\r\ncontent-length: 0\r\n\r\n";
    let server = start_default(Router::new().route("/", get(async move || text))).await;
    let mut client = Raw::connect(server.address).await;
    client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let answer = client.read_until(text).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // The connection is good for another request, and for a refusal after it.
    client
        .send("GET / HTTP/1.1\r\nHost: shop\r\n\r\nnonsense\r\n\r\n")
        .await;
    let rest = client.read_to_end().await;
    assert!(
        rest.starts_with("HTTP/1.1 200 ") && rest.contains("malformed_request"),
        "{rest}"
    );
}

#[tokio::test]
async fn a_client_that_never_reads_gives_its_place_to_the_next() {
    let big = vec![b'x'; 64 * 1024 * 1024];
    let router = hello().route("/big", get(async move || big.clone()));
    let options = HttpOptions {
        write_stall_timeout: SHORT,
        max_connections: 1,
        ..HttpOptions::default()
    };
    let server = start(router, options).await;
    let mut stalled = Raw::connect(server.address).await;
    stalled.send("GET /big HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let next = client().get(server.url("/")).send().await.unwrap();
    assert_eq!(next.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn the_connection_limit_makes_further_clients_wait_and_then_serves_them() {
    let (release, first_done) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let asked = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (release, first_done, asked) =
            (Arc::clone(&release), Arc::clone(&first_done), Arc::clone(&asked));
        move || async move {
            if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                release.notified().await;
                first_done.store(true, Ordering::SeqCst);
            }
            first_done.load(Ordering::SeqCst).to_string()
        }
    };
    let router = Router::new().route("/", get(handler));
    let server = start(
        router,
        HttpOptions {
            max_connections: 1,
            ..HttpOptions::default()
        },
    )
    .await;
    let ask = async || {
        let mut client = Raw::connect(server.address).await;
        client
            .send("GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
            .await;
        client
    };
    let mut first = ask().await;
    let mut second = ask().await;
    let_others_run().await;
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "a second connection was served above the limit"
    );
    release.notify_one();
    assert!(first.read_to_end().await.ends_with("true"));
    assert!(second.read_to_end().await.ends_with("true"));
}

#[tokio::test]
async fn a_malformed_request_line_is_answered_and_closed() {
    let server = start_default(hello()).await;
    for garbage in [
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}hello tls",
    ] {
        let mut client = Raw::connect(server.address).await;
        client.send(garbage).await;
        let _ = client.0.shutdown().await;
        let answer = client.read_to_end().await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505"),
            "{answer}"
        );
    }
    assert_eq!(client().get(server.url("/")).send().await.unwrap().status(), 200);
}
