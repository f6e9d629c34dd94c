//! Authentication of merchants: credentials, access tokens and idempotency keys, as extractors.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::AppState;
use super::problem::Problem;
use crate::checks::is_idempotency_key;

pub(super) async fn access_token(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let expected = &state.options.credentials;
    let presented = [
        ("client_id", &expected.client_id),
        ("client_secret", &expected.client_secret),
        ("ocp-apim-subscription-key", &expected.subscription_key),
    ];
    if !presented
        .iter()
        .all(|(name, value)| is_header(&headers, name, value))
    {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "the credentials are not known",
        ));
    }
    let life = state.tokens.life().as_secs();
    let expires_on = chrono::Utc::now().timestamp().saturating_add_unsigned(life);
    // The API sends these numbers as texts.
    Ok(Json(json!({
        "token_type": "Bearer",
        "expires_in": life.to_string(),
        "ext_expires_in": "0",
        "expires_on": expires_on.to_string(),
        "access_token": state.tokens.issue(),
    })))
}

/// A merchant with a valid token.
pub(super) struct Merchant;

impl FromRequestParts<AppState> for Merchant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let headers = &parts.headers;
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| state.tokens.is_valid(token)) {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "the access token is not valid",
            ));
        }
        let credentials = &state.options.credentials;
        if !is_header(
            headers,
            "ocp-apim-subscription-key",
            &credentials.subscription_key,
        ) {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "the subscription key is not valid",
            ));
        }
        if !is_header(
            headers,
            "merchant-serial-number",
            &credentials.merchant_serial_number,
        ) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "the merchant serial number is not yours",
            ));
        }
        Ok(Self)
    }
}

fn is_header(headers: &HeaderMap, name: &str, expected: &str) -> bool {
    let value = headers.get(name).map_or(&b""[..], |value| value.as_bytes());
    verify_slices_are_equal(value, expected.as_bytes()).is_ok()
}

/// The `Idempotency-Key` every change must carry.
pub(super) struct IdempotencyKey(pub(super) String);

impl FromRequestParts<AppState> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        let key = parts
            .headers
            .get("idempotency-key")
            .and_then(|value| value.to_str().ok());
        key.filter(|key| is_idempotency_key(key))
            .map(|key| Self(key.to_owned()))
            .ok_or_else(|| Problem::bad_request("Idempotency-Key must be 1 to 50 visible characters"))
    }
}
