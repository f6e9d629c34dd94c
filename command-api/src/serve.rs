//! Starts everything in one order and ends it in the reverse one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::TimeDelta;
use deadpool_postgres::Pool;
use event_bus::{Publisher, PublisherOptions, StreamConfig};
use event_store::{Appender, AppenderOptions, Error, Executor, Log, Tasks};
use payments::vipps::{Vipps, webhook};
use service::auth::Authenticator;
use service::health::Check;
use service::{Booted, http, ops, postgres};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{BusOptions, Cli, Command, ServeOptions};
use crate::idempotency::InFlight;
use crate::leader::lead_whenever_possible;
use crate::process::{self, Shop};
use crate::relay;
use crate::router::router;
use crate::source::Source;
use crate::state::{AppState, ShopSettings};

/// Does what the command line asks for.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Migrate(database) => {
            service::telemetry::init(&cli.log)?;
            let applied = event_store::migrate(&database.events_database_url).await?;
            tracing::info!(applied, "the event database is migrated");
            Ok(())
        }
        Command::Serve(options) => {
            let booted = service::boot("command-api", &cli.log)?;
            event_store::metrics::describe();
            event_bus::metrics::describe();
            payments::metrics::describe();
            crate::metrics::describe();
            serve(*options, booted).await
        }
    }
}

async fn serve(options: ServeOptions, booted: Booted) -> anyhow::Result<()> {
    let shutdown = booted.shutdown.clone();
    ops::serve(bind(options.ops_listen).await?, &booted);
    let url = &options.database.events_database_url;
    let pool = postgres::pool(url, &options.pool, "command-api")?;
    postgres::observe_pool(&pool, "events", shutdown.clone());
    let check = booted.health.check("postgres");
    if !await_schema(&pool, &check, &shutdown).await? {
        return Ok(());
    }
    let (appender, writing) = Appender::start(url, AppenderOptions::default())?;
    let shop = Shop {
        executor: Executor::new(Log::new(pool.clone()), appender),
        provider: Arc::new(Vipps::new(options.vipps.options()?).context("vipps")?),
        tasks: Tasks::new(pool.clone(), process::PROCESS),
        planned: Arc::new(Notify::new()),
    };
    let background = TaskTracker::new();
    background.spawn(watch_database(pool, check, shutdown.clone()));
    for kinds in [process::LOG_KINDS, process::PROVIDER_KINDS] {
        background.spawn(process::work(shop.clone(), kinds, shutdown.clone()));
    }
    background.spawn(process::observe(shop.clone(), shutdown.clone()));
    background.spawn(lead(url.clone(), shop.clone(), &options.bus, shutdown.clone()).await?);
    background.close();

    let public_url = &options.shop.public_url;
    let state = AppState {
        authenticator: Authenticator::new(&options.auth)?.report_to(&booted.health),
        shop: Arc::new(ShopSettings {
            webhook_host: webhook::host_of(public_url)
                .with_context(|| format!("--public-url {public_url:?}"))?,
            webhook_secret: options.vipps.webhook_secret()?,
            return_url: options.shop.return_url.clone(),
            time_to_pay: TimeDelta::seconds(i64::from(options.shop.order_ttl_s)),
        }),
        executor: shop.executor,
        provider: shop.provider,
        in_flight: InFlight::default(),
    };
    http::serve(bind(options.listen).await?, router(state), options.http, shutdown).await?;
    // Requests are answered; what workers have under way ends with the last of them, and then the last batch.
    background.wait().await;
    drop((shop.tasks, shop.planned));
    writing.await.context("the writing task")?;
    tracing::info!("stopped");
    Ok(())
}

/// Relay and planner, whenever this instance leads.
async fn lead(
    url: String,
    shop: Shop,
    bus: &BusOptions,
    shutdown: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let stream = StreamConfig::declared(&bus.stream, &bus.subject_prefix);
    let context = event_bus::connect(&bus.nats_url, "command-api")
        .await
        .context("nats")?;
    let log = Source(shop.executor.log().clone());
    let hint = event_store::listen(&url, shutdown.clone());
    Ok(async move {
        Box::pin(lead_whenever_possible(&url, shutdown, |term| {
            let publisher = Publisher::new(context.clone(), stream.clone(), PublisherOptions::default());
            let relay = relay::run(publisher, log.clone(), hint.clone(), term.clone());
            let plan = process::plan(
                shop.clone(),
                log.clone(),
                context.clone(),
                stream.clone(),
                hint.clone(),
                term.clone(),
            );
            async move {
                tokio::join!(relay, plan);
            }
        }))
        .await;
    })
}

async fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// Waits for the database; refuses one with a schema that this build does not know. False: shut down meanwhile.
async fn await_schema(pool: &Pool, check: &Check, shutdown: &CancellationToken) -> anyhow::Result<bool> {
    loop {
        match event_store::check_schema(pool).await {
            Ok(()) => {
                check.ok();
                return Ok(true);
            }
            Err(error @ Error::Schema(_)) => bail!(error),
            Err(error) => {
                tracing::warn!(error = %error, "waiting for the event database");
                check.fail("the event database does not answer");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(false),
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}

/// Keeps the readiness check true to the database.
async fn watch_database(pool: Pool, check: Check, shutdown: CancellationToken) {
    let log = Log::new(pool);
    loop {
        match log.head().await {
            Ok(_) => check.ok(),
            Err(_) => check.fail("the event database does not answer"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
