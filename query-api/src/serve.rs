//! The boot order: telemetry, health, ports, pool, schema, projection, login, and only then the requests.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use deadpool_postgres::Pool;
use query::{Channel, Projection, Reads, SchemaGate, SchemaRefused};
use read_model::checkpoint::{CHANNEL, PROJECTION};
use service::Booted;
use service::auth::Authenticator;
use service::health::Check;
use service::limits::Limiter;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::ServeOptions;
use crate::keys::{self, Signer};
use crate::rendering::Renderer;
use crate::router::{CACHED, ROUTES, router};
use crate::{AccountsInTheReadModel, AppState, metrics};

/// How much longer than its statement timeout the database may take to report it. Waiting for a connection is included.
const ANSWER_MARGIN: Duration = Duration::from_secs(4);

/// The projection that the resources belong to.
pub const FOLLOWED: Channel = Channel {
    projection: PROJECTION,
    name: CHANNEL,
};

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let booted = service::boot("query-api", &options.log)?;
    metrics::describe(CACHED);
    service::metrics::begin_requests(ROUTES);
    service::metrics::begin_requests(service::docs::ROUTES);
    tracing::info!(
        listen = %options.listen,
        ops_listen = %options.ops.ops_listen,
        pool_size = options.pool.db_pool_size,
        statement_timeout_s = options.pool.db_statement_timeout_s,
        jwt_issuer = options.auth.jwt_issuer,
        "configured"
    );
    let listener = bind(options.listen).await?;
    // Every check is there, and fails, before the first question about it is answered.
    let checks = [booted.health.check("postgres"), booted.health.check("schema")];
    let authenticator = Authenticator::new(&options.auth)?.report_to(&booted.health);
    service::ops::serve(bind(options.ops.ops_listen).await?, &booted);
    let signer = signer(&options, &booted)?;
    let redis = options.redis.connect(&booted.health, booted.shutdown.clone())?;
    let limiter = options
        .limits
        .limiter("query-api", redis, &options.return_key.key()?);
    let parts = (authenticator, limiter, signer);
    let state = state(&options, parts, checks, &booted.shutdown).await?;
    service::http::serve(listener, router(state), options.http, booted.shutdown).await
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

async fn state(
    options: &ServeOptions,
    (authenticator, limiter, signer): (Authenticator, Limiter, Option<Signer>),
    [postgres, schema]: [Check; 2],
    shutdown: &CancellationToken,
) -> anyhow::Result<AppState> {
    let cursors = options.cursors()?;
    let return_key = options.return_key.key()?;
    let url = options.read.url()?;
    let url = url.expose();
    let pool = service::postgres::pool(url, &options.pool, "query-api")?;
    service::postgres::observe_pool(&pool, "read", shutdown.clone());
    service::postgres::refuse_pooler(url).await?;
    let schema = SchemaGate::watch(pool.clone(), schema, shutdown.clone(), look_at_schema).await?;
    let projection = Projection::follow(url, "query-api follow", FOLLOWED, postgres, shutdown.clone())?;
    let reads = Reads {
        pool,
        schema,
        projection,
        cursors,
        patience: Duration::from_secs(options.pool.db_statement_timeout_s.into()) + ANSWER_MARGIN,
    };
    let authenticator = authenticator.consulting(AccountsInTheReadModel::new(reads.clone()));
    Ok(AppState {
        reads,
        authenticator,
        limiter,
        return_key,
        signer,
        renderer: Renderer::default(),
        seller: options.documents.seller.seller(),
    })
}

/// Follows the keys, if the program was given any.
fn signer(options: &ServeOptions, booted: &Booted) -> anyhow::Result<Option<Signer>> {
    let documents = &options.documents;
    let files = documents
        .license_keys_file
        .clone()
        .zip(documents.root_key_file.clone());
    let follow = |(keys, root)| {
        let check = booted.health.check("license_keys");
        keys::follow(keys, root, check, booted.shutdown.clone())
    };
    files.map(follow).transpose()
}

/// Whether the database has the schema of this build.
pub async fn look_at_schema(pool: Pool) -> Result<(), SchemaRefused> {
    read_model::check_schema(&pool)
        .await
        .map_err(|error| SchemaRefused {
            transient: error.is_transient(),
            error: error.into(),
        })
}
