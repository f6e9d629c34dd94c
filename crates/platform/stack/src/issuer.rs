//! The token issuer of the local stack: an OpenID Connect issuer with a login page, on which a person chooses who to be.
//! Production has Vipps Login or a bank's login in its place.

mod authorize;
mod desk;
mod grants;
mod key;
mod people;
mod token;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use self::desk::Desk;
use crate::ports::Port;

pub use self::grants::Lifetimes;
pub(crate) use self::key::clubs_of;
pub use self::key::{AUDIENCE, ISSUER, Role, SigningKey};

/// Where the description of the issuer is.
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where its key is.
const JWKS: &str = "/.well-known/jwks.json";

/// A running issuer; it stops when dropped.
pub struct Issuer {
    desk: Arc<Desk>,
    url: String,
    _port: Port,
    _stop: DropGuard,
}

impl Issuer {
    /// Serves with the key of this file on a free port.
    pub async fn start(key_file: &Path) -> anyhow::Result<Self> {
        let desk = Arc::new(Desk::new(SigningKey::load_or_create(key_file)?));
        let port = Port::any()?;
        let url = port.http_url();
        let router = router(Arc::clone(&desk), description(&url));
        let listener = tokio::net::TcpListener::bind(port.address())
            .await
            .context("cannot listen")?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped => {}
                // Serves until the runtime ends.
                _ = axum::serve(listener, router) => {}
            }
        });
        Ok(Self {
            desk,
            url,
            _port: port,
            _stop: stop.drop_guard(),
        })
    }

    /// Where the services fetch the key.
    pub fn jwks_url(&self) -> String {
        format!("{}{JWKS}", self.url)
    }

    /// Where a client finds everything else.
    pub fn discovery_url(&self) -> String {
        format!("{}{DISCOVERY}", self.url)
    }

    /// Lets people of this client log in, and be sent back to this address.
    pub fn add_client(&self, client_id: &str, redirect_uri: &str) {
        self.desk.add_client(client_id, redirect_uri);
    }

    /// Sets the clubs of the organizer who logs in.
    pub fn set_clubs(&self, clubs: &[Uuid]) {
        self.desk.set_clubs(clubs);
    }

    /// Sets how long what the issuer hands out from now on can be used.
    pub fn set_lifetimes(&self, lifetimes: Lifetimes) {
        self.desk.grants().lifetimes = lifetimes;
    }

    /// Any header and claims, as they stand in a token, with the issuer's signature behind them: for tests of what is
    /// wrong with a token although its signature is right.
    pub fn sign(&self, message: &str) -> anyhow::Result<String> {
        self.desk.key.sign(message)
    }

    /// A token for a person; `clubs` are those an organizer acts for.
    pub fn token(&self, role: Role, subject: &str, clubs: &[Uuid], ttl: TimeDelta) -> anyhow::Result<String> {
        self.desk.key.token(role, subject, clubs, ttl)
    }
}

/// What clients read first. The issuer has one name, wherever it listens.
fn description(url: &str) -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "revocation_endpoint": format!("{url}/revoke"),
        "end_session_endpoint": format!("{url}/end_session"),
        "jwks_uri": format!("{url}{JWKS}"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "scopes_supported": ["openid", "profile"],
        "subject_types_supported": ["public"],
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "ui_locales_supported": ["nb"],
        "authorization_response_iss_parameter_supported": true,
    })
}

fn router(desk: Arc<Desk>, description: Value) -> Router {
    let jwks = desk.key.jwks();
    Router::new()
        .route(JWKS, get(|| async { Json(jwks) }))
        .route(DISCOVERY, get(|| async { Json(description) }))
        .route("/authorize", get(authorize::show).post(authorize::choose))
        .route("/token", post(token::token))
        .route("/revoke", post(token::revoke))
        .route("/end_session", post(token::end_session))
        .with_state(desk)
}
