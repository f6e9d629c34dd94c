//! The answer to malformed input names the field, in both languages, with a pointer.

use axum::Router;
use axum::routing::{get, post};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::extract::{Json, Path, Query};
use uuid::Uuid;

use crate::support::{Server, client, problem, start_default};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    lines: Vec<Line>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    license_type: String,
    count: u32,
    #[serde(default, rename = "a/b~c")]
    odd: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    limit: Option<u8>,
}

async fn server() -> Server {
    let router = Router::new()
        .route("/orders", post(async |Json(order): Json<Order>| Json(order)))
        .route(
            "/list",
            get(async |Query(page): Query<Page>| format!("{:?}", page.limit)),
        )
        .route(
            "/orders/{order_id}",
            get(async |Path(id): Path<Uuid>| id.to_string()),
        )
        .route(
            "/pairs/{a}/{b}",
            get(async |Path((a, b)): Path<(u8, u8)>| format!("{a} {b}")),
        );
    start_default(router).await
}

async fn post_as(
    server: &Server,
    content_type: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> reqwest::Response {
    let mut request = client().post(server.url("/orders")).body(body);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn good_json_goes_in_and_out() {
    let server = server().await;
    let order =
        json!({ "lines": [{ "license_type": "æøå", "count": 2, "a/b~c": 1 }], "note": "\u{0} \u{1F3CE}" });
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json ; profile=x; charset=utf-8",
        "application/merge+json",
    ] {
        let response = post_as(&server, Some(content_type), order.to_string()).await;
        assert_eq!(response.status(), StatusCode::OK, "{content_type}");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.json::<Value>().await.unwrap(), order);
    }
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let server = server().await;
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("text/json"),
        Some("json"),
        Some("application/json; charset=iso-8859-1"),
        Some("application/json; charset=utf-16"),
    ] {
        let response = post_as(&server, content_type, r#"{"lines":[]}"#).await;
        assert_eq!(
            response.status(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{content_type:?}"
        );
        assert_eq!(problem(response).await["code"], "unsupported_media_type");
    }
}

#[tokio::test]
async fn what_is_no_json_is_said_without_a_pointer() {
    let server = server().await;
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 10] = [
        b"",
        b"{",
        b"{\"lines\":[]}}",
        b"{\"lines\":[]} x",
        b"{'lines':[]}",
        b"\xef\xbb\xbf",
        b"\xff\xfe{\0}\0",
        b"{\"lines\":[],\"note\":\"\xff\"}",
        b"{\"lines\":[],\"note\":NaN}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let response = post_as(&server, Some("application/json"), body.to_vec()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{shown}");
        let problem = problem(response).await;
        assert_eq!(problem["code"], "malformed_body", "{shown}");
        if !body.starts_with(b"[") {
            assert_eq!(problem["errors"], json!([]), "{shown}");
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named_by_a_pointer() {
    let server = server().await;
    let cases = [
        (
            json!({ "lines": [{ "license_type": 1, "count": 1 }] }),
            "malformed_body",
            "/lines/0/license_type",
            "invalid_value",
        ),
        (
            json!({ "lines": [{ "license_type": "a", "count": -1 }] }),
            "malformed_body",
            "/lines/0/count",
            "invalid_value",
        ),
        (
            json!({ "lines": [{ "license_type": "a", "count": 5_000_000_000_u64 }] }),
            "malformed_body",
            "/lines/0/count",
            "invalid_value",
        ),
        (
            json!({ "lines": [{ "license_type": "a", "count": 1.5 }] }),
            "malformed_body",
            "/lines/0/count",
            "invalid_value",
        ),
        (
            json!({ "lines": [{ "license_type": "a", "count": 1 }, { "count": 1 }] }),
            "malformed_body",
            "/lines/1/license_type",
            "missing_field",
        ),
        (
            json!({ "lines": [{ "license_type": "a", "count": 1, "a/b~c": "x" }] }),
            "malformed_body",
            "/lines/0/a~1b~0c",
            "invalid_value",
        ),
        (
            json!({ "lines": "none" }),
            "malformed_body",
            "/lines",
            "invalid_value",
        ),
        (
            json!({ "lines": null }),
            "malformed_body",
            "/lines",
            "invalid_value",
        ),
        (json!({}), "malformed_body", "/lines", "missing_field"),
        (json!([]), "malformed_body", "", "invalid_value"),
        (json!("order"), "malformed_body", "", "invalid_value"),
        (
            json!({ "lines": [], "total_ore": 1 }),
            "unknown_field",
            "/total_ore",
            "unknown_field",
        ),
        (
            json!({ "lines": [{ "license_type": "a", "count": 1, "price_ore": 1 }] }),
            "unknown_field",
            "/lines/0/price_ore",
            "unknown_field",
        ),
    ];
    for (body, code, pointer, field_code) in cases {
        let response = post_as(&server, Some("application/json"), body.to_string()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        let problem = problem(response).await;
        assert_eq!(problem["code"], code, "{body}");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{problem}");
        assert_eq!(
            (&errors[0]["pointer"], &errors[0]["code"]),
            (&pointer.into(), &field_code.into()),
            "{body}"
        );
        assert!(errors[0]["message_nb"].is_string() && errors[0]["message_en"].is_string());
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_no_fault() {
    let server = server().await;
    let response = post_as(&server, Some("application/json"), "\u{feff}{\"lines\":[]}").await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_a_value_should_be_is_said_in_words_and_never_in_types() {
    let server = server().await;
    let line = |license_type: Value, count: Value| json!({ "lines": [{ "license_type": license_type, "count": count }] });
    for (body, words) in [
        (line(json!(1), json!(1)), "Must be text in quotes."),
        (line(json!({}), json!(1)), "Must be text in quotes."),
        (line(json!(null), json!(1)), "Is required and cannot be null."),
        (
            line(json!("a"), json!("1")),
            "Must be a whole number without quotes.",
        ),
        (
            line(json!("a"), json!(1.5)),
            "Must be a whole number without quotes.",
        ),
        (
            line(json!("a"), json!(1e30)),
            "Must be a whole number without quotes.",
        ),
        (
            line(json!("a"), json!(-1)),
            "The number is too large or too small.",
        ),
        (json!({ "lines": {} }), "Must be a list: [ … ]."),
        (json!({ "lines": [5] }), "Must be an object: { … }."),
        (json!({ "lines": [[]] }), "Must be an object: { … }."),
        (json!(true), "Must be an object: { … }."),
    ] {
        let response = post_as(&server, Some("application/json"), body.to_string()).await;
        let problem = problem(response).await;
        assert_eq!(problem["errors"][0]["message_en"], words, "{body}");
        let text = problem.to_string();
        for rust in ["struct", "expected", "Order", "u32", "integer `", "visitor"] {
            assert!(!text.contains(rust), "{rust} in {text}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_said_to_be_none() {
    let server = server().await;
    let response = post_as(
        &server,
        Some("application/json"),
        b"{\"note\":\"\xc3\x28\"}".to_vec(),
    )
    .await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let message = problem(response).await["message_en"].to_string();
    assert!(message.contains("UTF-8"), "{message}");
}

#[tokio::test]
async fn a_field_given_twice_is_refused() {
    let server = server().await;
    let response = post_as(&server, Some("application/json"), r#"{"lines":[],"lines":[]}"#).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let problem = problem(response).await;
    assert_eq!(
        (&problem["code"], &problem["errors"][0]["pointer"]),
        (&"malformed_body".into(), &"/lines".into())
    );
}

#[tokio::test]
async fn a_long_field_name_is_not_sent_back_whole() {
    let server = server().await;
    let body = json!({ "lines": [], "x".repeat(50_000): 1 });
    let response = post_as(&server, Some("application/json"), body.to_string()).await;
    let text = problem(response).await.to_string();
    assert!(text.len() < 2_000, "{} bytes", text.len());
}

#[tokio::test]
async fn query_strings_are_held_to_their_type() {
    let server = server().await;
    let get = async |query: &str| {
        client()
            .get(server.url(&format!("/list{query}")))
            .send()
            .await
            .unwrap()
    };
    for (query, expected) in [("", "None"), ("?", "None"), ("?limit=5", "Some(5)")] {
        assert_eq!(get(query).await.text().await.unwrap(), expected, "{query}");
    }
    for (query, code, pointer) in [
        ("?limit=x", "malformed_query", "/limit"),
        ("?limit=256", "malformed_query", "/limit"),
        ("?limit=", "malformed_query", "/limit"),
        ("?limit=1&limit=2", "malformed_query", "/limit"),
        ("?limits=1", "unknown_field", "/limits"),
    ] {
        let response = get(query).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        let problem = problem(response).await;
        assert_eq!(problem["code"], code, "{query}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[tokio::test]
async fn path_parameters_are_held_to_their_type() {
    let server = server().await;
    let get = async |path: &str| client().get(server.url(path)).send().await.unwrap();
    let id = Uuid::now_v7();
    assert_eq!(
        get(&format!("/orders/{id}")).await.text().await.unwrap(),
        id.to_string()
    );
    for (path, pointer) in [
        ("/orders/1", "/order_id"),
        ("/orders/%ff", "/order_id"),
        ("/pairs/1/x", "/b"),
        ("/pairs/1/256", "/b"),
    ] {
        let response = get(path).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        let problem = problem(response).await;
        assert_eq!(problem["code"], "malformed_path", "{path}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}
