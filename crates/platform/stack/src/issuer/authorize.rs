//! `GET` and `POST /authorize`: a page without scripts, on which a person chooses who to be, and is sent back.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::Url;
use serde::Deserialize;

use super::desk::Desk;
use super::grants::Wanted;
use super::key::ISSUER;
use super::people::{PEOPLE, person};
use crate::html::escape;

/// A digest of 32 bytes in base 64.
const CHALLENGE_LENGTH: usize = 43;

/// What a client asks for. The page sends it back with the choice.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    scope: String,
    state: String,
    nonce: String,
    code_challenge: String,
    code_challenge_method: String,
    /// Who the person is, from the page; empty if they stop.
    person: Option<String>,
}

impl Asked {
    /// The names and values, for the form.
    fn fields(&self) -> [(&'static str, &str); 8] {
        [
            ("response_type", &self.response_type),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
        ]
    }

    /// What is wrong with it, by the codes of the standard.
    fn error(&self) -> Option<&'static str> {
        if self.response_type != "code" {
            return Some("unsupported_response_type");
        }
        if !self.scope.split(' ').any(|scope| scope == "openid") {
            return Some("invalid_scope");
        }
        let is_challenge =
            self.code_challenge.len() == CHALLENGE_LENGTH && self.code_challenge_method == "S256";
        (!is_challenge || self.state.is_empty()).then_some("invalid_request")
    }
}

pub(super) async fn show(State(desk): State<Arc<Desk>>, Query(asked): Query<Asked>) -> Response {
    let Some(client) = known_client(&desk, &asked) else {
        return unknown_client();
    };
    match asked.error() {
        Some(error) => sent_back(client, &asked, &[("error", error)]),
        None => page(&client, &asked),
    }
}

pub(super) async fn choose(State(desk): State<Arc<Desk>>, Form(asked): Form<Asked>) -> Response {
    let Some(client) = known_client(&desk, &asked) else {
        return unknown_client();
    };
    if let Some(error) = asked.error() {
        return sent_back(client, &asked, &[("error", error)]);
    }
    let Some(person) = asked.person.as_deref().and_then(person) else {
        return sent_back(client, &asked, &[("error", "access_denied")]);
    };
    let wanted = Wanted {
        client_id: asked.client_id.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.code_challenge.clone(),
        nonce: Some(asked.nonce.clone()).filter(|nonce| !nonce.is_empty()),
    };
    let code = desk.grants().code(wanted, person);
    match code {
        Ok(code) => sent_back(client, &asked, &[("code", &code)]),
        Err(_) => sent_back(client, &asked, &[("error", "server_error")]),
    }
}

/// Where the person goes back to. Only an address that the client has named is one.
fn known_client(desk: &Desk, asked: &Asked) -> Option<Url> {
    if !desk.knows(&asked.client_id, &asked.redirect_uri) {
        return None;
    }
    Url::parse(&asked.redirect_uri).ok()
}

fn sent_back(mut client: Url, asked: &Asked, answer: &[(&str, &str)]) -> Response {
    client
        .query_pairs_mut()
        .extend_pairs(answer)
        .append_pair("state", &asked.state)
        .append_pair("iss", ISSUER);
    let to = [(header::LOCATION, String::from(client))];
    (StatusCode::SEE_OTHER, [(header::CACHE_CONTROL, "no-store")], to).into_response()
}

fn page(client: &Url, asked: &Asked) -> Response {
    let mut form = String::new();
    for (name, value) in asked.fields() {
        // Writing to a string cannot fail.
        let _ = write!(
            form,
            "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
            escape(value)
        );
    }
    for person in &PEOPLE {
        let _ = write!(
            form,
            "<button name=\"person\" value=\"{}\"><b>{}</b> {}</button>",
            person.subject,
            escape(person.name),
            person.described
        );
    }
    form.push_str("<button name=\"person\" value=\"\">Avbryt</button>");
    let body = format!(
        "<p>Dette er innloggingen i det lokale miljøet. Velg hvem du er.</p>\
         <form method=\"post\" action=\"/authorize\">{form}</form>"
    );
    // Browsers check where a form leads to through all redirects.
    let leads_to = client.origin().ascii_serialization();
    html(StatusCode::OK, &body, &leads_to)
}

/// Never a redirect: the address may be anyone's.
fn unknown_client() -> Response {
    html(
        StatusCode::BAD_REQUEST,
        "<p>Nettstedet som sendte deg hit, er ikke kjent her.</p>",
        "",
    )
}

fn html(status: StatusCode, body: &str, leads_to: &str) -> Response {
    let document = format!(
        "<!doctype html><html lang=\"nb\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Logg inn</title>\
         <style>{STYLE}</style></head><body><main><h1>Logg inn</h1>{body}</main></body></html>"
    );
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self' {leads_to}"
    );
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (status, fixed, document).into_response();
    if let Ok(policy) = HeaderValue::from_str(policy.trim_end()) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:0 auto;padding:1rem;color:#1d1a2b}\
h1{font-size:1.4rem}button{display:block;width:100%;margin:.5rem 0;padding:.8rem;font:inherit;text-align:left;\
background:#f4f1ff;color:inherit;border:1px solid #6b6780;border-radius:.4rem}";
