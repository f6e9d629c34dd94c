//! Tokens of the local issuer verify with the key it publishes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use chrono::TimeDelta;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use stack::{AUDIENCE, ISSUER, Issuer, Role, SigningKey};
use uuid::Uuid;

/// A file for a key, which goes with it.
pub(crate) struct KeyFile(pub(crate) PathBuf);

impl KeyFile {
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("bilsport-issuer-{}.key", Uuid::new_v4())))
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The claims of a token for the APIs.
pub(crate) async fn verify(issuer: &Issuer, token: &str) -> jsonwebtoken::errors::Result<Value> {
    verify_for(issuer, token, AUDIENCE).await
}

/// The claims of a token for this audience.
pub(crate) async fn verify_for(
    issuer: &Issuer,
    token: &str,
    audience: &str,
) -> jsonwebtoken::errors::Result<Value> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let keys: JwkSet = http
        .get(issuer.jwks_url())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let key = keys.find(&decode_header(token)?.kid.unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[audience]);
    Ok(decode::<Value>(token, &DecodingKey::from_jwk(key)?, &validation)?.claims)
}

#[tokio::test]
async fn token_verifies_with_the_published_key() {
    let file = KeyFile::new();
    let issuer = Issuer::start(&file.0).await.unwrap();
    let club = Uuid::new_v4();
    let token = issuer
        .token(Role::Organizer, "olga", &[club], TimeDelta::hours(48))
        .unwrap();
    let claims = verify(&issuer, &token).await.unwrap();
    assert_eq!(claims["sub"], "olga");
    assert_eq!(claims["roles"], serde_json::json!(["organizer"]));
    assert_eq!(claims["clubs"], serde_json::json!([club]));
    let day = 24 * 60 * 60;
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() >= day);
}

#[tokio::test]
async fn expired_and_foreign_tokens_do_not_verify() {
    let (file, other) = (KeyFile::new(), KeyFile::new());
    let issuer = Issuer::start(&file.0).await.unwrap();
    let expired = issuer
        .token(Role::Staff, "staff", &[], TimeDelta::hours(-1))
        .unwrap();
    assert!(verify(&issuer, &expired).await.is_err());

    let stranger = SigningKey::load_or_create(&other.0).unwrap();
    let forged = stranger
        .token(Role::Staff, "staff", &[], TimeDelta::hours(1))
        .unwrap();
    // With the id of the right key, so that only the signature differs.
    let good = issuer
        .token(Role::Staff, "staff", &[], TimeDelta::hours(1))
        .unwrap();
    let header = good.split('.').next().unwrap();
    let (_, rest) = forged.split_once('.').unwrap();
    assert!(verify(&issuer, &format!("{header}.{rest}")).await.is_err());
}

#[tokio::test]
async fn key_survives_a_restart_and_only_its_owner_can_read_it() {
    let file = KeyFile::new();
    let before = Issuer::start(&file.0).await.unwrap();
    let token = before
        .token(Role::Customer, "kari", &[], TimeDelta::hours(1))
        .unwrap();
    drop(before);
    let after = Issuer::start(&file.0).await.unwrap();
    assert!(verify(&after, &token).await.is_ok());
    assert_eq!(
        std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
