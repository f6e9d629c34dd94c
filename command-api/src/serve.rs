//! Starts everything in one order and ends it in the reverse one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::TimeDelta;
use deadpool_postgres::Pool;
use event_store::{Error, Inbox, Staging, Tasks};
use payments::vipps::webhook;
use service::auth::Authenticator;
use service::health::Check;
use service::postgres::PoolOptions;
use service::{Booted, http, ops, postgres};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::AccountsInTheLog;
use crate::background::{end, lead, spawn_workers, watch_database};
use crate::batches::{UPLOADS, forget_abandoned};
use crate::bulkheads::Bulkheads;
use crate::config::{Cli, Command, ServeOptions};
use crate::idempotency::InFlight;
use crate::payment_settings::Payments;
use crate::process::context::{Cashier, Desk, ProcessContext, Reconciliation};
use crate::process::kinds::{PROCESS, RECONCILIATION};
use crate::process::lanes::{Planned, lanes};
use crate::router::{endpoints, router};
use crate::shop::ShopSettings;
use crate::state::AppState;
use crate::terms_in_use::TermsInUse;
use crate::writing::start_writing;
use crate::{metrics, relay};

/// How long after the signal the process ends, also with work under way. Requests have had eight seconds then.
const LAST_MOMENT: Duration = Duration::from_millis(9300);

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
        Command::Reconcile(options) => crate::reconciliation::run(*options).await,
        Command::Batch(command) => crate::batch_command::run(command).await,
        Command::Payments(command) => crate::uncollected::run(command).await,
        Command::Keys(command) => crate::personal_data::keys(command).await,
        Command::Erasures(command) => crate::personal_data::erasures(command).await,
        Command::Serve(options) => {
            let booted = service::boot("command-api", &cli.log)?;
            event_store::metrics::describe();
            event_bus::metrics::describe();
            payments::metrics::describe();
            metrics::describe();
            service::metrics::begin_requests(&endpoints());
            Box::pin(serve(*options, booted)).await
        }
    }
}

