//! An issuer that answers what it should not.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use stack::{AUDIENCE, ISSUER, Issuer, Role};
use tokio::net::TcpListener;

use crate::support::{CLIENT, Door, SESSION, eventually, parameter};

/// What the other issuer answers, and what it was sent last.
struct Script {
    description: Value,
    answer: (StatusCode, String),
    sent: (HeaderMap, String),
}

type Shared = Arc<Mutex<Script>>;

/// Serves a script, with the keys of the real issuer behind it. Returns the address of the description.
async fn serve() -> (Shared, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::new(Mutex::new(Script {
        description: json!({
            "issuer": ISSUER, "authorization_endpoint": format!("{url}/authorize?tenant=1"),
            "token_endpoint": format!("{url}/token"),
        }),
        answer: (StatusCode::OK, String::new()),
        sent: (HeaderMap::new(), String::new()),
    }));
    let router = Router::new()
        .route("/description", get(describe))
        .route("/token", post(answer))
        .with_state(Arc::clone(&script));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (script, format!("{url}/description"))
}

async fn describe(State(script): State<Shared>) -> String {
    script.lock().unwrap().description.to_string()
}

async fn answer(State(script): State<Shared>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let mut script = script.lock().unwrap();
    script.sent = (headers, body);
    script.answer.clone()
}

/// A token with these claims and the real issuer's signature.
fn signed(issuer: &Issuer, claims: &Value) -> String {
    let token = issuer
        .token(Role::Customer, "customer", &[], TimeDelta::minutes(1))
        .unwrap();
    let header = token.split('.').next().unwrap();
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    issuer.sign(&format!("{header}.{claims}")).unwrap()
}

