//! Every error answer has one shape, whatever caused it.

use std::future::pending;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use reqwest::Method;
use service::http::HttpOptions;
use service::problem::Problem;

use crate::support::logs::Logs;
use crate::support::raw::Raw;
use crate::support::{Server, client, problem, start, start_default};

fn router() -> Router {
    Router::new()
        .route(
            "/things/{id}",
            get(async || "a thing").post(async || StatusCode::CREATED),
        )
        .route(
            "/panic",
            get(async || -> &'static str { panic!("the handler broke") }),
        )
        .route(
            "/internal",
            get(async || Problem::internal(&io::Error::other("the disk is on fire"))),
        )
        .route(
            "/down",
            get(async || Problem::unavailable("nats_down", "Nede.", "Down.").detail("try later")),
        )
        .route("/bare", get(async || (StatusCode::CONFLICT, [("x-kept", "yes")])))
        .route("/bare-500", get(async || StatusCode::BAD_GATEWAY))
        .route("/page", get(async || (StatusCode::GONE, Html("<p>Borte</p>"))))
        .route("/number", post(async |body: String| body.len().to_string()))
        .route("/for-ever", get(async || pending::<&'static str>().await))
}

async fn ask(server: &Server, method: Method, path: &str) -> reqwest::Response {
    client().request(method, server.url(path)).send().await.unwrap()
}

#[tokio::test]
async fn unknown_paths_are_404_and_unknown_methods_405() {
    let server = start_default(router()).await;
    for path in [
        "/",
        "/nothing",
        "/things",
        "/things/1/2",
        "/things/1/",
        "/%00",
        "//",
    ] {
        let response = ask(&server, Method::GET, path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(problem(response).await["code"], "not_found");
    }
    for method in ["DELETE", "PUT", "BREW"] {
        let response = ask(&server, method.parse().unwrap(), "/things/1").await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()["allow"], "GET,HEAD,POST");
        assert_eq!(problem(response).await["code"], "method_not_allowed");
    }
}

#[tokio::test]
async fn head_and_options_are_answered_without_a_body() {
    let server = start_default(router()).await;
    let head = ask(&server, Method::HEAD, "/things/1").await;
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"7".parse().unwrap())
    );
    assert_eq!(head.text().await.unwrap(), "");
    let head = ask(&server, Method::HEAD, "/nothing").await;
    assert_eq!(head.status(), 404);
    assert_eq!(head.text().await.unwrap(), "");

    let options = ask(&server, Method::OPTIONS, "/things/1").await;
    assert_eq!(
        (options.status().as_u16(), &options.headers()["allow"]),
        (204, &"GET,HEAD,POST".parse().unwrap())
    );
    assert_eq!(options.text().await.unwrap(), "");
    assert_eq!(ask(&server, Method::OPTIONS, "/nothing").await.status(), 404);
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing_and_the_connection_lives_on() {
    let server = start_default(router()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send("GET /panic HTTP/1.1\r\nHost: shop\r\nX-Request-Id: broken-1\r\n\r\n")
        .await;
    let answer = raw.read_until("request_id").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(answer.contains(r#""request_id":"broken-1""#), "{answer}");
    assert!(answer.contains(r#""code":"internal""#), "{answer}");
    assert!(!answer.contains("handler broke"), "{answer}");
    raw.send("GET /things/1 HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    raw.read_until("a thing").await;
}

#[tokio::test]
async fn an_internal_error_is_logged_once_and_never_returned() {
    let (logs, _guard) = Logs::capture("info");
    let server = start_default(router()).await;
    let response = client()
        .get(server.url("/internal"))
        .header("x-request-id", "fire-1")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 500);
    let body = problem(response).await;
    assert_eq!(body["code"], "internal");
    assert!(!body.to_string().contains("fire on"), "{body}");
    assert!(!body.to_string().contains("disk"), "{body}");
    let logged = logs.with_message("request failed");
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0]["error"], "the disk is on fire");
    assert_eq!(logged[0]["request_id"], "fire-1");
    assert_eq!(logged[0]["level"], "ERROR");
}

#[tokio::test]
async fn an_unavailable_part_says_when_to_try_again() {
    let server = start_default(router()).await;
    let response = ask(&server, Method::GET, "/down").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    let body = problem(response).await;
    assert_eq!(
        (&body["code"], &body["detail"]),
        (&"nats_down".into(), &"try later".into())
    );
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_a_503() {
    let options = HttpOptions {
        request_timeout: Duration::from_millis(50),
        ..HttpOptions::default()
    };
    let server = start(router(), options).await;
    let response = ask(&server, Method::GET, "/for-ever").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    assert_eq!(problem(response).await["code"], "timeout");
}

#[tokio::test]
async fn a_body_that_never_ends_is_a_503() {
    let options = HttpOptions {
        request_timeout: Duration::from_millis(50),
        ..HttpOptions::default()
    };
    let server = start(router(), options).await;
    let mut slow = Raw::connect(server.address).await;
    slow.send("POST /number HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nfirst")
        .await;
    let answer = slow.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains(r#""code":"timeout""#), "{answer}");
}

#[tokio::test]
async fn bare_statuses_and_library_texts_become_problems_and_pages_stay_pages() {
    let (logs, _guard) = Logs::capture("info");
    let server = start_default(router()).await;
    let bare = ask(&server, Method::GET, "/bare").await;
    assert_eq!(
        (bare.status().as_u16(), &bare.headers()["x-kept"]),
        (409, &"yes".parse().unwrap())
    );
    assert_eq!(problem(bare).await["code"], "conflict");

    let not_text = client()
        .post(server.url("/number"))
        .body(vec![0xff])
        .send()
        .await
        .unwrap();
    assert_eq!(not_text.status(), 400);
    assert_eq!(problem(not_text).await["code"], "bad_request");

    let bare = ask(&server, Method::GET, "/bare-500").await;
    assert_eq!(bare.status(), 502);
    assert_eq!(problem(bare).await["code"], "internal");
    assert_eq!(
        logs.with_message("a handler answered an error without a problem")
            .len(),
        1
    );

    let page = ask(&server, Method::GET, "/page").await;
    assert_eq!(page.status(), 410);
    assert_eq!(page.text().await.unwrap(), "<p>Borte</p>");
}

#[tokio::test]
async fn the_layers_work_without_a_socket() {
    use tower::ServiceExt;

    let request = axum::http::Request::get("/nothing")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = service::http::apply_layers(router())
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers().contains_key("x-request-id"));
}
