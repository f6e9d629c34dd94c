//! Starts everything in one order and ends it in the reverse one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::TimeDelta;
use deadpool_postgres::Pool;
use event_bus::{Publisher, PublisherOptions, StreamConfig};
use event_store::seal::{Sealer, SealerOptions};
use event_store::{
    Appender, AppenderOptions, Error, Executor, Lease, Loader, LoaderOptions, Log, SnapshotOptions, Tasks,
};
use futures_util::future::OptionFuture;
use payments::vipps::{Vipps, webhook};
use service::auth::Authenticator;
use service::health::Check;
use service::{Booted, http, ops, postgres};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Cli, Command, ServeOptions};
use crate::idempotency::InFlight;
use crate::leader;
use crate::process::{self, Shop};
use crate::relay;
use crate::router::router;
use crate::state::{AppState, ShopSettings};

/// How long after the signal the process is gone, whatever is still under way. Requests have had eight seconds then.
const LAST_MOMENT: Duration = Duration::from_millis(9300);
/// How long the database may take to say where the log stands, before this instance gets no more traffic.
const DATABASE_PATIENCE: Duration = Duration::from_secs(3);

/// Does what the command line asks for.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Migrate(database) => {
            service::telemetry::init(&cli.log)?;
            let applied = event_store::migrate(&database.events_database_url).await?;
            tracing::info!(applied, "the event database is migrated");
            Ok(())
        }
        Command::Log(command) => crate::sealing::run(command).await,
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
    // Every check is there, and fails, before the first question about it is answered.
    let [check, check_nats, check_process] = checks(&booted);
    let authenticator = Authenticator::new(&options.auth)?.report_to(&booted.health);
    ops::serve(bind(options.ops_listen).await?, &booted);
    let url = &options.database.events_database_url;
    let pool = postgres::pool(url, &options.pool, "command-api")?;
    postgres::observe_pool(&pool, "events", shutdown.clone());
    // What a crash makes the process managers forget is planned, or done, once more: both are safe to repeat.
    let tasks = postgres::unhurried_pool(url, &options.pool, "command-api tasks")?;
    postgres::observe_pool(&tasks, "tasks", shutdown.clone());
    // Every setting is read before anything is waited for, so that a wrong one is told at once.
    let provider = Vipps::new(options.vipps.options()?).context("vipps")?;
    let public_url = &options.shop.public_url;
    let settings = ShopSettings {
        webhook_host: webhook::host_of(public_url).with_context(|| format!("--public-url {public_url:?}"))?,
        webhook_secret: options.vipps.webhook_secret()?,
        return_url: options.shop.return_url.clone(),
        time_to_pay: TimeDelta::seconds(i64::from(options.shop.order_ttl_s)),
    };
    let seal = options.seal.options()?;
    let bus = event_bus::connect_as(&options.bus.access()?, "command-api").await?;
    match shutdown.run_until_cancelled(await_schema(&pool, &check)).await {
        Some(known) => known?,
        None => return Ok(()),
    }
    // Before anything says that this instance is ready.
    let listener = bind(options.listen).await?;

    let (appender, writing) = Appender::start(url, AppenderOptions::default())?;
    let shop = Shop {
        executor: executor(url, &pool, appender, options.snapshot_every)?,
        provider: Arc::new(provider),
        tasks: Tasks::new(tasks, process::PROCESS),
        planned: Arc::new(Notify::new()),
        planner_problem: Arc::new(relay::Problem::new(None)),
    };
    let background = TaskTracker::new();
    background.spawn(watch_database(pool.clone(), check, shutdown.clone()));
    for kinds in [process::LOG_KINDS, process::PROVIDER_KINDS] {
        background.spawn(process::work(shop.clone(), kinds, shutdown.clone()));
    }
    background.spawn(process::observe(shop.clone(), check_process, shutdown.clone()));
    let bus = relay::Bus {
        connection: bus,
        stream: StreamConfig::declared(&options.bus.stream, &options.bus.subject_prefix),
        problem: relay::Problem::new(None),
    };
    background.spawn(bus.observe(check_nats, shutdown.clone()));
    background.spawn(lead(
        url,
        pool.clone(),
        shop.clone(),
        bus,
        seal.map(|seal| (pool, seal)),
        shutdown.clone(),
    ));
    background.close();

    let state = AppState {
        authenticator,
        shop: Arc::new(settings),
        executor: shop.executor,
        provider: shop.provider,
        in_flight: InFlight::default(),
    };
    let served = http::serve(listener, router(state), options.http, shutdown.clone());
    let told = async {
        shutdown.cancelled().await;
        Ok(Instant::now())
    };
    let ((), told_at) = tokio::try_join!(served, told)?;
    // Requests are answered; what workers have under way ends with the last of them, and then the last batch.
    let ended = async {
        background.wait().await;
        drop((shop.tasks, shop.planned));
        writing.await
    };
    if let Ok(written) = tokio::time::timeout_at(told_at + LAST_MOMENT, ended).await {
        written.context("the writing task")?;
        tracing::info!("stopped");
    } else {
        // Nothing is lost: a task that was begun is done again, by whoever claims it next.
        tracing::warn!("stopped before everything under way was finished");
    }
    Ok(())
}

