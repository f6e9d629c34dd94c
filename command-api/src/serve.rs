//! Starts everything in one order and ends it in the reverse one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::TimeDelta;
use deadpool_postgres::Pool;
use envelope::Position;
use event_bus::{Publisher, PublisherOptions};
use event_store::seal::{Sealer, SealerOptions};
use event_store::{
    Appender, AppenderOptions, CommandHandler, Error, Inbox, Lease, Loader, LoaderOptions, Log,
    SnapshotOptions, Tasks,
};
use futures_util::future::OptionFuture;
use payments::vipps::{Vipps, webhook};
use service::auth::Authenticator;
use service::health::Check;
use service::{Booted, http, ops, postgres};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bulkheads::Bulkheads;
use crate::config::{Cli, Command, ServeOptions};
use crate::idempotency::InFlight;
use crate::process::{self, Cashier, ProcessContext};
use crate::router::router;
use crate::state::{AppState, ShopSettings};
use crate::{leader, relay, routes, rule_seven};

/// How long after the signal the process is gone, whatever is still under way. Requests have had eight seconds then.
const LAST_MOMENT: Duration = Duration::from_millis(9300);
/// How long the database may take to say where the log stands, before this instance gets no more traffic.
const DATABASE_PATIENCE: Duration = Duration::from_secs(3);

/// Does what the command line asks for.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Migrate(database) => {
            service::telemetry::init(&cli.log)?;
            let applied = event_store::migrate(database.url()?.expose()).await?;
            tracing::info!(applied, "the event database is migrated");
            Ok(())
        }
        Command::Log(command) => crate::sealing::run(command).await,
        Command::Payments(command) => crate::uncollected::run(command).await,
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
    let url = options.database.url()?;
    let url = url.expose();
    let pool = postgres::pool(url, &options.pool, "command-api")?;
    postgres::observe_pool(&pool, "events", shutdown.clone());
    let bulkheads = Bulkheads::new(url, &options.pool, &shutdown)?;
    // What a crash makes the process managers forget is planned, or done, once more: both are safe to repeat.
    let tasks = postgres::async_commit_pool(url, &options.pool, "command-api tasks")?;
    postgres::observe_pool(&tasks, "tasks", shutdown.clone());
    // Every setting is read before anything is waited for, so that a wrong one is told at once.
    let provider = Vipps::new(options.vipps.options()?).context("vipps")?;
    let settings = settings(&options)?;
    let policy = Arc::new(options.shop.capture_policy()?);
    let seal = options.seal.options()?;
    let bus = event_bus::connect_as(&options.bus.access()?, "command-api").await?;
    match shutdown
        .run_until_cancelled(await_schema(url, &bulkheads.health, &check))
        .await
    {
        Some(known) => known?,
        None => return Ok(()),
    }
    let (appender, writing) = Appender::start(url, AppenderOptions::default())?;
    let command_handler = command_handler(url, &pool, appender.clone(), options.snapshot_every)?;
    let command_handler = rule_seven::claiming(command_handler, &settings.holder_key);
    let beginning = rule_seven::begin(&command_handler, appender, &settings.holder_key);
    match shutdown.run_until_cancelled(beginning).await {
        Some(begun) => begun?,
        None => return Ok(()),
    }
    // Before anything says that this instance is ready.
    let listener = bind(options.listen).await?;

    let inbox = Inbox::new(bulkheads.inbox.clone());
    let context = ProcessContext {
        cashier: Cashier {
            command_handler: command_handler.clone().without_empty_outcomes(),
            provider: Arc::new(provider),
            policy,
        },
        tasks: Tasks::new(tasks, process::PROCESS),
        reconcile_after: TimeDelta::seconds(options.shop.reconcile_after_s.into()),
        planned: Arc::new(Notify::new()),
        planner_problem: Arc::new(relay::Problem::new(None)),
    };
    let background = TaskTracker::new();
    background.spawn(watch_database(bulkheads.health.clone(), check, shutdown.clone()));
    spawn_workers(&background, &context, &inbox, check_process, &shutdown);
    let bus = relay::Bus {
        connection: bus,
        stream: options.bus.declared()?,
        problem: relay::Problem::new(None),
    };
    background.spawn(bus.observe(check_nats, shutdown.clone()));
    background.spawn(lead(
        event_store::listen(url, shutdown.clone())?,
        bulkheads,
        context.clone(),
        bus,
        seal,
        shutdown.clone(),
    ));
    background.close();

    let state = AppState {
        authenticator,
        shop: Arc::new(settings),
        command_handler,
        cashier: context.cashier,
        inbox,
        in_flight: InFlight::default(),
    };
    let served = http::serve(listener, router(state), options.http, shutdown.clone());
    let told = async {
        shutdown.cancelled().await;
        Ok(Instant::now())
    };
    let ((), told_at) = tokio::try_join!(served, told)?;
    drop((context.tasks, context.planned));
    end(&background, writing, told_at + LAST_MOMENT).await
}

