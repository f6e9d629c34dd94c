//! The issuer's key, and what it signs: access tokens for the APIs, and proofs of logins for clients.

use std::path::Path;

use anyhow::{Context as _, bail};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::checkout::write_private;

/// The `iss` of every token. Fixed, because users are known by (`iss`, `sub`) and must stay the same when the
/// ports change.
pub const ISSUER: &str = "https://issuer.bilsportlisens.localhost";

/// The `aud` of every token.
pub const AUDIENCE: &str = "bilsportlisens";

/// The role in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys licenses and sees their own.
    Customer,
    /// Sees the orders and licenses of named clubs.
    Organizer,
    /// The federation's staff.
    Staff,
    /// Staff who may also assign roles and erase people.
    Admin,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    roles: Vec<Role>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    clubs: Vec<Uuid>,
}

/// The key that signs tokens.
pub struct SigningKey {
    private: EncodingKey,
    kid: String,
    /// The public key as a JWK set.
    jwks: Value,
}

impl SigningKey {
    /// Reads the key file, or creates one that only its owner can read.
    pub fn load_or_create(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
            let key = key.map_err(|_| anyhow::anyhow!("cannot generate a key"))?;
            write_private(path, key.as_ref())?;
        }
        Self::load(path)
    }

    /// Reads the key file.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let pkcs8 = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| anyhow::anyhow!("{} is not a P-256 key", path.display()))?;
        // An uncompressed point: 0x04, then x and y of 32 bytes each.
        let point = pair.public_key().as_ref();
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
            bail!("{} holds an unexpected kind of key", path.display());
        };
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let kid = encode(&digest(&SHA256, point).as_ref()[..12]);
        let key = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
            "kid": kid, "x": encode(x), "y": encode(y),
        });
        Ok(Self {
            private: EncodingKey::from_ec_der(&pkcs8),
            kid,
            jwks: json!({ "keys": [key] }),
        })
    }

    /// A token for a person; `clubs` are those an organizer acts for.
    pub fn token(&self, role: Role, subject: &str, clubs: &[Uuid], ttl: TimeDelta) -> anyhow::Result<String> {
        let now = Utc::now();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: subject.to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: (now + ttl).timestamp(),
            nbf: now.timestamp(),
            iat: now.timestamp(),
            roles: vec![role],
            clubs: clubs.to_vec(),
        };
        self.signed(&claims)
    }

    /// The proof of a login for the client that began it.
    pub(super) fn proof(
        &self,
        (subject, name): (&str, &str),
        client_id: &str,
        nonce: Option<&str>,
        ttl: TimeDelta,
    ) -> anyhow::Result<String> {
        let now = Utc::now();
        let claims = json!({
            "iss": ISSUER, "sub": subject, "aud": client_id, "exp": (now + ttl).timestamp(), "iat": now.timestamp(),
            "nonce": nonce, "name": name,
        });
        self.signed(&claims)
    }

    /// The public key as a JWK set.
    pub(super) fn jwks(&self) -> Value {
        self.jwks.clone()
    }

    fn signed(&self, claims: &impl Serialize) -> anyhow::Result<String> {
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &self.private).context("cannot sign a token")
    }

    /// Any header and claims, as they stand in a token, with a signature of this key behind them.
    pub(super) fn sign(&self, message: &str) -> anyhow::Result<String> {
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.private, Algorithm::ES256)?;
        Ok(format!("{message}.{signature}"))
    }
}

/// The clubs named in a token of ours, without checking it.
pub(crate) fn clubs_of(token: &str) -> Vec<Uuid> {
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
    claims.map(|claims| claims.clubs).unwrap_or_default()
}
