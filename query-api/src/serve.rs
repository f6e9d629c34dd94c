//! The boot order: telemetry, health, ports, pool, schema, projection, login, and only then the requests.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use deadpool_postgres::Pool;
use query::{Cache, Channel, Exports, Projection, Reads, SchemaGate, SchemaRefused};
use read_model::{SchemaError, checkpoint, reports};
use service::Booted;
use service::auth::Authenticator;
use service::health::Check;
use service::limits::Limiter;
use service::redis::Redis;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::ServeOptions;
use crate::keys::{self, Signer};
use crate::rendering::Renderer;
use crate::router::{CACHED, ROUTES, router};
use crate::{AccountsInTheReadModel, AppState, metrics};

/// How much longer than its statement timeout the database may take to report it. Waiting for a connection is included.
const ANSWER_MARGIN: Duration = Duration::from_secs(4);

/// How many exports there are at once. Each has a connection and a snapshot of its own.
pub const EXPORTS_AT_ONCE: usize = 2;

/// The projection that most resources belong to.
pub const FOLLOWED: Channel = Channel {
    projection: checkpoint::PROJECTION,
    schema: "public",
    name: checkpoint::CHANNEL,
};

/// The projection that activities and sales belong to.
pub const REPORTS_FOLLOWED: Channel = Channel {
    projection: reports::PROJECTION,
    schema: reports::SCHEMA,
    name: reports::CHANNEL,
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
    let checks = ["postgres", "schema"].map(|name| booted.health.check(name));
    let reports_checks = ["reports_postgres", "reports_schema"].map(|name| booted.health.check(name));
    let authenticator = Authenticator::new(&options.auth)?.report_to(&booted.health);
    service::ops::serve(bind(options.ops.ops_listen).await?, &booted);
    let signer = signer(&options, &booted)?;
    let redis = options.redis.connect(&booted.health, booted.shutdown.clone())?;
    let limiter = options
        .limits
        .limiter("query-api", redis.clone(), &options.return_key.key()?);
    let mut reads = reads(&options, checks, &booted.shutdown).await?;
    let mut reports = reports_reads(&options, &reads, reports_checks, &booted.shutdown).await?;
    let cache = redis.map(|redis| cache(redis, &reads, &reports));
    (reads.cache, reports.cache) = (cache.clone(), cache);
    let parts = (authenticator, limiter, signer);
    let state = state(&options, parts, [reads, reports])?;
    service::http::serve(listener, router(state), options.http, booted.shutdown).await
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

fn state(
    options: &ServeOptions,
    (authenticator, limiter, signer): (Authenticator, Limiter, Option<Signer>),
    [reads, reports]: [Reads; 2],
) -> anyhow::Result<AppState> {
    let url = options.read.url()?;
    let exports = Exports::new(reads.clone(), url.expose(), "query-api export", EXPORTS_AT_ONCE)?;
    let authenticator = authenticator.consulting(AccountsInTheReadModel::new(reads.clone()));
    Ok(AppState {
        reads,
        reports,
        exports,
        authenticator,
        limiter,
        return_key: options.return_key.key()?,
        signer,
        renderer: Renderer::default(),
        seller: options.documents.seller.seller(),
    })
}

async fn reads(
    options: &ServeOptions,
    [postgres, schema]: [Check; 2],
    shutdown: &CancellationToken,
) -> anyhow::Result<Reads> {
    let cursors = options.cursors()?;
    let url = options.read.url()?;
    let url = url.expose();
    let pool = service::postgres::pool(url, &options.pool, "query-api")?;
    service::postgres::observe_pool(&pool, "read", shutdown.clone());
    service::postgres::refuse_pooler(url).await?;
    let schema = SchemaGate::watch(pool.clone(), schema, shutdown.clone(), look_at_schema).await?;
    let projection = Projection::follow(url, "query-api follow", FOLLOWED, postgres, shutdown.clone())?;
    Ok(Reads {
        pool,
        schema,
        projection,
        cursors,
        cache: None,
        patience: Duration::from_secs(options.pool.db_statement_timeout_s.into()) + ANSWER_MARGIN,
    })
}

/// As `reads`, in the schema of the reports.
async fn reports_reads(
    options: &ServeOptions,
    reads: &Reads,
    [postgres, schema]: [Check; 2],
    shutdown: &CancellationToken,
) -> anyhow::Result<Reads> {
    let url = options.read.url()?;
    let url = url.expose();
    let session = "query-api reports";
    let database = service::postgres::database(url, &options.pool, session)?;
    // Search uses what an extension brings to the schema of the other rows.
    let path = format!("{}, public", reports::SCHEMA);
    let database = database.set(&[("search_path", &path)]);
    let pool = service::postgres::built(&database, &options.pool)?;
    service::postgres::observe_pool(&pool, "reports", shutdown.clone());
    let schema = SchemaGate::watch(pool.clone(), schema, shutdown.clone(), look_at_reports_schema).await?;
    let projection = Projection::follow(url, session, REPORTS_FOLLOWED, postgres, shutdown.clone())?;
    Ok(Reads {
        pool,
        schema,
        projection,
        ..reads.clone()
    })
}

/// Keeps what many readers get in Redis. Builds that know other tables do not share it.
pub fn cache(redis: Redis, reads: &Reads, reports: &Reads) -> Cache {
    let (rows, sums) = (read_model::known_schema(), reports::MIGRATIONS.newest());
    let space = format!("bilsport:cache:{rows}-{sums}");
    let projections = vec![reads.projection.clone(), reports.projection.clone()];
    Cache::new(redis, space, &reads.cursors, projections)
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
    refused(read_model::check_schema(&pool).await)
}

/// Whether the tables of the reports are those of this build.
async fn look_at_reports_schema(pool: Pool) -> Result<(), SchemaRefused> {
    refused(reports::MIGRATIONS.check(&pool).await)
}

fn refused(checked: Result<(), SchemaError>) -> Result<(), SchemaRefused> {
    checked.map_err(|error| SchemaRefused {
        transient: error.is_transient(),
        error: error.into(),
    })
}
