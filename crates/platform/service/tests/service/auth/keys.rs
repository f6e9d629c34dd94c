//! The cache of the issuer's keys: rotation, floods, and an issuer that is down, slow or wrong.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::json;
use service::auth::{Authenticator, Pace};
use service::health::Health;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{authenticate, ready, refusal};
use crate::support::issuer::{Issuer, Key, claims};
use crate::support::{let_others_run, until};

/// Asks readily and gives up late.
const EAGER: Pace = Pace {
    fetch_timeout: Duration::from_secs(10),
    min_interval: Duration::from_millis(100),
    refresh_interval: Duration::from_hours(1),
};

async fn eager() -> (Key, Issuer, Authenticator) {
    let key = Key::generate("first");
    let issuer = Issuer::start(&[&key]).await;
    let authenticator = Authenticator::with_pace(&issuer.options(), EAGER).unwrap();
    assert!(authenticate(&authenticator, &key.sign(&claims())).await.is_ok());
    (key, issuer, authenticator)
}

#[tokio::test]
async fn a_new_key_is_found_and_a_withdrawn_one_stops_working() {
    let (old, issuer, authenticator) = eager().await;
    let new = Key::generate("second");
    issuer.publish(&[&old, &new]);
    let token = new.sign(&claims());
    until("the new key to be found", async || {
        authenticate(&authenticator, &token).await.is_ok()
    })
    .await;
    assert!(authenticate(&authenticator, &old.sign(&claims())).await.is_ok());

    issuer.publish(&[&new]);
    let unknown = Key::generate("third").sign(&claims());
    let token = old.sign(&claims());
    until("the old key to be dropped", async || {
        assert!(authenticate(&authenticator, &unknown).await.is_err());
        authenticate(&authenticator, &token).await.is_err()
    })
    .await;
    assert_eq!(refusal(&authenticator, &token).await, "token_invalid");
}

