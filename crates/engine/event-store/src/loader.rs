//! The loading tasks: take whatever loads are waiting and send them as one statement.
//!
//! As in the writing task there is no timer: while one batch is answered the next one gathers, and a load that comes
//! alone waits for nobody. Answers go out load by load as their rows arrive, and are decoded by whoever asked. A load
//! changes nothing, so a lost connection means asking again; a batch that the database refuses is asked load by load,
//! so that one bad load can't fail its neighbors.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use connect::Database;
use envelope::Position;
use futures_util::TryStreamExt as _;
use metrics::{counter, gauge, histogram};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::error::{Error, Failure, describe};
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
    /// Most loads waiting for a batch; one more waits up to a second and is then told that the log is unavailable.
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
                database: database.clone(),
                options,
                connected: None,
            };
            tokio::spawn(task.run(Arc::clone(&waiting)));
        }
        Ok(Self { queue })
    }

    /// The next events of one aggregate.
    pub(crate) async fn page(&self, ask: Ask) -> Reply {
        let unavailable = |why: &str| Error::Unavailable(why.to_owned());
        let (reply, answer) = oneshot::channel();
        let since = Instant::now();
        self.queue
            .send_timeout(
                Pending {
                    ask,
                    since,
                    reply: Some(reply),
                },
                Duration::from_secs(1),
            )
            .await
            .map_err(|error| {
                unavailable(match error {
                    mpsc::error::SendTimeoutError::Timeout(_) => "too many loads are waiting",
                    mpsc::error::SendTimeoutError::Closed(_) => "shutting down",
                })
            })?;
        let page = answer.await;
        page.unwrap_or_else(|_| Err(unavailable("the loading task ended")))
    }
}

struct LoadingTask {
    database: Database,
    options: LoaderOptions,
    connected: Option<(Client, Statement)>,
}

/// Why a batch was not answered to its end.
enum Failed {
    /// The database can't be reached, or was lost; ask again.
    Unreachable(String),
    /// It refused the batch.
    Refused(String),
}

impl LoadingTask {
    async fn run(mut self, waiting: Arc<Mutex<mpsc::Receiver<Pending>>>) {
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
            // Those whose caller went away need no answer.
            batch.retain(|pending: &Pending| pending.reply.as_ref().is_some_and(|reply| !reply.is_closed()));
            self.settle(batch).await;
        }
    }

    /// Asks until every load in the batch has its answer.
    async fn settle(&mut self, mut batch: Vec<Pending>) {
        let mut backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(20))
            .with_max_delay(Duration::from_millis(500))
            .with_jitter()
            .without_max_times()
            .build();
        while let Some(oldest) = batch.first() {
            let give_up_at = oldest.since + self.options.give_up_after;
            match self.attempt(&mut batch).await {
                Ok(()) => {}
                Err(Failed::Refused(why)) if batch.len() == 1 => refuse(batch.drain(..), &why),
                Err(Failed::Refused(_)) => {
                    counter!(LOAD_RETRIES_TOTAL, "reason" => "single").increment(1);
                    for pending in batch.drain(..) {
                        let mut single = vec![pending];
                        if let Err(Failed::Refused(why) | Failed::Unreachable(why)) =
                            self.attempt(&mut single).await
                        {
                            refuse(single.drain(..), &why);
                        }
                    }
                }
                Err(Failed::Unreachable(why)) => {
                    counter!(LOAD_RETRIES_TOTAL, "reason" => "unreachable").increment(1);
                    self.connected = None;
                    let pause = backoff.next().unwrap_or(Duration::from_millis(500));
                    if Instant::now() + pause >= give_up_at {
                        tracing::error!(loads = batch.len(), error = why, "gave up on a batch of loads");
                        refuse(batch.drain(..), &why);
                    } else {
                        tracing::warn!(
                            loads = batch.len(),
                            error = why,
                            "a batch of loads failed and goes again"
                        );
                        tokio::time::sleep(pause).await;
                    }
                }
            }
        }
    }

    /// Asks once. What was answered is no longer in the batch.
    async fn attempt(&mut self, batch: &mut Vec<Pending>) -> Result<(), Failed> {
        let asked = self.ask(batch).await;
        batch.retain(|pending| pending.reply.is_some());
        asked
    }

    async fn ask(&mut self, batch: &mut [Pending]) -> Result<(), Failed> {
        // A little longer than the database allows itself, for a database that does not answer at all.
        let limit = self.options.statement_timeout + Duration::from_secs(1);
        let (started, loads) = (Instant::now(), batch.len());
        let max_events = self.options.max_events;
        let asked = tokio::time::timeout(limit, async {
            let (client, statement) = self
                .connection()
                .await
                .map_err(|error| Failed::Unreachable(describe(&error)))?;
            ask(client, statement, batch, max_events)
                .await
                .map_err(|error| match Failure::of(&error) {
                    Failure::Unknown => Failed::Unreachable(describe(&error)),
                    Failure::Passing | Failure::Unstorable => Failed::Refused(describe(&error)),
                })
        })
        .await;
        asked.unwrap_or_else(|_| Err(Failed::Unreachable("the database did not answer in time".into())))?;
        if batch.iter().any(|pending| pending.reply.is_some()) {
            let why = "the database answered for fewer loads than it got";
            return Err(Failed::Refused(why.into()));
        }
        histogram!(LOAD_BATCH_SIZE).record(f64::from(u32::try_from(loads).unwrap_or(u32::MAX)));
        histogram!(LOAD_SECONDS).record(started.elapsed());
        Ok(())
    }

    async fn connection(&mut self) -> Result<&(Client, Statement), tokio_postgres::Error> {
        if let Some(usable) = self.connected.take().filter(|(client, _)| !client.is_closed()) {
            return Ok(self.connected.insert(usable));
        }
        let (client, connection) = self.database.connect().await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = describe(&error), "a loading connection ended");
            }
        });
        let statement = client.prepare(include_str!("sql/load_batch.sql")).await?;
        Ok(self.connected.insert((client, statement)))
    }
}

/// Asks for the whole batch and answers each load as its row arrives.
async fn ask(
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
        // A caller that went away needs no answer.
        let _ = reply.send(Ok(Page::new(ask, row, max_events)));
    }
    Ok(())
}

fn refuse(batch: impl Iterator<Item = Pending>, why: &str) {
    for pending in batch {
        counter!(LOAD_TOTAL, "outcome" => "unavailable").increment(1);
        if let Some(reply) = pending.reply {
            let _ = reply.send(Err(Error::Unavailable(why.to_owned())));
        }
    }
}
