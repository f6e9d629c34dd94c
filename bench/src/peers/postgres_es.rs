//! cqrs-es with its own store, postgres-es, on the same aggregate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use cqrs_es::CqrsFramework;
use cqrs_es::persist::PersistedEventStore;
use postgres_es::PostgresEventRepository;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use super::{TRIAL, best};
use crate::account::{Account, Command, payload};
use crate::contender::Contender;
use crate::measure::closed_loop;
use crate::server::{Bench, connect};

const NAME: &str = "cqrs-es + postgres-es";

type Store = PersistedEventStore<PostgresEventRepository, Account>;
type Framework = Arc<CqrsFramework<Account, Store>>;

/// Its tables in a database of their own; the URL.
pub(crate) async fn tables(bench: &Bench) -> anyhow::Result<String> {
    let url = bench.database("postgres_es").await?;
    connect(&url)
        .await?
        .batch_execute(include_str!("../sql/create_postgres_es.sql"))
        .await?;
    Ok(url)
}

/// The framework with as many connections as are fastest for `in_flight` creating commands.
pub(crate) async fn framework(url: &str, in_flight: usize) -> anyhow::Result<(Framework, u32)> {
    let mut trials = Vec::new();
    for connections in [4, 8, 16, 32, 64] {
        let framework = connected(url, connections).await?;
        let run = closed_loop(in_flight, TRIAL / 4, TRIAL, move |_| {
            create(Arc::clone(&framework))
        })
        .await?;
        trials.push((connections, run));
    }
    let connections = best(&trials).context("no trial")?;
    Ok((connected(url, connections).await?, connections))
}

async fn connected(url: &str, connections: u32) -> anyhow::Result<Framework> {
    let pool = PgPoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .connect(url)
        .await?;
    let store = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool));
    Ok(Arc::new(CqrsFramework::new(store, Vec::new(), ())))
}

/// A command that creates its aggregate.
pub(crate) fn creating(
    framework: &Framework,
    connections: u32,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> Contender {
    let framework = Arc::clone(framework);
    let name = format!("{NAME} ({connections})");
    Contender::new(
        name,
        format!("creating command, {in_flight} in flight"),
        move || {
            let framework = Arc::clone(&framework);
            closed_loop(in_flight, warm_up, length, move |_| {
                create(Arc::clone(&framework))
            })
        },
    )
}

/// A command on an aggregate of ten events.
pub(crate) fn on_ten(
    framework: &Framework,
    connections: u32,
    accounts: &Arc<Vec<Uuid>>,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> Contender {
    let (framework, accounts) = (Arc::clone(framework), Arc::clone(accounts));
    let next = Arc::new(AtomicUsize::new(0));
    let name = format!("{NAME} ({connections})");
    Contender::new(
        name,
        format!("command on 10 events, {in_flight} in flight"),
        move || {
            let (framework, accounts, next) =
                (Arc::clone(&framework), Arc::clone(&accounts), Arc::clone(&next));
            closed_loop(in_flight, warm_up, length, move |_| {
                let account = accounts[next.fetch_add(1, Ordering::Relaxed) % accounts.len()];
                let framework = Arc::clone(&framework);
                async move { execute(&framework, account, Command::Book(1)).await }
            })
        },
    )
}

async fn create(framework: Framework) -> anyhow::Result<()> {
    execute(&framework, Uuid::now_v7(), Command::Open).await
}

async fn execute(framework: &Framework, account: Uuid, command: Command) -> anyhow::Result<()> {
    framework
        .execute(&account.to_string(), command)
        .await
        .map_err(|error| anyhow!("postgres-es: {error}"))
}

/// Adds `count` accounts of ten events, as its commands would have.
pub(crate) async fn fill(url: &str, count: usize) -> anyhow::Result<Arc<Vec<Uuid>>> {
    let accounts: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
    let client = connect(url).await?;
    client
        .execute(
            include_str!("../sql/fill_postgres_es.sql"),
            &[&accounts, &payload(1)?],
        )
        .await?;
    client.batch_execute("vacuum analyze events").await?;
    Ok(Arc::new(accounts))
}
