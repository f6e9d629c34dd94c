//! The document and its page: complete, from this origin alone.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use http_body_util::BodyExt;
use serde_json::Value;
use service::docs::{self, document, of_every_request, of_login, of_request_bodies, refusals};
use service::problem::Problem;
use tower::ServiceExt;

async fn get(path: &str) -> Response<Body> {
    let router: Router = docs::routes(&document("Test", "For a test."));
    let router = service::http::apply_layers(router);
    let request = Request::get(path).body(Body::empty()).unwrap();
    router.oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn header(response: &Response<Body>, name: header::HeaderName) -> String {
    let value = response.headers().get(name).unwrap();
    value.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_document_is_openapi_3_1_with_what_all_operations_share() {
    let response = get(docs::DOCUMENT).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, header::CONTENT_TYPE), "application/json");
    let document: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let components = &document["components"];
    for (kind, name) in [
        ("schemas", "Problem"),
        ("schemas", "FieldError"),
        ("headers", "Event-Position"),
        ("parameters", "Idempotency-Key"),
        ("securitySchemes", "bearer"),
    ] {
        assert!(components[kind][name].is_object(), "{kind}: {name}");
    }
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let moved = get(docs::PAGE).await;
    assert!(moved.status().is_redirection());
    let page = get(&header(&moved, header::LOCATION)).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(header(&page, header::CONTENT_TYPE).starts_with("text/html"));
    let policy = header(&page, header::CONTENT_SECURITY_POLICY);
    assert!(
        policy.contains("default-src 'none'") && policy.contains("script-src 'self';"),
        "{policy}"
    );
    let html = text(page).await;
    // The vendored page says neither: a later version with another head would lose both silently.
    assert!(html.contains("<title>Test</title>"), "{html}");
    assert!(
        html.contains("width=device-width"),
        "a phone shows it in its own width: {html}"
    );
    let addresses = html
        .split(['"', '\''])
        .filter(|part| ["js", "css"].contains(&part.rsplit('.').next().unwrap()));
    let addresses: Vec<&str> = addresses.collect();
    assert!(addresses.len() >= 3, "{html}");
    for address in addresses {
        assert!(!address.contains("//"), "{address}");
        let file = get(&format!("/api/v1/docs/{}", address.trim_start_matches("./"))).await;
        assert_eq!(file.status(), StatusCode::OK, "{address}");
    }
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    let script = text(get("/api/v1/docs/swagger-initializer.js").await).await;
    assert!(script.contains(docs::DOCUMENT), "{script}");
    assert!(script.contains(r#""validatorUrl": "none""#), "{script}");
}

#[tokio::test]
async fn a_file_that_there_is_not_is_not_found() {
    for path in ["nothing.js", "../../etc/passwd", "%2e%2e/secret", "%00"] {
        let response = get(&format!("/api/v1/docs/{path}")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            header(&response, header::CONTENT_TYPE),
            "application/problem+json"
        );
    }
}

#[tokio::test]
async fn examples_of_problems_are_what_is_answered() {
    let problems = [of_every_request(), of_login(), of_request_bodies()].concat();
    let documented = serde_json::to_value(refusals(problems.clone())).unwrap();
    for problem in problems {
        let response = Problem::into_response(problem.clone());
        let status = response.status().as_u16().to_string();
        let documented = &documented[&status];
        for name in ["retry-after", "www-authenticate"] {
            let named = documented["headers"]
                .as_object()
                .unwrap()
                .keys()
                .any(|key| key.eq_ignore_ascii_case(name));
            assert!(
                named || !response.headers().contains_key(name),
                "{problem}: {name}"
            );
        }
        let mut body: Value = serde_json::from_str(&text(response).await).unwrap();
        let content = &documented["content"]["application/problem+json"];
        let example = &content["examples"][problem.code()]["value"];
        body["request_id"] = example["request_id"].clone();
        assert_eq!(&body, example);
        let codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"]
            .as_array()
            .unwrap();
        assert!(codes.iter().any(|code| code == problem.code()), "{problem}");
    }
}
