//! The boot order: telemetry, health, ports, keys, issuer, and only then the requests.

use std::net::SocketAddr;

use anyhow::Context;
use service::auth::Authenticator;
use tokio::net::TcpListener;

use crate::config::ServeOptions;
use crate::keys::{self, PERIOD};
use crate::provider::Provider;
use crate::router::{ROUTES, router};
use crate::{AppState, metrics};

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let booted = service::boot("front-door", &options.log)?;
    metrics::describe();
    service::metrics::begin_requests(ROUTES);
    service::metrics::begin_requests(service::docs::ROUTES);
    tracing::info!(
        listen = %options.listen,
        ops_listen = %options.ops.ops_listen,
        public_url = options.public_url.as_str(),
        oidc_discovery_url = options.provider.oidc_discovery_url,
        oidc_client_id = options.provider.oidc_client_id,
        jwt_issuer = options.auth.jwt_issuer,
        "configured"
    );
    options.provider.check(&options.auth.jwt_audience)?;
    let listener = bind(options.listen).await?;
    let keys_check = booted.health.check("session_keys");
    let issuer_check = booted.health.check("issuer");
    service::ops::serve(bind(options.ops.ops_listen).await?, &booted);
    let file = options.session_keys_file;
    let seal = keys::follow(file, PERIOD, keys_check, booted.shutdown.clone())?;
    let provider = Provider::follow(
        &options.provider,
        &options.auth.jwt_issuer,
        &options.public_url,
        issuer_check,
        booted.shutdown.clone(),
    )?;
    let state = AppState {
        origin: options.public_url,
        seal,
        provider,
        // Without a check of its own: sessions go on while the issuer is away.
        authenticator: Authenticator::new(&options.auth)?,
    };
    service::http::serve(listener, router(state), options.http, booted.shutdown).await
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}