/// Requests are answered; what workers have under way ends with the last of them, and then the last batch.
async fn end(background: &TaskTracker, writing: JoinHandle<()>, at: Instant) -> anyhow::Result<()> {
    let ended = async {
        background.wait().await;
        writing.await
    };
    if let Ok(written) = tokio::time::timeout_at(at, ended).await {
        written.context("the writing task")?;
        tracing::info!("stopped");
    } else {
        // Nothing is lost: a task that was begun is done again, by whoever claims it next.
        tracing::warn!("stopped before everything under way was finished");
    }
    Ok(())
}

/// What is done without a request, by every instance.
fn spawn_workers(
    background: &TaskTracker,
    shop: &ProcessContext,
    inbox: &Inbox,
    check: Check,
    shutdown: &CancellationToken,
) {
    for lane in process::LANES {
        background.spawn(process::work(shop.clone(), lane, shutdown.clone()));
    }
    background.spawn(process::observe(shop.clone(), check, shutdown.clone()));
    background.spawn(routes::vipps_webhook::forget_old(inbox.clone(), shutdown.clone()));
}

fn settings(options: &ServeOptions) -> anyhow::Result<ShopSettings> {
    let public_url = &options.shop.public_url;
    Ok(ShopSettings {
        webhook_host: webhook::host_of(public_url).with_context(|| format!("--public-url {public_url:?}"))?,
        webhook_secret: options.vipps.webhook_secret()?,
        return_url: options.shop.return_url.clone(),
        time_to_pay: TimeDelta::seconds(i64::from(options.shop.order_ttl_s)),
        holder_key: Arc::new(options.shop.holder_key()?),
    })
}

fn checks(booted: &Booted) -> [Check; 3] {
    ["postgres", "nats", "process"].map(|name| booted.health.check(name))
}

fn command_handler(
    url: &str,
    pool: &Pool,
    appender: Appender,
    snapshot_every: u64,
) -> anyhow::Result<CommandHandler> {
    let loader = Loader::start(url, LoaderOptions::default())?;
    let snapshots = SnapshotOptions {
        every: snapshot_every,
        schema_fingerprint: domain::SCHEMA_FINGERPRINT.into(),
    };
    Ok(CommandHandler::new(Log::new(pool.clone()), loader, appender).with_snapshots(snapshots))
}

/// Relay, planner and sealer, whenever this instance leads.
fn lead(
    head_watch: watch::Receiver<Position>,
    bulkheads: Bulkheads,
    shop: ProcessContext,
    bus: relay::Bus,
    seal: Option<SealerOptions>,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let Bulkheads { lease, leading, .. } = bulkheads;
    let log = Log::new(leading.clone());
    let lease = Lease::new(lease, leader::NAME, leader::LASTS);
    async move {
        Box::pin(leader::lead_whenever_possible(lease, shutdown, |term| {
            let (connection, stream) = (&bus.connection, &bus.stream);
            let publisher = Publisher::new(connection.clone(), stream.clone(), PublisherOptions::default());
            let relay = relay::run(
                publisher,
                log.clone(),
                head_watch.clone(),
                &bus.problem,
                term.clone(),
            );
            let plan = process::plan(
                shop.clone(),
                log.clone(),
                connection.clone(),
                stream.clone(),
                head_watch.clone(),
                term.clone(),
            );
            let seal = seal
                .clone()
                .map(|options| Sealer::new(leading.clone(), options).run(term.clone()));
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
async fn await_schema(url: &str, pool: &Pool, check: &Check) -> anyhow::Result<()> {
    loop {
        let known = event_store::check_schema(pool).await;
        postgres::refuse_pooler(url).await?;
        match known {
            Ok(()) => return Ok(()),
            Err(error @ Error::NotMigrated(_)) => bail!("{error}: run `command-api migrate`"),
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
