//! Our own log, through the command handler as command-api uses it: keys, outcomes, the head, everything.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use envelope::Metadata;
use event_store::{
    Appender, AppenderOptions, CommandHandler, CommandRequest, IdempotencyKey, Loader, LoaderOptions, Log,
};
use uuid::Uuid;

use crate::account::{Account, Command, payload};
use crate::contender::Contender;
use crate::measure::{Run, closed_loop};
use crate::server::{Bench, connect, pool};

/// Our name in the reports.
pub(crate) const US: &str = "bilsportlisens";

/// A log with nothing in it.
pub(crate) async fn command_handler(bench: &Bench) -> anyhow::Result<(CommandHandler, String)> {
    let url = bench.database("ours").await?;
    event_store::migrate(&url).await?;
    Ok((command_handler_on(&url, AppenderOptions::default())?, url))
}

/// Another command handler on a log, with a writing task of its own.
pub(crate) fn command_handler_on(url: &str, options: AppenderOptions) -> anyhow::Result<CommandHandler> {
    let (appender, _) = Appender::start(url, options)?;
    let loader = Loader::start(url, LoaderOptions::default())?;
    Ok(CommandHandler::new(Log::new(pool(url, 8)?), loader, appender))
}

/// A command that creates its aggregate.
pub(crate) fn creating(
    command_handler: &CommandHandler,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> Contender {
    let command_handler = command_handler.clone();
    Contender::new(
        US,
        format!("creating command, {in_flight} in flight"),
        move || create(&command_handler, in_flight, warm_up, length),
    )
}

/// A command that creates its aggregate and takes three claims that are free. `claiming`: a command handler that knows of them.
pub(crate) fn claiming(
    claiming: &CommandHandler,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> Contender {
    let command_handler = claiming.clone();
    Contender::new(
        US,
        format!("creating command with 3 claims, {in_flight} in flight"),
        move || create(&command_handler, in_flight, warm_up, length),
    )
}

/// Commands that create their aggregates; one in ten is sent with the key of one that was answered before.
pub(crate) fn repeating(
    command_handler: &CommandHandler,
    memory: &str,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> Contender {
    let command_handler = command_handler.clone();
    Contender::new(
        US,
        format!("creating command, every 10th a repeat {memory}, {in_flight} in flight"),
        move || {
            let (command_handler, answered) = (command_handler.clone(), Answered::default());
            let next = Arc::new(AtomicUsize::new(0));
            closed_loop(in_flight, warm_up, length, move |_| {
                let (command_handler, answered, next) =
                    (command_handler.clone(), answered.clone(), Arc::clone(&next));
                async move {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let repeated = answered.earlier(turn).filter(|_| turn % 10 == 9);
                    let key = repeated.unwrap_or_else(fresh_key);
                    command_with(&command_handler, Uuid::now_v7(), Command::Open, key.clone()).await?;
                    answered.keep(turn, key);
                    Ok(())
                }
            })
        },
    )
}

/// Keys of some of the last thousand commands that were answered.
#[derive(Clone, Default)]
struct Answered(Arc<Mutex<VecDeque<IdempotencyKey>>>);

impl Answered {
    fn earlier(&self, turn: usize) -> Option<IdempotencyKey> {
        let keys = self.keys();
        keys.get(turn / 10 % keys.len().max(1)).cloned()
    }

    fn keep(&self, turn: usize, key: IdempotencyKey) {
        if turn.is_multiple_of(10) {
            let mut keys = self.keys();
            keys.push_back(key);
            if keys.len() > 100 {
                keys.pop_front();
            }
        }
    }

    fn keys(&self) -> MutexGuard<'_, VecDeque<IdempotencyKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One run of such commands.
pub(crate) fn create(
    command_handler: &CommandHandler,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> impl Future<Output = anyhow::Result<Run>> + Send + use<> {
    let command_handler = command_handler.clone();
    closed_loop(in_flight, warm_up, length, move |_| {
        let command_handler = command_handler.clone();
        async move { command(&command_handler, Uuid::now_v7(), Command::Open).await }
    })
}

/// A command on an aggregate of ten events.
pub(crate) fn on_ten(
    command_handler: &CommandHandler,
    accounts: &Arc<Vec<Uuid>>,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> Contender {
    let (command_handler, accounts) = (command_handler.clone(), Arc::clone(accounts));
    let next = Arc::new(AtomicUsize::new(0));
    Contender::new(
        US,
        format!("command on 10 events, {in_flight} in flight"),
        move || {
            let (command_handler, accounts, next) =
                (command_handler.clone(), Arc::clone(&accounts), Arc::clone(&next));
            closed_loop(in_flight, warm_up, length, move |_| {
                let (command_handler, accounts, next) =
                    (command_handler.clone(), Arc::clone(&accounts), Arc::clone(&next));
                async move {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    command(
                        &command_handler,
                        accounts[index % accounts.len()],
                        Command::Book(1),
                    )
                    .await
                }
            })
        },
    )
}

fn fresh_key() -> IdempotencyKey {
    IdempotencyKey {
        scope: "bench".into(),
        key: Uuid::now_v7().to_string(),
        request_hash: [7; 32],
    }
}

async fn command(
    command_handler: &CommandHandler,
    aggregate_id: Uuid,
    command: Command,
) -> anyhow::Result<()> {
    command_with(command_handler, aggregate_id, command, fresh_key()).await
}

async fn command_with(
    command_handler: &CommandHandler,
    aggregate_id: Uuid,
    command: Command,
    key: IdempotencyKey,
) -> anyhow::Result<()> {
    let request = CommandRequest {
        aggregate_id,
        command,
        key,
        metadata: Metadata {
            request_id: Some(aggregate_id.to_string()),
            ..Metadata::default()
        },
        expected_version: None,
        creates: matches!(command, Command::Open),
    };
    command_handler
        .execute::<Account>(request, |_, version| serde_json::json!({ "version": version }))
        .await?;
    Ok(())
}

/// Adds `events` events, as commands would have, a million at a time.
pub(crate) async fn grow(url: &str, events: u64) -> anyhow::Result<()> {
    const STEP: u64 = 1_000_000;
    let mut left = events;
    while left > 0 {
        let step = left.min(STEP);
        fill(url, usize::try_from(step.div_ceil(10))?).await?;
        left -= step;
    }
    Ok(())
}

/// Adds `count` accounts of ten events, as commands would have.
pub(crate) async fn fill(url: &str, count: usize) -> anyhow::Result<Arc<Vec<Uuid>>> {
    let accounts: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
    let client = connect(url).await?;
    client
        .execute(include_str!("sql/fill_ours.sql"), &[&accounts, &payload(1)?])
        .await?;
    client.batch_execute("vacuum analyze events").await?;
    Ok(Arc::new(accounts))
}