#[tokio::test]
async fn a_withdrawn_key_stops_working_even_if_nobody_brings_a_new_one() {
    let old = Key::generate("first");
    let issuer = Issuer::start(&[&old]).await;
    let pace = Pace {
        refresh_interval: Duration::from_millis(20),
        ..Pace::default()
    };
    let authenticator = Authenticator::with_pace(&issuer.options(), pace).unwrap();
    let token = old.sign(&claims());
    assert!(authenticate(&authenticator, &token).await.is_ok());
    issuer.publish(&[&Key::generate("second")]);
    until("the scheduled fetch", async || {
        authenticate(&authenticator, &token).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_no_flood_of_fetches() {
    let (key, issuer, authenticator) = eager().await;
    let tokens: Vec<String> = (0..100)
        .map(|n| Key::generate(&format!("unknown {n}")).sign(&claims()))
        .collect();
    let begun = Instant::now();
    let already = issuer.fetches();
    until("the flood to cause three fetches", async || {
        for outcome in join_all(tokens.iter().map(|token| authenticate(&authenticator, token))).await {
            assert_eq!(outcome.unwrap_err().code(), "token_invalid");
        }
        issuer.fetches() >= already + 3
    })
    .await;
    let allowed = begun.elapsed().as_millis() / EAGER.min_interval.as_millis() + 1;
    let fetched = issuer.fetches() - already;
    assert!(fetched as u128 <= allowed, "{fetched} fetches, {allowed} allowed");
    assert!(authenticate(&authenticator, &key.sign(&claims())).await.is_ok());
}

#[tokio::test]
async fn the_default_pace_answers_unknown_keys_from_what_it_knows() {
    let (key, issuer, authenticator) = ready().await;
    assert!(authenticate(&authenticator, &key.sign(&claims())).await.is_ok());
    for n in 0..50 {
        let token = Key::generate(&format!("unknown {n}")).sign(&claims());
        assert_eq!(refusal(&authenticator, &token).await, "token_invalid");
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn one_fetch_serves_everyone_who_waits_for_it_and_delays_nobody_else() {
    let (old, issuer, authenticator) = eager().await;
    let new = Key::generate("second");
    let (old_token, new_token) = (old.sign(&claims()), new.sign(&claims()));
    let stranger = Key::generate("stranger").sign(&claims());
    issuer.hang();
    let already = issuer.fetches();
    // Refused from what is known until the pace allows a fetch; then one hangs.
    let asking = tokio::spawn({
        let authenticator = authenticator.clone();
        async move {
            until("a fetch", async || {
                authenticate(&authenticator, &stranger).await.is_err()
            })
            .await;
        }
    });
    until("a fetch to hang", async || {
        let _ =
            tokio::time::timeout(Duration::from_millis(1), authenticate(&authenticator, &new_token)).await;
        issuer.fetches() > already
    })
    .await;
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let (authenticator, token) = (authenticator.clone(), new_token.clone());
            tokio::spawn(async move { authenticate(&authenticator, &token).await })
        })
        .collect();
    let_others_run().await;
    assert!(
        waiting.iter().all(|task| !task.is_finished()),
        "someone was answered before the fetch was"
    );
    assert!(
        authenticate(&authenticator, &old_token).await.is_ok(),
        "a known key had to wait"
    );

    issuer.publish(&[&old, &new]);
    for outcome in join_all(waiting).await {
        assert!(outcome.unwrap().is_ok());
    }
    asking.await.unwrap();
    assert_eq!(issuer.fetches(), already + 1);
}

#[tokio::test]
async fn keys_stay_good_while_the_issuer_is_away_and_new_ones_are_not_called_invalid() {
    let (key, issuer, authenticator) = eager().await;
    let good = key.sign(&claims());
    let unknown = Key::generate("second").sign(&claims());
    let huge = format!(r#"{{"keys": [], "padding": "{}"}}"#, "x".repeat(300_000));
    let failures = [
        (StatusCode::INTERNAL_SERVER_ERROR, "broken"),
        (StatusCode::OK, "<html>"),
        (StatusCode::OK, r#"{"keys": []}"#),
        (StatusCode::FOUND, ""),
        (StatusCode::OK, &huge),
    ];
    for (status, body) in failures {
        issuer.answer(status, body);
        until("the failed fetch to show", async || {
            refusal(&authenticator, &unknown).await == "login_unavailable"
        })
        .await;
        assert!(
            authenticate(&authenticator, &good).await.is_ok(),
            "{status} {body:.20}"
        );
        issuer.publish(&[&key]);
        until("the issuer to be back", async || {
            refusal(&authenticator, &unknown).await == "token_invalid"
        })
        .await;
    }
}

#[tokio::test]
async fn a_hanging_issuer_costs_a_request_no_more_than_the_fetch_timeout() {
    let key = Key::generate("first");
    let issuer = Issuer::start(&[&key]).await;
    issuer.hang();
    let pace = Pace {
        fetch_timeout: Duration::from_millis(50),
        ..Pace::default()
    };
    let authenticator = Authenticator::with_pace(&issuer.options(), pace).unwrap();
    assert_eq!(
        refusal(&authenticator, &key.sign(&claims())).await,
        "login_unavailable"
    );
}

#[tokio::test]
async fn an_issuer_that_is_down_at_start_is_waited_for_in_the_background() {
    // Binding without listening reserves an address that refuses connections.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let key = Key::generate("first");
    let mut options = Issuer::start(&[&key]).await.options();
    options.jwks_url = format!("http://{address}/jwks");

    let health = Health::new(CancellationToken::new());
    let authenticator = Authenticator::new(&options).unwrap().report_to(&health);
    let token = key.sign(&claims());
    let problem = authenticate(&authenticator, &token).await.unwrap_err();
    assert_eq!(
        (problem.status(), problem.code()),
        (StatusCode::SERVICE_UNAVAILABLE, "login_unavailable")
    );
    let readiness = serde_json::to_value(health.readiness()).unwrap();
    assert_eq!(
        readiness["checks"],
        json!([{ "name": "jwks", "ok": false, "reason": "the issuer's keys could not be fetched yet" }])
    );

    let listener: TcpListener = socket.listen(16).unwrap();
    let _issuer = Issuer::start_on(listener, &[&key]);
    until("the issuer to be found", async || health.readiness().is_ready()).await;
    assert!(authenticate(&authenticator, &token).await.is_ok());
}

#[tokio::test]
async fn only_signature_keys_of_the_pinned_algorithm_count() {
    let usable = Key::generate("usable");
    let with = |id: &str, name: &str, value: serde_json::Value| {
        let key = Key::generate(id);
        let mut jwk = key.jwk();
        jwk[name] = value;
        (key, jwk)
    };
    let (encryption, encryption_jwk) = with("encryption", "use", json!("enc"));
    let (other, other_jwk) = with("other", "alg", json!("ES384"));
    let (nameless, nameless_jwk) = with("nameless", "kid", json!(null));
    let secret_jwk = json!({ "kty": "oct", "kid": "secret", "k": "c2VjcmV0" });
    let strange_jwk = json!({ "kty": "PQ", "kid": 7 });
    let set = json!({ "keys": [
        strange_jwk, "nonsense", secret_jwk, encryption_jwk, other_jwk, nameless_jwk, usable.jwk(),
    ] });
    let issuer = Issuer::start(&[]).await;
    issuer.answer(StatusCode::OK, &set.to_string());
    let authenticator = Authenticator::new(&issuer.options()).unwrap();
    assert!(
        authenticate(&authenticator, &usable.sign(&claims()))
            .await
            .is_ok()
    );
    for key in [encryption, other, nameless] {
        assert_eq!(
            refusal(&authenticator, &key.sign(&claims())).await,
            "token_invalid",
            "{}",
            key.id
        );
    }
}

#[tokio::test]
async fn dropping_the_authenticator_ends_its_task() {
    let key = Key::generate("first");
    let issuer = Issuer::start(&[&key]).await;
    let pace = Pace {
        refresh_interval: Duration::from_millis(1),
        ..Pace::default()
    };
    let authenticator = Authenticator::with_pace(&issuer.options(), pace).unwrap();
    until("some fetches", async || issuer.fetches() > 3).await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    drop(authenticator);
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    until("the task to end", async || alive() < tasks).await;
    assert!(alive() < tasks);
}