#[expect(clippy::too_many_lines, reason = "the boot order, read from top to bottom")]
async fn serve(options: ServeOptions, booted: Booted) -> anyhow::Result<()> {
    let shutdown = booted.shutdown.clone();
    // Every check exists, and fails, before the first question about it is answered.
    let [check, check_nats, check_process] = checks(&booted);
    let authenticator = Authenticator::new(&options.auth)?.report_to(&booted.health);
    ops::serve(bind(options.ops.ops_listen).await?, &booted);
    let url = options.database.url()?;
    let pools = Pools::new(url.expose(), &options.pool, &shutdown)?;
    // Every setting is read before the first wait, so that a wrong one is reported at once.
    let payments = options.payments.payments()?;
    let providers = payments.providers.clone();
    let settings = settings(&options, payments)?;
    let redis = options.redis.connect(&booted.health, shutdown.clone())?;
    let limiter = options.limits.limiter("command-api", redis, &settings.return_key);
    let vault = options.personal_data.vault()?;
    let post = options.letters.post()?;
    let (policy, seal) = (Arc::new(options.shop.capture_policy()?), options.seal.options()?);
    let bus = event_bus::connect_as(&options.bus.access()?, "command-api").await?;
    let ready = async {
        await_schema(url.expose(), &pools.bulkheads.health, &check).await?;
        start_writing(
            url.expose(),
            &pools.requests,
            &vault,
            options.snapshot_every,
            &settings.holder_key,
            options.personal_data.ledger().as_ref(),
        )
        .await
    };
    let Some(started) = shutdown.run_until_cancelled(ready).await else {
        return Ok(());
    };
    let (command_handler, writing) = started?;
    // Before anything reports this instance as ready.
    let listener = bind(options.listen).await?;

    let settings = Arc::new(settings);
    let staging = Staging::new(pools.requests.clone(), vault);
    let inbox = Inbox::new(pools.bulkheads.inbox.clone());
    let lanes = lanes(providers.configured());
    let context = ProcessContext {
        cashier: Cashier {
            command_handler: command_handler.clone().without_empty_outcomes(),
            providers,
            policy,
        },
        reconciliation: Reconciliation {
            tasks: Tasks::new(pools.tasks.clone(), RECONCILIATION),
            every: TimeDelta::seconds(options.shop.reconcile_every_s.into()),
        },
        desk: Desk {
            command_handler: command_handler.clone(),
            shop: Arc::clone(&settings),
            staging: staging.clone(),
        },
        tasks: Tasks::new(pools.tasks, PROCESS),
        post,
        ledger: options.personal_data.ledger(),
        holder_key: Arc::clone(&settings.holder_key),
        recheck_after: TimeDelta::seconds(options.shop.reconcile_after_s.into()),
        planned: Arc::new(Planned::of(&lanes)),
        planner_problem: Arc::new(relay::Problem::new(None)),
    };
    let state = AppState {
        limiter,
        authenticator: authenticator.consulting(AccountsInTheLog(command_handler.clone())),
        shop: settings,
        command_handler,
        cashier: context.cashier.clone(),
        staging: staging.clone(),
        uploads: Arc::new(Semaphore::new(UPLOADS)),
        inbox: inbox.clone(),
        in_flight: InFlight::default(),
        terms: TermsInUse::default(),
    };
    let bus = relay::Bus {
        connection: bus,
        stream: options.bus.declared()?,
        problem: relay::Problem::new(None),
    };
    let background = TaskTracker::new();
    background.spawn(watch_database(
        pools.bulkheads.health.clone(),
        check,
        shutdown.clone(),
    ));
    background.spawn(forget_abandoned(
        staging,
        context.desk.command_handler.clone(),
        shutdown.clone(),
    ));
    spawn_workers(&background, &context, lanes, inbox, check_process, &shutdown);
    background.spawn(bus.observe(check_nats, shutdown.clone()));
    let head_watch = event_store::listen(url.expose(), shutdown.clone())?;
    background.spawn(lead(
        head_watch,
        pools.bulkheads,
        context,
        bus,
        seal,
        shutdown.clone(),
    ));
    background.close();

    let served = http::serve(listener, router(state), options.http, shutdown.clone());
    let signalled = async {
        shutdown.cancelled().await;
        Ok(Instant::now())
    };
    let ((), signalled_at) = tokio::try_join!(served, signalled)?;
    end(&background, writing, signalled_at + LAST_MOMENT).await
}

/// The connections of this process.
struct Pools {
    requests: Pool,
    /// A crash loses at most what was planned or done last: both are safe to repeat.
    tasks: Pool,
    bulkheads: Bulkheads,
}

impl Pools {
    fn new(url: &str, options: &PoolOptions, shutdown: &CancellationToken) -> anyhow::Result<Self> {
        let requests = postgres::pool(url, options, "command-api")?;
        postgres::observe_pool(&requests, "events", shutdown.clone());
        let tasks = postgres::async_commit_pool(url, options, "command-api tasks")?;
        postgres::observe_pool(&tasks, "tasks", shutdown.clone());
        Ok(Self {
            requests,
            tasks,
            bulkheads: Bulkheads::new(url, options, shutdown)?,
        })
    }
}

fn settings(options: &ServeOptions, payments: Payments) -> anyhow::Result<ShopSettings> {
    let public_url = &options.shop.public_url;
    Ok(ShopSettings {
        webhook_host: webhook::host_of(public_url).with_context(|| format!("--public-url {public_url:?}"))?,
        public_url: public_url.clone(),
        vipps_webhook_secret: payments.vipps_webhook_secret,
        nexi_webhook_authorization: payments.nexi_webhook_authorization,
        return_url: options.shop.return_url.clone(),
        return_key: options.return_key.key()?,
        time_to_pay: TimeDelta::seconds(i64::from(options.shop.order_ttl_s)),
        holder_key: Arc::new(options.shop.holder_key.key()?),
        refund_policy: Arc::new(options.shop.refund_policy()?),
    })
}

fn checks(booted: &Booted) -> [Check; 3] {
    ["postgres", "nats", "process"].map(|name| booted.health.check(name))
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