fn checks(booted: &Booted) -> [Check; 3] {
    ["postgres", "nats", "process"].map(|name| booted.health.check(name))
}

fn executor(url: &str, pool: &Pool, appender: Appender, snapshot_every: u64) -> anyhow::Result<Executor> {
    let loader = Loader::start(url, LoaderOptions::default())?;
    let snapshots = SnapshotOptions {
        every: snapshot_every,
        shape: domain::SHAPE.into(),
    };
    Ok(Executor::new(Log::new(pool.clone()), loader, appender).with_snapshots(snapshots))
}

/// Relay, planner and sealer, whenever this instance leads.
fn lead(
    url: &str,
    pool: Pool,
    shop: Shop,
    bus: relay::Bus,
    seal: Option<(Pool, SealerOptions)>,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let log = shop.executor.log().clone();
    let hint = event_store::listen(url, shutdown.clone());
    let lease = Lease::new(pool, leader::NAME, leader::LASTS);
    async move {
        Box::pin(leader::lead_whenever_possible(lease, shutdown, |term| {
            let (connection, stream) = (&bus.connection, &bus.stream);
            let publisher = Publisher::new(connection.clone(), stream.clone(), PublisherOptions::default());
            let relay = relay::run(publisher, log.clone(), hint.clone(), &bus.problem, term.clone());
            let plan = process::plan(
                shop.clone(),
                log.clone(),
                connection.clone(),
                stream.clone(),
                hint.clone(),
                term.clone(),
            );
            let seal = seal
                .clone()
                .map(|(pool, options)| Sealer::new(pool, options).run(term.clone()));
            async move {
                tokio::join!(relay, plan, OptionFuture::from(seal));
            }
        }))
        .await;
    }
}

async fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// Waits for the database, and refuses one with a schema that this build does not know.
async fn await_schema(pool: &Pool, check: &Check) -> anyhow::Result<()> {
    loop {
        match event_store::check_schema(pool).await {
            Ok(()) => return Ok(()),
            Err(error @ Error::Schema(_)) => bail!(error),
            Err(error) => {
                tracing::warn!(error = %error, "waiting for the event database");
                check.fail("the event database does not answer");
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Keeps the readiness check true to the database, also to one that keeps its connections and says nothing.
async fn watch_database(pool: Pool, check: Check, shutdown: CancellationToken) {
    let log = Log::new(pool);
    loop {
        match tokio::time::timeout(DATABASE_PATIENCE, log.head()).await {
            Ok(Ok(_)) => check.ok(),
            _ => check.fail("the event database does not answer"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
