//! A real issuer of tokens: keys, a JWKS endpoint on a socket, and ways for it to misbehave.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use service::auth::AuthOptions;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "bilsportlisens";

/// A signing key with its id.
pub(crate) struct Key {
    pub(crate) id: String,
    signing: EncodingKey,
    /// The public point, uncompressed.
    pub(crate) public: Vec<u8>,
    /// The public key as a DER document.
    pub(crate) public_der: Vec<u8>,
}

impl Key {
    pub(crate) fn generate(id: &str) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
        Self {
            id: id.to_owned(),
            signing: EncodingKey::from_ec_der(document.as_ref()),
            public: pair.public_key().as_ref().to_vec(),
            public_der: pair.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    /// The public half, as the issuer publishes it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.signing, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).unwrap()
    }

    /// A token with these claims, signed by this key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::ES256)
        };
        self.sign_as(&header, claims)
    }

    /// As [`sign`](Self::sign), with another header.
    pub(crate) fn sign_as(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.signing).unwrap()
    }
}

/// Seconds since 1970, plus the offset.
pub(crate) fn now(offset_s: i64) -> i64 {
    chrono::Utc::now().timestamp() + offset_s
}

/// The claims of a good token for a customer.
pub(crate) fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "kari", "aud": AUDIENCE, "exp": now(300), "iat": now(0), "nbf": now(0) })
}

/// Good claims with some replaced; `null` removes one.
pub(crate) fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    for (name, value) in changes {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(&name);
        } else {
            claims[name] = value;
        }
    }
    claims
}

/// How the endpoint answers.
#[derive(Clone)]
enum Mode {
    Body(StatusCode, String),
    /// Answers nothing until the mode changes.
    Hang,
}

/// The endpoint. Requests that hang are answered by the mode that follows.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    fetches: Arc<AtomicUsize>,
    mode: Arc<Mutex<watch::Sender<Mode>>>,
}

impl Issuer {
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, keys)
    }

    /// On a socket that is bound already, so that a test can know the address of an issuer that is down.
    pub(crate) fn start_on(listener: TcpListener, keys: &[&Key]) -> Self {
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let (mode, watched) = watch::channel(key_set(keys));
        let fetches = Arc::new(AtomicUsize::new(0));
        let issuer = Self {
            url,
            fetches: Arc::clone(&fetches),
            mode: Arc::new(Mutex::new(mode)),
        };
        let handler = move || {
            fetches.fetch_add(1, Ordering::SeqCst);
            answer(watched.clone())
        };
        let router = Router::new().route("/jwks", get(handler));
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    /// How often the keys were fetched.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        self.set(key_set(keys));
    }

    pub(crate) fn answer(&self, status: StatusCode, body: &str) {
        self.set(Mode::Body(status, body.to_owned()));
    }

    pub(crate) fn hang(&self) {
        self.set(Mode::Hang);
    }

    fn set(&self, mode: Mode) {
        self.mode.lock().unwrap().send_replace(mode);
    }

    pub(crate) fn options(&self) -> AuthOptions {
        AuthOptions {
            jwt_issuer: ISSUER.to_owned(),
            jwt_audience: AUDIENCE.to_owned(),
            jwks_url: self.url.clone(),
            jwt_algorithm: Algorithm::ES256,
        }
    }
}

fn key_set(keys: &[&Key]) -> Mode {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    Mode::Body(StatusCode::OK, json!({ "keys": keys }).to_string())
}

async fn answer(mut mode: watch::Receiver<Mode>) -> impl IntoResponse {
    loop {
        let now = mode.borrow_and_update().clone();
        match now {
            Mode::Body(status, body) => return (status, body),
            Mode::Hang => mode.changed().await.unwrap(),
        }
    }
}
