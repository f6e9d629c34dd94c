//! The boot order: telemetry, health, pools, schemas, NATS, and then the log for as long as the process runs, once for each
//! projection.

mod schemas;
mod work;

use std::time::Duration;

use anyhow::Context as _;
use event_bus::StreamConfig;
use event_store::Log;
use projection::Projection as _;
use service::Booted;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::schemas::know_schemas;
use self::work::{Shared, Work};
use crate::config::{MigrateOptions, ProjectionName, ServeOptions};
use crate::licensing::Licensing;
use crate::reports::Reports;

/// How long the transactions under way may take after the signal to end.
const DRAIN: Duration = Duration::from_secs(8);

/// Follows the log until a signal to end.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let booted = service::boot("projector", &options.log)?;
    projection::metrics::describe(&[Licensing.name(), Reports.name()]);
    event_bus::metrics::describe();
    let listener = TcpListener::bind(options.ops.ops_listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.ops.ops_listen))?;
    let Booted { shutdown, health, .. } = &booted;
    // Every check exists, and fails, before the first request for it is answered.
    let licensing_checks =
        ["projection", "nats", "postgres_read", "postgres_events"].map(|name| health.check(name));
    let reports_checks = [
        "reports_projection",
        "reports_nats",
        "reports_postgres_read",
        "reports_postgres_events",
    ]
    .map(|name| health.check(name));
    let check_schema = health.check("schema");
    service::ops::serve(listener, &booted);

    let (read_url, events_url) = (options.sources.read.url()?, options.sources.events.url()?);
    let (read_url, events_url) = (read_url.expose(), events_url.expose());
    let events = service::postgres::pool(events_url, &options.pool, "projector")?;
    service::postgres::observe_pool(&events, "events", booted.shutdown.clone());
    // Connects in the background. A setting that can't be used is refused here, before anything is waited for.
    let bus = event_bus::connect_as(&options.sources.bus()?, "projector").await?;
    let vault = options.sources.personal_data.vault()?;
    let log = Log::new(events.clone());
    let log = match vault {
        Some(vault) => log.with_vault(vault),
        None => log,
    };
    let shared = Shared {
        read_url: read_url.to_owned(),
        log,
        bus,
        stream: options.sources.bus.stream.clone(),
        shutdown: shutdown.clone(),
    };
    let name = ProjectionName::Licensing;
    let licensing = Work::begin(Licensing, name, "read", licensing_checks, &options.pool, &shared)?;
    let name = ProjectionName::Reports;
    let reports = Work::begin(Reports, name, "reports", reports_checks, &options.pool, &shared)?;

    let read = [licensing.migrations(), reports.migrations()];
    let schemas = know_schemas(read, &events, [read_url, events_url], check_schema);
    let Some(known) = shutdown.run_until_cancelled(schemas).await else {
        return Ok(());
    };
    known?;
    let stream = StreamConfig::from_declaration(
        events::STREAM_DECLARATION,
        &options.sources.bus.stream,
        &options.subjects.subject_prefix,
    )?;
    let head_watch = event_store::listen(events_url, shutdown.clone())?;
    let licensing = licensing.follow(stream.clone(), head_watch.clone(), &shared)?;
    let reports = reports.follow(stream, head_watch, &shared)?;
    let following = async {
        futures_util::join!(Box::pin(licensing.run(shutdown)), Box::pin(reports.run(shutdown)));
    };
    if drained(following, shutdown).await {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped before a transaction under way was finished; it is rolled back");
    }
    Ok(())
}

/// Brings the read database to this build's schemas.
pub async fn migrate(options: MigrateOptions) -> anyhow::Result<()> {
    service::telemetry::init(&options.log)?;
    let url = options.read.url()?;
    let licensing = projection::migrate(&Licensing, url.expose()).await?;
    let reports = projection::migrate(&Reports, url.expose()).await?;
    tracing::info!(
        applied = licensing + reports,
        "the read database is at this build's schema"
    );
    Ok(())
}

/// Whether `work` ended by itself, in time after shutdown.
async fn drained(work: impl Future<Output = ()>, shutdown: &CancellationToken) -> bool {
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        () = work => true,
        () = deadline => false,
    }
}
