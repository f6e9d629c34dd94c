//! `POST /token`, `/revoke` and `/end_session`: codes and refresh tokens become tokens, and logins end.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::desk::Desk;
use super::grants::{Granted, NotGranted};

/// The fields of all these forms.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    grant_type: String,
    client_id: Option<String>,
    code: String,
    redirect_uri: String,
    code_verifier: String,
    refresh_token: String,
    token: String,
}

pub(super) async fn token(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let client_id = client(&headers, &asked);
    let granted = match asked.grant_type.as_str() {
        "authorization_code" => {
            let client = (client_id.as_str(), asked.redirect_uri.as_str());
            desk.grants().redeem(&asked.code, client, &asked.code_verifier)
        }
        "refresh_token" => desk.grants().refresh(&asked.refresh_token, &client_id),
        _ => return error("unsupported_grant_type"),
    };
    let answer = match granted {
        Ok(Ok(granted)) => tokens(&desk, &granted),
        Ok(Err(NotGranted)) => Ok(error("invalid_grant")),
        Err(no_random_numbers) => Err(no_random_numbers),
    };
    answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Ends the login of a refresh token (RFC 7009). One that is not known is no error.
pub(super) async fn revoke(State(desk): State<Arc<Desk>>, Form(asked): Form<Asked>) -> StatusCode {
    desk.grants().end(&asked.token);
    StatusCode::OK
}

/// Ends the login of a refresh token that a client sends, as Keycloak does.
pub(super) async fn end_session(State(desk): State<Arc<Desk>>, Form(asked): Form<Asked>) -> StatusCode {
    desk.grants().end(&asked.refresh_token);
    StatusCode::NO_CONTENT
}

fn tokens(desk: &Desk, granted: &Granted) -> anyhow::Result<Response> {
    let (person, lifetime) = (granted.person, desk.grants().lifetimes.access);
    let clubs = match person.role {
        super::Role::Organizer => desk.clubs(),
        _ => Vec::new(),
    };
    let access_token = desk.key.token(person.role, person.subject, &clubs, lifetime)?;
    let proof = desk.key.proof(
        (person.subject, person.name),
        &granted.client_id,
        granted.nonce.as_deref(),
        lifetime,
    )?;
    let answer = json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": lifetime.num_seconds(),
        "refresh_token": granted.refresh_token, "id_token": proof, "scope": "openid profile",
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

fn error(code: &str) -> Response {
    let body = Json(json!({ "error": code }));
    (
        StatusCode::BAD_REQUEST,
        [(header::CACHE_CONTROL, "no-store")],
        body,
    )
        .into_response()
}

/// The client's name, from the form or from `Authorization: Basic`. Clients of the local issuer have no password.
fn client(headers: &HeaderMap, asked: &Asked) -> String {
    let basic = || {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let pair = BASE64_STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        Some(pair.split_once(':')?.0.to_owned())
    };
    asked.client_id.clone().or_else(basic).unwrap_or_default()
}
