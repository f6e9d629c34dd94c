//! The boot order: telemetry, health, pools, schemas, NATS, and then the log for as long as the process runs.

use std::time::Duration;

use anyhow::Context as _;
use backon::{ExponentialBuilder, Retryable};
use deadpool_postgres::Pool;
use event_bus::StreamConfig;
use projection::parked::{count_retries, retry_untried};
use projection::{Follower, Parts, Projection, SchemaError, Watched, watch};
use service::Booted;
use service::health::Check;
use service::postgres::describe;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{MigrateOptions, SUBSCRIPTION, ServeOptions};
use crate::licensing::Licensing;

/// How long the transaction under way may take after the signal to end.
const DRAIN: Duration = Duration::from_secs(8);

/// Follows the log until a signal to end.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let booted = service::boot("projector", &options.log)?;
    projection::metrics::describe(&[Licensing.name()]);
    event_bus::metrics::describe();
    let listener = TcpListener::bind(options.ops.ops_listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.ops.ops_listen))?;
    let Booted { shutdown, health, .. } = &booted;
    // Every check exists, and fails, before the first request for it is answered.
    let (check, check_stream) = (health.check("projection"), health.check("nats"));
    let (check_read, check_events) = (health.check("postgres_read"), health.check("postgres_events"));
    let check_schema = health.check("schema");
    service::ops::serve(listener, &booted);

    let (read_url, events_url) = (options.sources.read.url()?, options.sources.events.url()?);
    let (read_url, events_url) = (read_url.expose(), events_url.expose());
    let read = projection::async_commit_pool(&Licensing, read_url, &options.pool, "projector")?;
    let events = service::postgres::pool(events_url, &options.pool, "projector")?;
    for (pool, name) in [(&read, "read"), (&events, "events")] {
        service::postgres::observe_pool(pool, name, booted.shutdown.clone());
    }
    // Connects in the background. A setting that can't be used is refused here, before anything is waited for.
    let bus = event_bus::connect_as(&options.sources.bus()?, "projector").await?;
    let vault = options.sources.personal_data.vault()?;
    let log = event_store::Log::new(events.clone());
    let log = match vault {
        Some(vault) => log.with_vault(vault),
        None => log,
    };
    let watched = Watched {
        projection: Licensing,
        read: read.clone(),
        log: log.clone(),
        bus: bus.clone(),
        stream: options.sources.bus.stream.clone(),
        check_read,
        check_events,
    };
    tokio::spawn(watch(watched, shutdown.clone()));

    let schemas = know_schemas([(&read, read_url), (&events, events_url)], check_schema);
    let Some(known) = shutdown.run_until_cancelled(schemas).await else {
        return Ok(());
    };
    known?;
    let counting = count_retries(&Licensing, read_url)?;
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(counting));
    let stream = StreamConfig::from_declaration(
        events::STREAM_DECLARATION,
        &options.sources.bus.stream,
        &options.subjects.subject_prefix,
    )?;
    let head_watch = event_store::listen(events_url, shutdown.clone())?;
    tokio::spawn(retry_untried(
        Licensing,
        read.clone(),
        log.clone(),
        shutdown.clone(),
    ));
    let follower = Follower::new(Parts {
        projection: Licensing,
        read,
        read_url: read_url.to_owned(),
        log,
        head_watch,
        bus,
        stream,
        subscription: SUBSCRIPTION,
        check,
        check_stream,
    });
    if drained(follower.run(shutdown), shutdown).await {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped before the transaction under way was finished; it is rolled back");
    }
    Ok(())
}

/// Brings the read database to this build's schema.
pub async fn migrate(options: MigrateOptions) -> anyhow::Result<()> {
    service::telemetry::init(&options.log)?;
    let applied = projection::migrate(&Licensing, options.read.url()?.expose()).await?;
    tracing::info!(applied, "the read database is at this build's schema");
    Ok(())
}

/// Waits about a minute for both databases to answer; a schema that this build does not know is refused at once.
async fn know_schemas(
    [(read, read_url), (events, events_url)]: [(&Pool, &str); 2],
    check: Check,
) -> anyhow::Result<()> {
    // Before the check, because most statements fail through a pooler; and after it, because a database that was down did
    // not answer before.
    refuse_poolers([read_url, events_url]).await?;
    let patience = || {
        ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(32)
    };
    let waiting = |error: &(dyn std::error::Error + 'static), pause: Duration| {
        let reason = describe(error);
        tracing::warn!(reason, pause_s = pause.as_secs_f64(), "waiting for a database");
        check.fail(reason);
    };
    (|| Licensing.migrations().check(read))
        .retry(patience())
        .when(SchemaError::is_transient)
        .notify(|error, pause| waiting(error, pause))
        .await?;
    (|| event_store::check_schema(events))
        .retry(patience())
        .when(|error| matches!(error, event_store::Error::Unavailable(_)))
        .notify(|error, pause| waiting(error, pause))
        .await?;
    refuse_poolers([read_url, events_url]).await?;
    check.ok();
    Ok(())
}

async fn refuse_poolers(urls: [&str; 2]) -> anyhow::Result<()> {
    for (url, name) in urls.into_iter().zip(["read", "event"]) {
        service::postgres::refuse_pooler(url)
            .await
            .with_context(|| format!("the {name} database"))?;
    }
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
