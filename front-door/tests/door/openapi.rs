//! The OpenAPI document: as committed, with every route and no other, and true of what is answered.

use std::collections::BTreeSet;
use std::path::Path;

use front_door::openapi::document;
use front_door::router::{ROUTES, router};
use serde_json::Value;
use service::docs;

use crate::support::Door;

fn generated() -> Value {
    serde_json::to_value(document()).unwrap()
}

#[test]
fn the_committed_document_is_the_one_of_the_declarations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/openapi/front-door.json");
    let text = serde_json::to_string_pretty(&generated()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "schemas/openapi/front-door.json is not what the declarations say: UPDATE_SCHEMAS=1 cargo test -p front-door openapi"
    );
}

#[tokio::test]
async fn every_route_is_in_the_document_and_no_other() {
    let document = generated();
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<(String, &str)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.as_str()))
        })
        .collect();
    let routes = ROUTES.iter().chain([&("GET", docs::DOCUMENT)]);
    let expected: BTreeSet<(String, &str)> = routes
        .map(|(method, path)| ((*method).to_owned(), *path))
        .collect();
    assert_eq!(documented, expected);
    let door = Door::open().await;
    // axum shows the paths of a router in its debug text only.
    let shown = format!("{:?}", router(door.state.clone()));
    let served: BTreeSet<&str> = shown
        .split('"')
        .filter(|part| part.starts_with('/') && part.len() > 1 && !part.contains("__private"))
        .collect();
    let listed: BTreeSet<&str> = ROUTES.iter().chain(docs::ROUTES).map(|(_, path)| *path).collect();
    assert_eq!(served, listed);
    assert_eq!(door.get(docs::DOCUMENT, &[]).await.body, document);
}

/// Where a body contradicts what the document says of a response.
fn errors(operation: &str, status: &str, content_type: &str, body: &Value) -> Vec<String> {
    let document = generated();
    let content = document.pointer(operation).unwrap()["responses"][status]["content"][content_type].clone();
    assert!(content.is_object(), "{operation} {status} is not in the document");
    let mut schema = content["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    validator
        .iter_errors(body)
        .map(|error| error.to_string())
        .collect()
}

#[tokio::test]
async fn what_is_answered_is_what_the_document_says() {
    let door = Door::open().await;
    let mut browser = door.browser();
    let me = "/paths/~1session~1me/get";
    let refused = browser.get("/session/me").await;
    assert_eq!(
        errors(me, "401", "application/problem+json", &refused.body),
        Vec::<String>::new()
    );
    let mut browser = door.logged_in("admin").await;
    let found = browser.get("/session/me").await;
    assert_eq!(
        errors(me, "200", "application/json", &found.body),
        Vec::<String>::new()
    );
    let example = &generated()["paths"]["/session/me"]["get"]["responses"]["200"]["content"]["application/json"]
        ["example"];
    assert_eq!(
        errors(me, "200", "application/json", example),
        Vec::<String>::new()
    );
    let refresh = "/paths/~1session~1refresh/post";
    let refused = door.send(reqwest::Method::POST, "/session/refresh", &[]).await;
    assert_eq!(
        errors(refresh, "403", "application/problem+json", &refused.body),
        Vec::<String>::new()
    );
    let login = "/paths/~1session~1login/get";
    let refused = door.get("/session/login?nothing=1", &[]).await;
    assert_eq!(
        errors(login, "400", "application/problem+json", &refused.body),
        Vec::<String>::new()
    );
    let check = "/paths/~1session~1check/get";
    let refused = door
        .get("/session/check", &[("cookie", "__Host-session=x")])
        .await;
    assert_eq!(
        errors(check, "403", "application/problem+json", &refused.body),
        Vec::<String>::new()
    );
}
