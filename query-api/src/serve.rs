//! The boot order: telemetry, health, ports, pool, schema, projection, login, and only then the requests.

use std::net::SocketAddr;

use anyhow::Context;
use deadpool_postgres::Pool;
use query::{Cache, Channel, Checks, Exports, Places, Reads, SchemaRefused, Source};
use read_model::{SchemaError, checkpoint, reports};
use service::Booted;
use service::auth::Authenticator;
use service::limits::Limiter;
use service::neighbour::Neighbour;
use service::redis::Redis;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::ServeOptions;
use crate::keys::{self, Signer};
use crate::reading::patience;
use crate::rendering::Renderer;
use crate::router::{CACHED, ROUTES, router};
use crate::status::{Sources, StatusBoard};
use crate::{AccountsInTheReadModel, AppState, Parts, metrics, stream};

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

/// The `search_path` of its sessions. Search uses what an extension brings to the schema of the other rows.
pub const REPORTS_PATH: &str = "reports, public";

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let booted = service::boot("query-api", &options.log)?;
    metrics::describe(CACHED);
    service::metrics::begin_requests(ROUTES);
    service::metrics::begin_requests(service::docs::ROUTES);
    let replicas = options.reading.replicas()?;
    tracing::info!(
        listen = %options.listen,
        ops_listen = %options.ops.ops_listen,
        replicas = replicas.len(),
        pool_size = options.pool.db_pool_size,
        public_pool_size = options.reading.public_pool_size,
        expensive_pool_size = options.reading.expensive_pool_size,
        statement_timeout_s = options.pool.db_statement_timeout_s,
        jwt_issuer = options.auth.jwt_issuer,
        "configured"
    );
    let listener = bind(options.listen).await?;
    // Every check is there, and fails, before the first question about it is answered.
    let checks = |[postgres, schema, of_replicas]: [&'static str; 3]| Checks {
        postgres: booted.health.check(postgres),
        schema: booted.health.check(schema),
        replicas: (!replicas.is_empty()).then(|| booted.health.check(of_replicas)),
    };
    let rows_checks = checks(["postgres", "schema", "replicas"]);
    let reports_checks = checks(["reports_postgres", "reports_schema", "reports_replicas"]);
    let authenticator = Authenticator::new(&options.auth)?.report_to(&booted.health);
    service::ops::serve(bind(options.ops.ops_listen).await?, &booted);
    let signer = signer(&options, &booted)?;
    let redis = options.redis.connect(&booted.health, booted.shutdown.clone())?;
    let limiter = options
        .limits
        .limiter("query-api", redis.clone(), &options.return_key.key()?);
    let [mut reads, mut reports] = reads(
        &options,
        &replicas,
        [rows_checks, reports_checks],
        &booted.shutdown,
    )
    .await?;
    let cache = redis.map(|redis| cache(redis, &reads, &reports));
    (reads.cache, reports.cache) = (cache.clone(), cache);
    let parts = (authenticator, limiter, signer);
    let state = state(&options, parts, [reads, reports], &booted)?;
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
    Booted { health, shutdown, .. }: &Booted,
) -> anyhow::Result<AppState> {
    let url = options.read.url()?;
    let following = reads.places.projection().clone();
    let changes = stream::follow(url.expose(), following, options.streams, shutdown.clone())?;
    let addresses = &options.command_api_ready_url;
    let commands = (!addresses.is_empty()).then(|| Neighbour::watch(addresses, shutdown.clone()));
    let sources = Sources {
        health: health.clone(),
        rows: reads.places.projection().clone(),
        reports: reports.places.projection().clone(),
        commands: commands.transpose().context("--command-api-ready-url")?,
    };
    let exports = Exports::new(reads.clone(), "query-api export", EXPORTS_AT_ONCE);
    let authenticator = authenticator.consulting(AccountsInTheReadModel::new(reads.clone()));
    Ok(AppState::new(Parts {
        reads,
        reports,
        exports,
        changes,
        status: StatusBoard::watch(sources, shutdown.clone()),
        authenticator,
        limiter,
        return_key: options.return_key.key()?,
        signer,
        renderer: Renderer::default(),
        seller: options.documents.seller.seller(),
    }))
}

/// The rows, and the sums of the reports.
async fn reads(
    options: &ServeOptions,
    replicas: &[String],
    [rows_checks, reports_checks]: [Checks; 2],
    shutdown: &CancellationToken,
) -> anyhow::Result<[Reads; 2]> {
    let cursors = options.cursors()?;
    let primary = options.read.url()?;
    for url in std::iter::once(primary.expose()).chain(replicas.iter().map(String::as_str)) {
        service::postgres::refuse_pooler(url).await?;
    }
    let pools = options.reading.pools(&options.pool);
    let rows = Source {
        primary: primary.expose(),
        replicas,
        channel: FOLLOWED,
        search_path: None,
        session: "query-api",
        pools: &pools,
        most_lag: options.reading.most_lag(),
    };
    let sums = Source {
        channel: REPORTS_FOLLOWED,
        search_path: Some(REPORTS_PATH),
        session: "query-api reports",
        ..rows
    };
    let rows = Places::open(rows, rows_checks, shutdown, look_at_schema).await?;
    let sums = Places::open(sums, reports_checks, shutdown, look_at_reports_schema).await?;
    let reads = Reads::new(rows, cursors, options.reading.seats(), patience(&pools));
    let reports = reads.of(sums);
    Ok([reads, reports])
}

/// Keeps what many readers get in Redis. Builds that know other tables do not share it.
pub fn cache(redis: Redis, reads: &Reads, reports: &Reads) -> Cache {
    let (rows, sums) = (read_model::known_schema(), reports::MIGRATIONS.newest());
    let space = format!("bilsport:cache:{rows}-{sums}");
    let projections = vec![
        reads.places.projection().clone(),
        reports.places.projection().clone(),
    ];
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
