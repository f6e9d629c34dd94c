//! The `Principal` extractor over HTTP.

use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;
use service::auth::{Authenticator, Pace, Principal};

use super::ready;
use crate::support::issuer::{Issuer, Key, claims, claims_with, now};
use crate::support::logs::Logs;
use crate::support::{Server, client, problem, start_default, until};

#[derive(Clone)]
struct AppState {
    authenticator: Authenticator,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

async fn shop() -> (Key, Server) {
    let (key, _issuer, authenticator) = ready().await;
    (key, shop_of(authenticator).await)
}

async fn shop_of(authenticator: Authenticator) -> Server {
    let router = Router::new()
        .route(
            "/mine",
            get(async |principal: Principal| principal.user_id.to_string()),
        )
        .route(
            "/catalogue",
            get(
                async |principal: Option<Principal>| {
                    if principal.is_some() { "known" } else { "anonymous" }
                },
            ),
        )
        .with_state(AppState { authenticator });
    start_default(router).await
}

fn mine(server: &Server) -> RequestBuilder {
    client().get(server.url("/mine"))
}

#[tokio::test]
async fn a_closed_route_needs_a_token_and_an_open_one_takes_it() {
    let (key, server) = shop().await;
    let token = key.sign(&claims());
    let response = mine(&server).bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    // The scheme's name is case-insensitive (RFC 9110 11.1).
    let lower = mine(&server)
        .header("authorization", format!("bearer {token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(lower.status(), StatusCode::OK);

    let response = mine(&server).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(problem(response).await["code"], "unauthorized");

    let catalogue = || client().get(server.url("/catalogue"));
    assert_eq!(
        catalogue().send().await.unwrap().text().await.unwrap(),
        "anonymous"
    );
    let known = catalogue().bearer_auth(&token).send().await.unwrap();
    assert_eq!(known.text().await.unwrap(), "known");
}

#[tokio::test]
async fn a_bad_token_is_401_on_an_open_route_too() {
    let (key, server) = shop().await;
    let expired = key.sign(&claims_with(json!({ "exp": now(-600) })));
    for path in ["/mine", "/catalogue"] {
        for (value, code) in [
            (format!("Bearer {expired}"), "token_expired"),
            ("Bearer x.y.z".to_owned(), "token_invalid"),
            ("Bearer".to_owned(), "token_invalid"),
            ("Basic a2FyaTpwYXNz".to_owned(), "token_invalid"),
            (String::new(), "token_invalid"),
        ] {
            let request = client().get(server.url(path)).header("authorization", &value);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {value}");
            assert_eq!(
                response.headers()["www-authenticate"],
                r#"Bearer error="invalid_token""#
            );
            assert_eq!(problem(response).await["code"], code, "{path} {value}");
        }
    }
}

#[tokio::test]
async fn a_withdrawn_or_replaced_key_ends_the_tokens_that_it_proved_before() {
    let [kept, withdrawn, replaced] = ["kept", "withdrawn", "replaced"].map(Key::generate);
    let issuer = Issuer::start(&[&kept, &withdrawn, &replaced]).await;
    let pace = Pace {
        refresh_interval: Duration::from_millis(20),
        ..Pace::default()
    };
    let server = shop_of(Authenticator::with_pace(&issuer.options(), pace).unwrap()).await;
    let [good, gone, stale] = [&kept, &withdrawn, &replaced].map(|key| key.sign(&claims()));
    let ask = async |token: &str| mine(&server).bearer_auth(token).send().await.unwrap();
    // Remembered from the first time on.
    for token in [&good, &gone, &stale].into_iter().cycle().take(9) {
        assert_eq!(ask(token).await.status(), StatusCode::OK);
    }

    let fresh = Key::generate("replaced");
    issuer.publish(&[&kept, &fresh]);
    // One fetch at a time: when the second from now begins, the keys of the first are in use.
    let fetches = issuer.fetches();
    until("the next scheduled fetch to end", async || {
        issuer.fetches() >= fetches + 2
    })
    .await;
    for token in [&gone, &stale] {
        let refused = ask(token).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(problem(refused).await["code"], "token_invalid");
    }
    for token in [&good, &fresh.sign(&claims())] {
        assert_eq!(ask(token).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn two_tokens_are_one_too_many() {
    let (key, server) = shop().await;
    let token = format!("Bearer {}", key.sign(&claims()));
    let twice = mine(&server)
        .header("authorization", &token)
        .header("authorization", &token);
    assert_eq!(
        problem(twice.send().await.unwrap()).await["code"],
        "token_invalid"
    );
}

#[tokio::test]
async fn no_token_reaches_the_log() {
    let (logs, _guard) = Logs::capture("trace");
    let (key, server) = shop().await;
    let good = key.sign(&claims());
    let bad = Key::generate("unknown").sign(&claims());
    for token in [&good, &bad] {
        mine(&server).bearer_auth(token).send().await.unwrap();
    }
    assert_eq!(logs.with_message("token refused")[0]["reason"], "unknown_key");
    let ours: String = logs
        .lines()
        .iter()
        .filter(|line| line["target"].as_str().unwrap().starts_with("service"))
        .map(ToString::to_string)
        .collect();
    for token in [good, bad] {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!ours.contains(signature));
    }
}
