//! Logins at the local issuer, as a client and a person's browser see them.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use reqwest::header::{CONTENT_SECURITY_POLICY, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Value, json};
use stack::{ISSUER, Issuer, Lifetimes};
use uuid::Uuid;

use crate::issuer::{KeyFile, verify, verify_for};

const CLIENT: &str = "front-door";
const CALLBACK: &str = "http://127.0.0.1:8000/session/callback";
const VERIFIER: &str = "a-secret-of-the-client-that-is-long-enough-for-it";

/// An issuer with one client.
struct World {
    issuer: Issuer,
    http: Client,
    authorize: String,
    token: String,
    description: Value,
    _key: KeyFile,
}

impl World {
    async fn new() -> Self {
        let key = KeyFile::new();
        let issuer = Issuer::start(&key.0).await.unwrap();
        issuer.add_client(CLIENT, CALLBACK);
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let description = http.get(issuer.discovery_url()).send().await.unwrap();
        let description: Value = description.json().await.unwrap();
        let of = |name: &str| description[name].as_str().unwrap().to_owned();
        Self {
            authorize: of("authorization_endpoint"),
            token: of("token_endpoint"),
            issuer,
            http,
            description,
            _key: key,
        }
    }

    /// What a client asks for, with some of it changed.
    fn asked(changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut asked = vec![
            ("response_type", "code".to_owned()),
            ("client_id", CLIENT.to_owned()),
            ("redirect_uri", CALLBACK.to_owned()),
            ("scope", "openid profile".to_owned()),
            ("state", "the state".to_owned()),
            ("nonce", "the nonce".to_owned()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ];
        for (name, value) in changes {
            asked.retain(|(known, _)| known != name);
            asked.push((name, (*value).to_owned()));
        }
        asked
    }

    async fn page(&self, changes: &[(&'static str, &str)]) -> Response {
        let request = self.http.get(&self.authorize).query(&Self::asked(changes));
        request.send().await.unwrap()
    }

    async fn choose(&self, changes: &[(&'static str, &str)]) -> Response {
        let request = self.http.post(&self.authorize).form(&Self::asked(changes));
        request.send().await.unwrap()
    }

    /// A code for this person.
    async fn code(&self, person: &str) -> String {
        parameter(&self.choose(&[("person", person)]).await, "code").unwrap()
    }

    async fn ask(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let answer = self.http.post(&self.token).form(form).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Exchanges a code, with some of the form changed.
    async fn exchange(&self, code: &str, changes: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("code", code),
        ];
        for (name, value) in changes {
            form.retain(|(known, _)| known != name);
            form.push((name, value));
        }
        self.ask(&form).await
    }

    async fn refresh(&self, tokens: &Value) -> (StatusCode, Value) {
        let token = tokens["refresh_token"].as_str().unwrap();
        self.ask(&[
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT),
            ("refresh_token", token),
        ])
        .await
    }

    async fn log_in(&self, person: &str) -> Value {
        let (status, tokens) = self.exchange(&self.code(person).await, &[]).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        tokens
    }
}

/// A parameter of the address that a person is sent to.
fn parameter(response: &Response, name: &str) -> Option<String> {
    let location = response.headers().get(LOCATION)?.to_str().unwrap();
    assert!(location.starts_with(CALLBACK), "{location}");
    let url = Url::parse(location).unwrap();
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

#[track_caller]
fn refused((status, body): (StatusCode, Value), error: &str) {
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert_eq!(body, json!({ "error": error }));
}

#[tokio::test]
async fn the_page_offers_five_people_and_runs_nothing() {
    let world = World::new().await;
    let page = world.page(&[("state", "\"><script>alert(1)</script>")]).await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()[CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("form-action 'self' http://127.0.0.1:8000"),
        "{policy}"
    );
    let text = page.text().await.unwrap();
    for person in ["customer", "customer2", "organizer", "staff", "admin", ""] {
        let button = format!("<button name=\"person\" value=\"{person}\">");
        assert_eq!(text.matches(&button).count(), 1, "{text}");
    }
    assert!(
        text.contains("lang=\"nb\"") && text.contains("&quot;&gt;&lt;script"),
        "{text}"
    );
    assert!(!text.contains("<script"), "{text}");
}

#[tokio::test]
async fn an_unknown_client_or_address_is_sent_nowhere() {
    let world = World::new().await;
    for changes in [
        [("client_id", "another")],
        [("redirect_uri", "https://evil.example/session/callback")],
        [("redirect_uri", "http://127.0.0.1:8000/session/callback/")],
        [("redirect_uri", "http://127.0.0.1:8000/session/callback?a=b")],
        [("redirect_uri", "")],
    ] {
        for answer in [world.page(&changes).await, world.choose(&changes).await] {
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{changes:?}");
            assert_eq!(answer.headers().get(LOCATION), None, "{changes:?}");
        }
    }
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "profile"), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("state", ""), "invalid_request"),
    ] {
        for answer in [world.page(&[change]).await, world.choose(&[change]).await] {
            assert_eq!(parameter(&answer, "error").as_deref(), Some(error), "{change:?}");
        }
    }
}

#[tokio::test]
async fn a_person_comes_back_with_a_code_or_without_one() {
    let world = World::new().await;
    let back = world.choose(&[("person", "customer")]).await;
    assert_eq!(back.status(), StatusCode::SEE_OTHER);
    assert_eq!(parameter(&back, "state").as_deref(), Some("the state"));
    assert_eq!(parameter(&back, "iss").as_deref(), Some(ISSUER));
    assert!(parameter(&back, "code").is_some());
    for person in ["", "stranger"] {
        let back = world.choose(&[("person", person)]).await;
        assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
        assert_eq!(parameter(&back, "state").as_deref(), Some("the state"));
        assert_eq!(parameter(&back, "code"), None);
    }
}

#[tokio::test]
async fn tokens_say_who_the_person_is() {
    let world = World::new().await;
    let club = Uuid::new_v4();
    world.issuer.set_clubs(&[club]);
    let tokens = world.log_in("organizer").await;
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(600))
    );
    let access = verify(&world.issuer, tokens["access_token"].as_str().unwrap()).await;
    let access = access.unwrap();
    assert_eq!(
        (&access["sub"], &access["roles"], &access["clubs"]),
        (&json!("organizer"), &json!(["organizer"]), &json!([club]))
    );
    assert_eq!(
        access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(),
        600
    );
    let proof = tokens["id_token"].as_str().unwrap();
    let proof_claims = verify_for(&world.issuer, proof, CLIENT).await.unwrap();
    assert_eq!(
        (&proof_claims["nonce"], &proof_claims["name"]),
        (&json!("the nonce"), &json!("Olga Løpsleder"))
    );
    assert!(
        verify(&world.issuer, proof).await.is_err(),
        "no token for the APIs"
    );
    let customer = world.log_in("customer").await;
    let customer = verify(&world.issuer, customer["access_token"].as_str().unwrap()).await;
    assert_eq!(customer.unwrap()["clubs"], Value::Null);
}

