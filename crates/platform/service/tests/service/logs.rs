//! The shape of a log line, and what it never contains.

use axum::Router;
use axum::routing::get;
use serde_json::json;

use crate::support::logs::Logs;
use crate::support::raw::Raw;
use crate::support::{client, start_default, until};

#[test]
fn a_line_is_flat_json_whatever_the_fields_hold() {
    let (logs, _guard) = Logs::capture("trace");
    let outer = tracing::info_span!(
        "outer",
        order_id = 7,
        shadowed = "outer",
        late = tracing::field::Empty
    );
    let _outer = outer.enter();
    outer.record("late", "recorded");
    let inner = tracing::info_span!("inner", shadowed = "inner");
    let _inner = inner.enter();
    tracing::warn!(
        shadowed = "event",
        float = 0.5,
        yes = true,
        text = "line\nbreak \"æ\"",
        "something happened"
    );
    tracing::debug!(level = "fake", timestamp = "fake", target = "fake", "second");

    assert_eq!(logs.text().lines().count(), 2);
    let [first, second] = &logs.lines()[..] else {
        panic!("two lines")
    };
    let fields = [
        "order_id", "shadowed", "late", "float", "yes", "text", "level", "target", "message",
    ];
    let values = fields.map(|field| first[field].clone());
    let target = "service::logs";
    let expected = json!([
        7,
        "event",
        "recorded",
        0.5,
        true,
        "line\nbreak \"æ\"",
        "WARN",
        target,
        "something happened"
    ]);
    assert_eq!(json!(values), expected);
    chrono::DateTime::parse_from_rfc3339(first["timestamp"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&second["level"], &second["target"], &second["shadowed"]),
        (&json!("DEBUG"), &json!(target), &json!("inner"))
    );
    assert_ne!(second["timestamp"], "fake");
}

#[tokio::test]
async fn the_access_line_holds_the_route_and_nothing_a_person_typed() {
    let (logs, _guard) = Logs::capture("info");
    let router = Router::new().route("/users/{id}", get(async || "a user"));
    let server = start_default(router).await;
    for path in ["/users/kari@example.no?q=kari@example.no", "/kari@example.no"] {
        client().get(server.url(path)).send().await.unwrap();
    }
    let lines = logs.with_message("request");
    let shown: Vec<_> = lines
        .iter()
        .map(|line| json!([line["method"], line["route"], line["status"], line["level"]]))
        .collect();
    assert_eq!(
        json!(shown),
        json!([
            ["GET", "/users/{id}", 200, "INFO"],
            ["GET", "unmatched", 404, "INFO"]
        ])
    );
    assert!(lines[0]["duration_ms"].is_f64());
    let of_ours = logs
        .lines()
        .into_iter()
        .filter(|line| line["target"].as_str().unwrap().starts_with("service"));
    for line in of_ours {
        assert!(!line.to_string().contains("kari"), "{line}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_a_line_too() {
    let (logs, _guard) = Logs::capture("info");
    let router = Router::new().route(
        "/for-ever",
        get(async || {
            tracing::info!("entered");
            std::future::pending::<()>().await;
        }),
    );
    let server = start_default(router).await;
    let mut client = Raw::connect(server.address).await;
    client
        .send("GET /for-ever HTTP/1.1\r\nHost: shop\r\nX-Request-Id: gone\r\n\r\n")
        .await;
    until("the request to be in flight", async || {
        !logs.with_message("entered").is_empty()
    })
    .await;
    drop(client);
    until("its line", async || !logs.with_message("request").is_empty()).await;
    let line = &logs.with_message("request")[0];
    assert_eq!(
        (&line["status"], &line["request_id"]),
        (&json!(499), &json!("gone"))
    );
}
