//! The OpenAPI document: as committed, with every route and no other, and true of what is answered.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use axum::http::StatusCode;
use query_api::openapi::document;
use query_api::router::{ROUTES, router};
use read_model::{RESOURCES, reports};
use serde_json::{Value, json};
use service::docs;
use uuid::Uuid;

use crate::rows;
use crate::support::{Answer, App};

fn generated() -> Value {
    serde_json::to_value(document()).unwrap()
}

#[test]
fn the_committed_document_is_the_one_of_the_declarations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/openapi/query.json");
    let text = serde_json::to_string_pretty(&generated()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "schemas/openapi/query.json is not what the declarations say: UPDATE_SCHEMAS=1 cargo test -p query-api openapi"
    );
}

/// Method and path of every operation of the document.
fn documented() -> BTreeSet<(String, String)> {
    let document = generated();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    operations.collect()
}

#[test]
fn every_route_is_in_the_policy_table() {
    for (method, path) in ROUTES.iter().chain(docs::ROUTES) {
        let rows = policy::POLICY
            .iter()
            .filter(|rule| (rule.method, rule.path) == (*method, *path));
        assert_eq!(rows.count(), 1, "rows of {method} {path} in the policy table");
    }
}

#[tokio::test]
async fn every_route_is_in_the_document_and_no_other() -> Result<()> {
    let app = App::start().await?;
    let of = |routes: &[(&str, &str)]| -> BTreeSet<(String, String)> {
        let routes = routes.iter();
        routes
            .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
            .collect()
    };
    // axum shows the paths of a router in its debug text only.
    let shown = format!("{:?}", router(app.state.clone()));
    let routed: BTreeSet<String> = shown
        .split('"')
        .filter(|part| part.starts_with('/') && part.len() > 1 && !part.contains("__private"))
        .map(str::to_owned)
        .collect();
    let listed: BTreeSet<(String, String)> = of(ROUTES).union(&of(docs::ROUTES)).cloned().collect();
    let paths: BTreeSet<String> = listed.iter().map(|(_, path)| path.clone()).collect();
    assert_eq!(routed, paths, "the router and its tables of routes");
    let mut expected = of(ROUTES);
    expected.insert(("GET".into(), docs::DOCUMENT.into()));
    assert_eq!(documented(), expected, "the document and the tables of routes");
    for (method, path) in ROUTES {
        let path = path
            .replace("{receipt_id}", "x")
            .replace("{order_id}", "x")
            .replace("{license_id}", "x")
            .replace("{user_id}", "x")
            .replace("{batch_id}", "x");
        let answer = app.get(&path, &app.staff()).await;
        assert_eq!(*method, "GET");
        assert!(
            matches!(answer.status, StatusCode::OK | StatusCode::BAD_REQUEST) || path.ends_with("/me"),
            "{path}: {answer:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_document_is_served() -> Result<()> {
    let app = App::start().await?;
    let served = app.get_anonymously(docs::DOCUMENT).await;
    assert_eq!((served.status, served.body), (StatusCode::OK, generated()));
    Ok(())
}

/// Where a value contradicts a schema of the document.
fn errors(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema");
    validator
        .iter_errors(value)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect()
}

/// Checks an answer against the response of an operation.
#[track_caller]
fn conforms(document: &Value, path: &str, answer: &Answer) {
    let status = answer.status.as_u16().to_string();
    let response = &document["paths"][path]["get"]["responses"][&status];
    assert!(response.is_object(), "{path}: {status} is not in the document");
    let content_type = answer.header("content-type");
    if answer.body.is_null() {
        assert!(response["content"].is_null(), "{path}: {status}");
        return;
    }
    let content = &response["content"][content_type];
    assert!(
        content.is_object(),
        "{path}: {content_type} is not in the document"
    );
    let errors = errors(document, &content["schema"], &answer.body);
    assert!(errors.is_empty(), "{path}: {errors:#?}\n{:#}", answer.body);
    for name in answer.headers.keys() {
        let headers = response["headers"].as_object().expect("headers");
        let known = headers
            .keys()
            .any(|header| header.eq_ignore_ascii_case(name.as_str()));
        assert!(
            known || ["content-type", "content-length", "vary"].contains(&name.as_str()),
            "{path}: {status} has no {name}"
        );
    }
}

/// Rows with all that the projector can write.
async fn full_rows(app: &App) -> Result<(Uuid, Uuid)> {
    let guardian = json!({"name": "Ola Nordmann", "phone": "22 22 22 22", "consent": true});
    let vehicle = json!({"registration": "EK12345", "chassis": "123"});
    let holder = json!({"name": "Kari Nordmann", "birth_date": "2012-05-17", "phone": null, "email": "kari@example.no",
                        "guardian": guardian});
    let line = json!({"line": 1, "license_id": Uuid::now_v7(), "license_type": "konkurranse-bilcross", "name_nb": "Bilcross",
                      "name_en": "Bilcross", "category": "competition", "discipline": "bilcross", "role": "driver",
                      "club_id": Uuid::nil(), "club_name": "NMK", "activity_date": "2026-06-05", "activity_days": 2,
                      "price_ore": 42_000, "holder": holder, "vehicle": vehicle});
    let order = json!({"lines": [line], "paid_at": "2026-05-01T10:00:00.123456Z", "payment_reference": "ref",
                       "redirect_url": "https://pay.test", "capture_failure": "partly_collected"});
    let order = rows::order(&app.projector, order).await?;
    let license = json!({"guardian": guardian, "vehicle": vehicle, "order_number": null});
    let license = rows::license(&app.projector, license).await?;
    rows::license(&app.projector, json!({})).await?;
    rows::order(&app.projector, json!({})).await?;
    rows::license_type(&app.projector, json!({"min_age": 15})).await?;
    rows::license_type(
        &app.projector,
        json!({"code": "free", "prices": [], "prices_ore": [], "prices_valid_from": []}),
    )
    .await?;
    rows::club(&app.projector, "NMK Testby").await?;
    rows::terms(&app.projector, "2026-01", "2026-01-01T00:00:00Z", 1).await?;
    rows::activity(&app.projector, Uuid::nil(), "2026-06-05", 2).await?;
    rows::sales(&app.projector, "all", "2026-06-05", "", 42_000).await?;
    rows::sales(
        &app.projector,
        "club",
        "2026-06-05",
        &Uuid::nil().to_string(),
        42_000,
    )
    .await?;
    Ok((order, license))
}

#[test]
fn examples_have_every_property_and_are_what_the_document_says() {
    let document = generated();
    for resource in RESOURCES.iter().chain(reports::RESOURCES) {
        let example: Value = serde_json::from_str(resource.example).expect("JSON");
        let named: BTreeSet<&str> = example.as_object().unwrap().keys().map(String::as_str).collect();
        let shown: BTreeSet<&str> = resource.selected().map(|column| column.name).collect();
        assert_eq!(named, shown, "{}", resource.name);
        let path = format!("/api/v1/{}", resource.name);
        example_conforms(&document, &path);
    }
    for path in ["/api/v1/orders/outline", "/api/v1/licenses/outline"] {
        example_conforms(&document, path);
    }
}

#[track_caller]
fn example_conforms(document: &Value, path: &str) {
    let content = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"];
    let errors = errors(document, &content["schema"], &content["example"]);
    assert!(errors.is_empty(), "{path}: {errors:#?}");
}

#[tokio::test]
async fn what_is_answered_is_what_the_document_says() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    app.see_head(7).await?;
    let (order, license) = full_rows(&app).await?;
    let document = generated();
    let staff = app.staff();
    for (route, path) in [
        ("/api/v1/orders", "/api/v1/orders?count=true".to_owned()),
        (
            "/api/v1/orders",
            "/api/v1/orders?limit=1&fields=status,payment".into(),
        ),
        ("/api/v1/licenses", "/api/v1/licenses".into()),
        ("/api/v1/license-types", "/api/v1/license-types".into()),
        ("/api/v1/clubs", "/api/v1/clubs".into()),
        ("/api/v1/terms", "/api/v1/terms".into()),
        ("/api/v1/activities", "/api/v1/activities".into()),
        ("/api/v1/orders/outline", "/api/v1/orders/outline".into()),
        (
            "/api/v1/licenses/outline",
            "/api/v1/licenses/outline?q=kari&sort=activity_date".into(),
        ),
        (
            "/api/v1/reports/sales",
            "/api/v1/reports/sales?group_by=club".into(),
        ),
        ("/api/v1/orders/{order_id}", format!("/api/v1/orders/{order}")),
        (
            "/api/v1/licenses/{license_id}",
            format!("/api/v1/licenses/{license}"),
        ),
    ] {
        let answer = app.get(&path, &staff).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        conforms(&document, route, &answer);
        let known = [("if-none-match", answer.header("etag"))];
        let unchanged = app.get_with(&path, &staff, &known).await;
        assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED, "{path}");
        conforms(&document, route, &unchanged);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_refused_is_what_the_document_says() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    app.see_head(9).await?;
    let document = generated();
    let staff = app.staff();
    let orders = "/api/v1/orders";
    for (path, token, status, code) in [
        ("?limit=0", staff.as_str(), 400, "invalid_parameter"),
        ("?nothing=1", &staff, 400, "unknown_parameter"),
        ("?fields=nothing", &staff, 400, "unknown_field"),
        ("?cursor=nothing", &staff, 400, "cursor_invalid"),
        ("?min_position=10", &staff, 400, "position_unknown"),
        ("?min_position=8", &staff, 503, "projection_lagging"),
        ("", "", 401, "unauthorized"),
        ("", "nothing", 401, "token_invalid"),
    ] {
        if code == "position_unknown" {
            // A note from before the request proves nothing.
            app.see_head(9).await?;
        }
        let answer = app.get(&format!("{orders}{path}"), token).await;
        let known = answer.is(status, code) || answer.is(503, "projection_lagging");
        assert!(known, "{path}: {answer:?}");
        conforms(&document, orders, &answer);
    }
    let outline = "/api/v1/orders/outline";
    let unsorted = app.get(&format!("{outline}?sort=total_ore"), &staff).await;
    assert!(unsorted.is(400, "invalid_parameter"), "{unsorted:?}");
    conforms(&document, outline, &unsorted);
    let one = "/api/v1/orders/{order_id}";
    for (id, status) in [("nothing", 400), ("00000000-0000-0000-0000-000000000001", 404)] {
        let answer = app.get(&format!("{orders}/{id}"), &staff).await;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        conforms(&document, one, &answer);
    }
    Ok(())
}

/// Bodies of errors are read by programs: a change of one is a change of the API.
#[tokio::test]
async fn error_bodies_and_request_ids_stay() -> Result<()> {
    let app = App::start().await?;
    let staff = app.staff();
    let mut shown = Vec::new();
    for (path, token) in [
        ("/api/v1/orders", ""),
        ("/api/v1/orders", "nothing"),
        ("/api/v1/orders?limit=0&status=none&from=1", staff.as_str()),
        (
            "/api/v1/orders?activity_from=2026-01-02&activity_to=2026-01-01&created_from=2026",
            &staff,
        ),
        ("/api/v1/clubs?fields=nothing", ""),
        ("/api/v1/clubs?cursor=nothing", ""),
        ("/api/v1/licenses/1", &staff),
        ("/api/v1/licenses/00000000-0000-0000-0000-000000000001", &staff),
        ("/api/v1/clubs?min_position=1", ""),
        ("/api/v1/nothing", ""),
    ] {
        let id = [("x-request-id", "snapshot-1")];
        let answer = app.get_with(path, token, &id).await;
        assert_eq!(answer.header("x-request-id"), "snapshot-1");
        shown.push(json!({
            "path": path,
            "status": answer.status.as_u16(),
            "content_type": answer.header("content-type"),
            "retry_after": answer.header("retry-after"),
            "www_authenticate": answer.header("www-authenticate"),
            "body": answer.body,
        }));
    }
    insta::assert_json_snapshot!(shown);
    let made = app
        .get_with("/api/v1/nothing", "", &[("x-request-id", "not visible")])
        .await;
    let id = made.header("x-request-id");
    assert_eq!(made.body["request_id"], id);
    let id = Uuid::parse_str(id).context("the service's own id")?;
    assert_eq!(id.get_version_num(), 7, "ids sort by time");
    Ok(())
}