/// The proof of a login, with some claims changed; `null` takes one away.
fn proof(issuer: &Issuer, nonce: &str, changes: &Value) -> String {
    let now = Utc::now().timestamp();
    let mut claims = json!({
        "iss": ISSUER, "sub": "customer", "aud": CLIENT, "exp": now + 60, "iat": now, "nonce": nonce,
        "name": "Kari Nordmann".repeat(20),
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    signed(issuer, &claims)
}

/// A door whose issuer follows the script, once it has read the description.
async fn open(more: &[String]) -> (Door, Shared) {
    let (script, url) = serve().await;
    let door = Door::open_with(Some(&url), more).await;
    eventually("the description is read", async || {
        let begun = door.get("/session/login", &[]).await;
        begun
            .header("location")
            .contains("/authorize?tenant=1&")
            .then_some(())
    })
    .await;
    (door, script)
}

#[tokio::test]
async fn a_proof_of_another_login_is_none() {
    let (door, script) = open(&[]).await;
    let good = door
        .issuer()
        .token(Role::Customer, "customer", &[], TimeDelta::minutes(10))
        .unwrap();
    let of_another = door
        .issuer()
        .token(Role::Admin, "admin", &[], TimeDelta::minutes(10))
        .unwrap();
    let unsigned = good.rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
    let now = Utc::now().timestamp();
    for (changes, access, expected) in [
        (json!({}), &good, None),
        (json!({"aud": [CLIENT, "other"], "azp": CLIENT}), &good, None),
        (json!({"nonce": "another"}), &good, Some("login_refused")),
        (json!({"nonce": null}), &good, Some("login_refused")),
        (json!({"aud": "another"}), &good, Some("login_refused")),
        (json!({"aud": AUDIENCE}), &good, Some("login_refused")),
        (
            json!({"aud": [CLIENT, "other"], "azp": "other"}),
            &good,
            Some("login_refused"),
        ),
        (
            json!({"iss": "https://evil.example"}),
            &good,
            Some("login_refused"),
        ),
        (json!({"exp": now - 120}), &good, Some("login_refused")),
        (json!({"exp": null}), &good, Some("login_refused")),
        (json!({"sub": ""}), &good, Some("login_refused")),
        (json!({}), &of_another, Some("login_refused")),
        (json!({}), &unsigned, Some("login_refused")),
    ] {
        let mut browser = door.browser();
        let page = browser.begin("/session/login").await;
        let id_token = proof(door.issuer(), &parameter(&page, "nonce"), &changes);
        let tokens = json!({"access_token": access, "token_type": "bearer", "id_token": id_token});
        script.lock().unwrap().answer = (StatusCode::OK, tokens.to_string());
        let state = parameter(&page, "state");
        let back = browser
            .get(&format!("/session/callback?code=x&state={state}"))
            .await;
        match expected {
            None => {
                assert_eq!(back.header("location"), "/", "{changes}: {back:?}");
                let me = browser.get("/session/me").await;
                assert_eq!(me.body["name"].as_str().unwrap().len(), 80, "a long name is cut");
                let ended = browser.post("/session/refresh").await;
                assert!(ended.is(401, "session_ended"), "there is no refresh token");
            }
            Some(code) => {
                back.failed_as(code);
                assert!(browser.cookies.is_empty(), "{changes}");
            }
        }
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of answers")]
async fn an_answer_that_is_none_is_a_fault_and_ends_no_session() {
    let (door, script) = open(&[]).await;
    let mut browser = door.browser();
    let page = browser.begin("/session/login").await;
    let access = door
        .issuer()
        .token(Role::Customer, "customer", &[], TimeDelta::minutes(10))
        .unwrap();
    let other = door
        .issuer()
        .token(Role::Staff, "staff", &[], TimeDelta::minutes(10))
        .unwrap();
    let id_token = proof(door.issuer(), &parameter(&page, "nonce"), &json!({}));
    let tokens = json!({
        "access_token": access, "token_type": "Bearer", "id_token": id_token, "refresh_token": "again",
    });
    script.lock().unwrap().answer = (StatusCode::OK, tokens.to_string());
    let state = parameter(&page, "state");
    browser
        .get(&format!("/session/callback?code=x&state={state}"))
        .await;
    let session = browser.cookies[SESSION].clone();

    let ok = StatusCode::OK;
    for (status, body, code) in [
        (ok, String::new(), "login_unavailable"),
        (ok, "[]".to_owned(), "login_unavailable"),
        (
            ok,
            json!({"access_token": access}).to_string(),
            "login_unavailable",
        ),
        (
            ok,
            json!({"access_token": access, "token_type": "mac"}).to_string(),
            "login_unavailable",
        ),
        (
            ok,
            format!("{{\"a\": \"{}\"}}", "a".repeat(70_000)),
            "login_unavailable",
        ),
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "{}".to_owned(),
            "login_unavailable",
        ),
        (StatusCode::FOUND, String::new(), "login_unavailable"),
        (
            StatusCode::UNAUTHORIZED,
            json!({"error": "invalid_client"}).to_string(),
            "login_unavailable",
        ),
        (
            StatusCode::BAD_REQUEST,
            "invalid_grant".to_owned(),
            "login_unavailable",
        ),
        (
            StatusCode::BAD_REQUEST,
            json!({"error": "invalid_grant"}).to_string(),
            "login_refused",
        ),
        (
            ok,
            json!({"access_token": other, "token_type": "Bearer"}).to_string(),
            "login_refused",
        ),
        (
            ok,
            json!({"access_token": "x", "token_type": "Bearer"}).to_string(),
            "login_refused",
        ),
    ] {
        script.lock().unwrap().answer = (status, body.clone());
        let mut beginner = door.browser();
        let state = parameter(&beginner.begin("/session/login").await, "state");
        let back = beginner
            .get(&format!("/session/callback?code=x&state={state}"))
            .await;
        back.failed_as(code);
        browser.cookies.insert(SESSION.to_owned(), session.clone());
        let refreshed = browser.post("/session/refresh").await;
        if code == "login_refused" {
            assert!(refreshed.is(401, "session_ended"), "{body}: {refreshed:?}");
        } else {
            assert!(refreshed.is(503, "login_unavailable"), "{body}: {refreshed:?}");
            assert!(browser.cookies.contains_key(SESSION), "{body}");
        }
    }
    let next = json!({"access_token": access, "token_type": "Bearer"});
    script.lock().unwrap().answer = (ok, next.to_string());
    browser.cookies.insert(SESSION.to_owned(), session);
    for _ in 0..2 {
        let refreshed = browser.post("/session/refresh").await;
        assert_eq!(
            refreshed.status,
            StatusCode::NO_CONTENT,
            "the refresh token counts on"
        );
    }
    assert!(script.lock().unwrap().sent.1.contains("refresh_token=again"));
}

#[tokio::test]
async fn a_client_with_a_password_sends_it_in_the_header_alone() {
    let (door, script) = open(&["--oidc-client-secret=a b:ø".to_owned()]).await;
    script.lock().unwrap().answer = (
        StatusCode::BAD_REQUEST,
        json!({"error": "invalid_grant"}).to_string(),
    );
    let mut browser = door.browser();
    let page = browser.begin("/session/login").await;
    let state = parameter(&page, "state");
    browser
        .get(&format!("/session/callback?code=x&state={state}"))
        .await
        .failed_as("login_refused");
    let (headers, body) = script.lock().unwrap().sent.clone();
    let basic = headers["authorization"]
        .to_str()
        .unwrap()
        .strip_prefix("Basic ")
        .unwrap()
        .to_owned();
    let pair = base64::engine::general_purpose::STANDARD.decode(basic).unwrap();
    assert_eq!(String::from_utf8(pair).unwrap(), "front-door:a+b%3A%C3%B8");
    assert!(
        !body.contains("client_") && body.contains("code_verifier="),
        "{body}"
    );
}

#[tokio::test]
async fn a_description_of_another_issuer_leads_nowhere() {
    let (script, url) = serve().await;
    let good = script.lock().unwrap().description.clone();
    script.lock().unwrap().description["issuer"] = json!("https://evil.example");
    let door = Door::open_with(Some(&url), &[]).await;
    for _ in 0..3 {
        let begun = door.get("/session/login?return_to=/mine", &[]).await;
        begun.failed_as("login_unavailable");
        assert_eq!(begun.failure().1["return_to"], "/mine");
        assert!(begun.cookies().is_empty());
    }
    assert!(door.health.readiness().is_ready(), "sessions go on");
    script.lock().unwrap().description = good;
    eventually("the issuer is itself again", async || {
        let begun = door.get("/session/login", &[]).await;
        (begun.status == StatusCode::FOUND).then_some(())
    })
    .await;
}