#[tokio::test]
async fn a_code_is_good_once_for_its_client_and_a_minute() {
    let world = World::new().await;
    for change in [
        ("client_id", "another"),
        ("redirect_uri", "http://127.0.0.1:8000/"),
        ("code_verifier", "another"),
        ("code", "another"),
    ] {
        let code = world.code("customer").await;
        refused(world.exchange(&code, &[change]).await, "invalid_grant");
        if change.0 != "code" {
            refused(world.exchange(&code, &[]).await, "invalid_grant");
        }
    }
    world.issuer.set_lifetimes(Lifetimes {
        code: TimeDelta::zero(),
        ..Lifetimes::default()
    });
    let late = world.code("customer").await;
    refused(world.exchange(&late, &[]).await, "invalid_grant");
    world.issuer.set_lifetimes(Lifetimes::default());

    let code = world.code("customer").await;
    let (_, tokens) = world.exchange(&code, &[]).await;
    refused(world.exchange(&code, &[]).await, "invalid_grant");
    // The code may have been stolen, so what it was good for has ended.
    refused(world.refresh(&tokens).await, "invalid_grant");
    refused(
        world.ask(&[("grant_type", "password")]).await,
        "unsupported_grant_type",
    );
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_the_login() {
    let world = World::new().await;
    let other = world.log_in("customer").await;
    let first = world.log_in("customer").await;
    let (status, second) = world.refresh(&first).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let claims = verify(&world.issuer, second["access_token"].as_str().unwrap()).await;
    assert_eq!(claims.unwrap()["sub"], "customer");
    refused(world.refresh(&first).await, "invalid_grant");
    refused(world.refresh(&second).await, "invalid_grant");
    assert_eq!(
        world.refresh(&other).await.0,
        StatusCode::OK,
        "another login goes on"
    );

    world.issuer.set_lifetimes(Lifetimes {
        refresh: TimeDelta::zero(),
        ..Lifetimes::default()
    });
    let late = world.log_in("customer").await;
    refused(world.refresh(&late).await, "invalid_grant");
}

#[tokio::test]
async fn a_client_ends_a_login() {
    let world = World::new().await;
    for (endpoint, field) in [
        ("revocation_endpoint", "token"),
        ("end_session_endpoint", "refresh_token"),
    ] {
        let tokens = world.log_in("staff").await;
        let url = world.description[endpoint].as_str().unwrap();
        for token in ["unknown", tokens["refresh_token"].as_str().unwrap()] {
            let ended = world.http.post(url).form(&[(field, token)]).send().await.unwrap();
            assert!(ended.status().is_success(), "{endpoint}");
        }
        refused(world.refresh(&tokens).await, "invalid_grant");
    }
}
