//! The boot order: telemetry, health, pool, schema, projection, login, and only then the public port.

use anyhow::Context;
use service::{Booted, auth::Authenticator};
use tokio::net::TcpListener;

use crate::{AppState, Projection, SchemaGate, config::ServeOptions, metrics, router};

/// Serves until the process is told to end, then finishes what is in flight.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let booted = service::boot("query-api", &options.log)?;
    metrics::describe();
    let listen_ops = TcpListener::bind(options.ops_listen)
        .await
        .context("cannot listen on the ops port")?;
    service::ops::serve(listen_ops, &booted);
    let state = state(&options, &booted).await?;
    let listener = TcpListener::bind(options.listen)
        .await
        .context("cannot listen on the public port")?;
    service::http::serve(listener, router::router(state), options.http, booted.shutdown).await
}

async fn state(options: &ServeOptions, booted: &Booted) -> anyhow::Result<AppState> {
    let Booted { shutdown, health, .. } = booted;
    let secret =
        Secret::from_flag_or_file(options.cursor_secret.clone(), options.cursor_secret_file.clone())?
            .context("--cursor-secret, CURSOR_SECRET or CURSOR_SECRET_FILE is required")?;
    let cursors = Cursors::new(secret.expose().as_bytes())?;
    let url = options.read_database_url.expose();
    let pool = service::postgres::pool(url, &options.pool, "query-api")?;
    service::postgres::observe_pool(&pool, "read", shutdown.clone());
    let projection = Projection::follow(url, health.check("postgres"), shutdown.clone())?;
    let schema = SchemaGate::watch(pool.clone(), health.check("schema"), shutdown.clone()).await?;
    let authenticator = Authenticator::new(&options.auth)?.report_to(health);
    Ok(AppState {
        pool,
        schema,
        projection,
        cursors,
        authenticator,
    })
}
