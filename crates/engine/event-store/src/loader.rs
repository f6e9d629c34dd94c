//! The loading tasks: send all waiting loads as one statement.
//!
//! As in the writing task there is no timer: while one batch is answered the next one gathers, and a load that comes
//! alone is sent at once. Each load is answered when its row arrives; the caller decodes the row. A load changes
//! nothing, so after a lost connection the batch is sent again. A batch that the database refuses is sent load by load,
//! so that the other loads succeed.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect::Database;
use envelope::Position;
use futures_util::TryStreamExt as _;
use metrics::{counter, gauge, histogram};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::error::{Error, Failure, describe};
use crate::frame::{self, Pauses, Prepare, Session, silence_after};
use crate::metrics::{LOAD_BATCH_SIZE, LOAD_QUEUE, LOAD_RETRIES_TOTAL, LOAD_SECONDS, LOAD_TOTAL};
use crate::page::{Ask, Page};

/// Bounds of the loading tasks.
#[derive(Clone, Copy, Debug)]
pub struct LoaderOptions {
    /// Loading tasks, each with a connection of its own.
    pub connections: usize,
    /// Most loads in one batch.
    pub max_batch: usize,
    /// Most events that one load gets at a time; a longer aggregate is loaded in several.
    pub max_events: u32,
    /// Most loads waiting for a batch. One more waits up to a second, and then gets [`Error::Unavailable`].
    pub queue: usize,
    /// How long a load is tried while the database can't be reached.
    pub give_up_after: Duration,
    /// How long the database may work on one batch.
    pub statement_timeout: Duration,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self {
            connections: 2,
            max_batch: 256,
            max_events: 500,
            queue: 4096,
            give_up_after: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
        }
    }
}

/// Hands loads to the loading tasks. Clone it freely; the tasks end when all are dropped.
#[derive(Clone)]
pub struct Loader {
    queue: mpsc::Sender<Pending>,
}

type Reply = Result<Page, Error>;

struct Pending {
    ask: Ask,
    since: Instant,
    /// Gone once it was used.
    reply: Option<oneshot::Sender<Reply>>,
}

impl Loader {
    /// Starts the loading tasks on connections of their own to the log at `url`. They connect when the first load
    /// comes, and again whenever the connection is lost.
    pub fn start(url: &str, options: LoaderOptions) -> Result<Self, Error> {
        let database = Database::parse(url)?
            .named("event-store load")
            .within(
                options.give_up_after.min(Duration::from_secs(3)),
                options.give_up_after,
            )
            .set(&[
                (
                    "statement_timeout",
                    &options.statement_timeout.as_millis().to_string(),
                ),
                // One plan for every batch, and always by the indexes: a plan made while the log was small would stay. What
                // that forbids looks endlessly expensive where there is no other way (the one row of the head), so that
                // each load would be compiled first.
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_seqscan", "off"),
                ("jit", "off"),
            ]);
        let (queue, waiting) = mpsc::channel(options.queue);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..options.connections.max(1) {
            let task = LoadingTask {
                session: Session::new(database.clone()),
                options,
            };
            tokio::spawn(task.run(Arc::clone(&waiting)));
        }
        Ok(Self { queue })
    }

    /// The next events of one aggregate.
    pub(crate) async fn page(&self, ask: Ask) -> Reply {
        let since = Instant::now();
        frame::ask(&self.queue, "loads", |reply| Pending {
            ask,
            since,
            reply: Some(reply),
        })
        .await
        .unwrap_or_else(|why| Err(Error::Unavailable(why)))
    }
}

struct LoadingTask {
    session: Session<LoadBatch>,
    options: LoaderOptions,
}

/// The statement, prepared.
struct LoadBatch(Statement);

impl Prepare for LoadBatch {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self(client.prepare(include_str!("sql/load_batch.sql")).await?))
    }
}

/// Why a batch was not answered to its end.
enum Failed {
    /// The database can't be reached, or the connection was lost. Send the batch again.
    Unreachable(String),
    /// The database refused the batch.
    Refused(Error),
}

impl LoadingTask {
    async fn run(self, waiting: Arc<Mutex<mpsc::Receiver<Pending>>>) {
        loop {
            let mut batch = Vec::new();
            {
                let mut waiting = waiting.lock().await;
                let Some(first) = waiting.recv().await else { return };
                batch.push(first);
                while batch.len() < self.options.max_batch {
                    let Ok(next) = waiting.try_recv() else { break };
                    batch.push(next);
                }
                gauge!(LOAD_QUEUE).set(f64::from(u32::try_from(waiting.len()).unwrap_or(u32::MAX)));
            }
            // Loads whose caller is gone need no answer.
            batch.retain(|pending: &Pending| pending.reply.as_ref().is_some_and(|reply| !reply.is_closed()));
            self.answer_all(batch).await;
        }
    }

