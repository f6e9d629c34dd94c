//! The access log: enough to follow a request, and nothing that is secret or personal.

use std::net::Ipv4Addr;

use reqwest::Method;
use serde_json::Value;
use stack::Process;
use system_tests::{answer, eventually};
use uuid::Uuid;

use crate::support::{Edge, client_at};

/// The line of the request with that id.
async fn line_of(edge: &Edge, id: &str) -> Value {
    let path = edge.shop.system.logs().join(format!("{}.log", Process::Edge));
    eventually(&format!("a line about {id}"), async || {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.into_iter().find(|line: &Value| line["request_id"] == id)
    })
    .await
}

/// Requests with a secret in them, the path that is logged of each, and its status.
fn requests(id: &str, secret: &str) -> Vec<(Method, String, &'static str, u16)> {
    vec![
        (
            Method::GET,
            format!("/api/v1/orders/{id}/return-status?t={secret}"),
            "/api/v1/orders/{id}/return-status",
            401,
        ),
        (
            Method::GET,
            format!("/api/v1/orders?q={secret}"),
            "/api/v1/orders",
            503,
        ),
        (
            Method::POST,
            format!("/api/v1/licenses/{id}/check-in"),
            "/api/v1/licenses/{id}/check-in",
            503,
        ),
        (
            Method::GET,
            format!("/api/v1/licenses/{id}/license.pdf?t={secret}"),
            "/api/v1/licenses/{id}/license.pdf",
            503,
        ),
        (
            Method::GET,
            format!("/api/v1/licenses/{id}/verification"),
            "/api/v1/licenses/{id}/verification",
            404,
        ),
        (
            Method::GET,
            "/api/v1/clubs?limit=2".to_owned(),
            "/api/v1/clubs",
            200,
        ),
        (
            Method::GET,
            format!("/session/callback?code={secret}&state=1"),
            "/session/callback",
            503,
        ),
        (Method::GET, format!("/v/{id}"), "/v/{id}", 404),
        (Method::GET, format!("/{secret}%20{id}"), "other", 404),
        (Method::GET, "/".to_owned(), "/", 200),
        (Method::GET, "/assets/app-1a2b3c.js".to_owned(), "/assets/*", 404),
        (Method::POST, "/csp-report".to_owned(), "/csp-report", 204),
    ]
}

#[tokio::test]
async fn a_line_tells_what_happened_to_a_request_and_nothing_about_its_sender() {
    let edge = Edge::without_login().await;
    let (id, client) = (
        Uuid::now_v7().to_string(),
        client_at(Ipv4Addr::new(127, 77, 66, 55)),
    );
    let ask = async |method: Method, path: &str, id: &str| {
        let request = client.request(method, format!("{}{path}", edge.url));
        let request = request
            .header("x-request-id", id)
            .header("cookie", "__Host-session=kanarifugl-cookie")
            .header("user-agent", "kanarifugl-browser")
            .header("referer", "http://127.0.0.1/retur?t=kanarifugl-referer")
            .bearer_auth("kanarifugl-bearer");
        answer(request).await.unwrap()
    };
    let secret = "kanarifugl-capability";
    for (number, (method, path, logged, status)) in requests(&id, secret).into_iter().enumerate() {
        let request_id = format!("line-{number}");
        let answered = ask(method.clone(), &path, &request_id).await;
        assert_eq!(answered.status, status, "{path}: {}", answered.text);
        let line = line_of(&edge, &request_id).await;
        assert_eq!(line["path"], logged, "{line}");
        assert_eq!(
            (&line["method"], &line["status"]),
            (&method.as_str().into(), &status.into()),
            "{line}"
        );
        assert_eq!(line["client"], "127.77.66.0/24", "{line}");
        assert!(
            line["duration_s"].is_number() && line["bytes"].as_u64() > Some(0),
            "{line}"
        );
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "{line}");
        }
    }
    let clubs = line_of(&edge, "line-5").await;
    assert_eq!(
        (&clubs["cache"], &clubs["upstream_status"]),
        (&"MISS".into(), &"200".into()),
        "{clubs}"
    );

    // Nor when something goes wrong.
    edge.shop.system.crash(Process::QueryApi).await.unwrap();
    let path = format!("/api/v1/orders/{id}/return-status?t={secret}");
    ask(Method::GET, &path, "away").await.expect(503);
    assert_eq!(line_of(&edge, "away").await["upstream_status"], "502");

    let log = edge.shop.system.logs().join(format!("{}.log", Process::Edge));
    let text = std::fs::read_to_string(log).unwrap();
    for word in ["kanarifugl", &id, "66.55"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(word)).collect();
        assert!(lines.is_empty(), "{word}: {lines:?}");
    }
    for line in text.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "no JSON: {line}");
    }
    edge.shop.close().await;
}