    /// Sends the batch until every load in it has its answer.
    async fn answer_all(&self, mut batch: Vec<Pending>) {
        let mut pauses = Pauses::default();
        while let Some(oldest) = batch.first() {
            let deadline = oldest.since + self.options.give_up_after;
            match self.attempt(&mut batch).await {
                Ok(()) => {}
                Err(Failed::Refused(error)) if batch.len() == 1 => refuse(batch.drain(..), &error),
                Err(Failed::Refused(_)) => {
                    counter!(LOAD_RETRIES_TOTAL, "reason" => "single").increment(1);
                    for pending in batch.drain(..) {
                        self.answer_one(pending).await;
                    }
                }
                Err(Failed::Unreachable(why)) => {
                    counter!(LOAD_RETRIES_TOTAL, "reason" => "unreachable").increment(1);
                    let loads = batch.len();
                    if let Some(pause) = pauses.before(deadline) {
                        tracing::warn!(loads, error = why, "a batch of loads failed and is sent again");
                        tokio::time::sleep(pause).await;
                    } else {
                        tracing::error!(loads, error = why, "gave up on a batch of loads");
                        refuse(batch.drain(..), &Error::Unavailable(why));
                    }
                }
            }
        }
    }

    /// Sends one load of a refused batch, once.
    async fn answer_one(&self, pending: Pending) {
        let mut single = vec![pending];
        match self.attempt(&mut single).await {
            Ok(()) => {}
            Err(Failed::Refused(error)) => refuse(single.drain(..), &error),
            Err(Failed::Unreachable(why)) => refuse(single.drain(..), &Error::Unavailable(why)),
        }
    }

    /// Sends the batch once. Answered loads leave it.
    async fn attempt(&self, batch: &mut Vec<Pending>) -> Result<(), Failed> {
        let sent = self.send(batch).await;
        batch.retain(|pending| pending.reply.is_some());
        sent
    }

    async fn send(&self, batch: &mut [Pending]) -> Result<(), Failed> {
        let limit = silence_after(self.options.statement_timeout);
        let (started, loads, mut used) = (Instant::now(), batch.len(), None);
        let max_events = self.options.max_events;
        let sent = tokio::time::timeout(limit, async {
            let open = self
                .session
                .get(|| ())
                .await
                .map_err(|error| Failed::Unreachable(describe(&error)))?;
            let (client, LoadBatch(statement)) = &**used.insert(open);
            query(client, statement, batch, max_events)
                .await
                .map_err(|error| match Failure::of(&error) {
                    Failure::Unknown => Failed::Unreachable(describe(&error)),
                    Failure::Passing | Failure::Unstorable => Failed::Refused(error.into()),
                })
        })
        .await
        .unwrap_or_else(|_| Err(Failed::Unreachable("the database did not answer in time".into())));
        if let (Err(Failed::Unreachable(_)), Some(used)) = (&sent, used) {
            self.session.close(&used).await;
        }
        sent?;
        if batch.iter().any(|pending| pending.reply.is_some()) {
            let why = "the database answered for fewer loads than it got";
            return Err(Failed::Refused(Error::Unreadable(why.into())));
        }
        histogram!(LOAD_BATCH_SIZE).record(f64::from(u32::try_from(loads).unwrap_or(u32::MAX)));
        histogram!(LOAD_SECONDS).record(started.elapsed());
        Ok(())
    }
}

/// Runs the statement for the whole batch and answers each load when its row arrives.
async fn query(
    client: &Client,
    statement: &Statement,
    batch: &mut [Pending],
    max_events: u32,
) -> Result<(), tokio_postgres::Error> {
    let asks = || batch.iter().map(|pending| &pending.ask);
    let aggregate_types: Vec<&str> = asks().map(|ask| ask.aggregate_type).collect();
    let aggregate_ids: Vec<Uuid> = asks().map(|ask| ask.aggregate_id).collect();
    let after: Vec<i64> = asks().map(|ask| Position::new(ask.after).to_sql()).collect();
    let shapes: Vec<Option<&str>> = asks().map(|ask| ask.shape.as_deref()).collect();
    let limit = i64::from(max_events);
    let binds: [&(dyn ToSql + Sync); 5] = [&aggregate_types, &aggregate_ids, &after, &shapes, &limit];
    let rows = client.query_raw(statement, binds).await?;
    drop((aggregate_types, shapes));
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await? {
        let number: i64 = row.try_get(0)?;
        let asked = usize::try_from(number - 1)
            .ok()
            .and_then(|index| batch.get_mut(index));
        let Some((reply, ask)) = asked.and_then(|asked| Some((asked.reply.take()?, asked.ask.clone())))
        else {
            continue;
        };
        counter!(LOAD_TOTAL, "outcome" => "loaded").increment(1);
        // A caller that is gone needs no answer.
        let _ = reply.send(Ok(Page::new(ask, row, max_events)));
    }
    Ok(())
}

fn refuse(batch: impl Iterator<Item = Pending>, error: &Error) {
    for pending in batch {
        counter!(LOAD_TOTAL, "outcome" => "unavailable").increment(1);
        if let Some(reply) = pending.reply {
            let _ = reply.send(Err(error.clone()));
        }
    }
}
