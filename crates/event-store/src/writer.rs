//! The writing task: takes whatever commands are waiting and sends them as one statement.
//!
//! There is no timer. While one batch commits, the next one gathers: under load batches grow by themselves, and a
//! command that comes alone waits for nobody. A batch that fails goes again (its keys make that safe) or, when
//! something in it can't be stored, command by command, so that one bad command can't fail its neighbours.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use envelope::Position;
use metrics::{counter, gauge, histogram};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use crate::append::{Append, Appended};
use crate::error::{AppendError, Error, Failure, describe};
use crate::metrics::{
    APPEND_BATCH_SIZE, APPEND_CHECKED_TOTAL, APPEND_QUEUE, APPEND_RETRIES_TOTAL, APPEND_SECONDS, APPEND_TOTAL,
};

/// Bounds of the writing task.
#[derive(Clone, Debug)]
pub struct AppenderOptions {
    /// Most commands in one batch.
    pub max_batch: usize,
    /// Most bytes in one batch, about; a larger single command goes alone.
    pub max_batch_bytes: usize,
    /// Most commands waiting for a batch; one more waits up to a second and is then told that the log is unavailable.
    pub queue: usize,
    /// Most bytes of one event's payload. Below what a message on the bus may hold, so that nothing is recorded that
    /// can't be passed on.
    pub max_payload_bytes: usize,
    /// How long a batch is tried before its commands are told that the log is unavailable.
    pub give_up_after: Duration,
    /// How long the database may wait for the head's lock.
    pub lock_timeout: Duration,
    /// How long the database may work on one batch.
    pub statement_timeout: Duration,
}

impl Default for AppenderOptions {
    fn default() -> Self {
        Self {
            max_batch: 256,
            max_batch_bytes: 8 << 20,
            max_payload_bytes: 512 << 10,
            queue: 4096,
            give_up_after: Duration::from_secs(8),
            lock_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
        }
    }
}

/// Hands commands to the writing task. Clone it freely; the task ends, its last batch flushed, when all are dropped.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Pending>,
    max_payload_bytes: usize,
}

type Reply = Result<Appended, AppendError>;

struct Pending {
    append: Append,
    since: Instant,
    reply: oneshot::Sender<Reply>,
}

impl Appender {
    /// Starts the writing task on a connection of its own to the log at `url`. It connects when the first command
    /// comes, and again whenever the connection is lost.
    pub fn start(url: &str, options: AppenderOptions) -> Result<(Self, JoinHandle<()>), Error> {
        let mut config: Config = url
            .parse()
            .map_err(|error: tokio_postgres::Error| Error::from(error))?;
        config
            .application_name("event-store append")
            .connect_timeout(options.give_up_after.min(Duration::from_secs(3)))
            .keepalives_idle(Duration::from_secs(10))
            .tcp_user_timeout(options.give_up_after)
            .options(format!(
                "-c lock_timeout={} -c statement_timeout={} -c idle_in_transaction_session_timeout=5000",
                options.lock_timeout.as_millis(),
                options.statement_timeout.as_millis()
            ));
        let (queue, waiting) = mpsc::channel(options.queue);
        let appender = Self {
            queue,
            max_payload_bytes: options.max_payload_bytes,
        };
        let writer = Writer {
            config,
            options,
            connected: None,
        };
        Ok((appender, tokio::spawn(writer.run(waiting))))
    }

    /// Appends one command. On [`AppendError::Unavailable`] the same key may be sent again, and decides.
    pub async fn append(&self, append: Append) -> Reply {
        let largest = append.events.iter().map(|event| event.payload.get().len()).max();
        if largest.is_some_and(|bytes| bytes > self.max_payload_bytes) {
            let most = self.max_payload_bytes;
            return Err(AppendError::Unstorable(format!(
                "an event's payload is larger than {most} bytes"
            )));
        }
        let (reply, answer) = oneshot::channel();
        let unavailable = |why: &str| AppendError::Unavailable(why.to_owned());
        self.queue
            .send_timeout(
                Pending {
                    append,
                    since: Instant::now(),
                    reply,
                },
                Duration::from_secs(1),
            )
            .await
            .map_err(|error| {
                unavailable(match error {
                    mpsc::error::SendTimeoutError::Timeout(_) => "too many commands are waiting",
                    mpsc::error::SendTimeoutError::Closed(_) => "shutting down",
                })
            })?;
        answer
            .await
            .unwrap_or_else(|_| Err(unavailable("the writing task ended")))
    }
}

struct Writer {
    config: Config,
    options: AppenderOptions,
    connected: Option<(Client, Statement)>,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Pending>) {
        let mut held_over = None;
        loop {
            let Some(first) = (match held_over.take() {
                Some(pending) => Some(pending),
                None => waiting.recv().await,
            }) else {
                return;
            };
            let mut bytes = first.append.weight();
            let mut batch = vec![first];
            while batch.len() < self.options.max_batch {
                let Ok(next) = waiting.try_recv() else { break };
                bytes += next.append.weight();
                if bytes > self.options.max_batch_bytes {
                    held_over = Some(next);
                    break;
                }
                batch.push(next);
            }
            gauge!(APPEND_QUEUE).set(f64::from(u32::try_from(waiting.len()).unwrap_or(u32::MAX)));
            self.settle(batch).await;
        }
    }

    /// Sends the batch until every command in it has its answer. Those that have waited too long already, behind
    /// batches that failed, are told so at once.
    async fn settle(&mut self, batch: Vec<Pending>) {
        let (batch, late) = batch
            .into_iter()
            .partition(|pending| pending.since.elapsed() < self.options.give_up_after);
        refuse(
            late,
            &AppendError::Unavailable("the log has not answered for too long".into()),
        );
        if let Err(batch) = self.commit(batch).await {
            counter!(APPEND_RETRIES_TOTAL, "reason" => "single").increment(1);
            for pending in batch {
                // A batch of one is always settled.
                let _ = self.commit(vec![pending]).await;
            }
        }
    }

    /// Commits the batch as one, trying again for as long as it may. Gives the batch back when something in it can't
    /// be stored and there is more than one suspect.
    async fn commit(&mut self, batch: Vec<Pending>) -> Result<(), Vec<Pending>> {
        let Some(oldest) = batch.iter().map(|pending| pending.since).min() else {
            return Ok(());
        };
        let deadline = oldest + self.options.give_up_after;
        let mut backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(20))
            .with_max_delay(Duration::from_millis(500))
            .with_jitter()
            .without_max_times()
            .build();
        let mut in_doubt = false;
        loop {
            let (failure, why) = match self.attempt(&batch).await {
                Ok(rows) => {
                    answer(batch, &rows, in_doubt);
                    return Ok(());
                }
                Err(failed) => failed,
            };
            match failure {
                Failure::Unstorable if batch.len() > 1 => return Err(batch),
                Failure::Unstorable => {
                    refuse(batch, &AppendError::Unstorable(why));
                    return Ok(());
                }
                Failure::Passing => counter!(APPEND_RETRIES_TOTAL, "reason" => "passing").increment(1),
                Failure::Unknown => {
                    counter!(APPEND_RETRIES_TOTAL, "reason" => "unknown").increment(1);
                    self.connected = None;
                    in_doubt = true;
                }
            }
            let pause = backoff.next().unwrap_or(Duration::from_millis(500));
            if Instant::now() + pause >= deadline {
                tracing::error!(commands = batch.len(), error = why, "gave up on a batch");
                refuse(batch, &AppendError::Unavailable(why));
                return Ok(());
            }
            tracing::warn!(
                commands = batch.len(),
                error = why,
                "a batch failed and goes again"
            );
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&mut self, batch: &[Pending]) -> Result<Vec<Row>, (Failure, String)> {
        // A little longer than the database allows itself, for a database that does not answer at all.
        let limit = self.options.statement_timeout + Duration::from_secs(1);
        let started = Instant::now();
        let done = tokio::time::timeout(limit, async {
            let (client, statement) = self.connection().await?;
            append_batch(client, statement, batch).await
        })
        .await;
        match done {
            Ok(Ok(rows)) => {
                histogram!(APPEND_BATCH_SIZE)
                    .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
                histogram!(APPEND_SECONDS).record(started.elapsed());
                Ok(rows)
            }
            Ok(Err(error)) => Err((Failure::of(&error), describe(&error))),
            Err(_) => Err((Failure::Unknown, "the database did not answer in time".into())),
        }
    }

    async fn connection(&mut self) -> Result<&(Client, Statement), tokio_postgres::Error> {
        if let Some(usable) = self.connected.take().filter(|(client, _)| !client.is_closed()) {
            return Ok(self.connected.insert(usable));
        }
        let (client, connection) = self.config.connect(NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = describe(&error), "the writing connection ended");
            }
        });
        let statement = client.prepare(include_str!("sql/append_batch.sql")).await?;
        Ok(self.connected.insert((client, statement)))
    }
}

async fn append_batch(
    client: &Client,
    statement: &Statement,
    batch: &[Pending],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let commands = || batch.iter().map(|pending| &pending.append);
    let events = || commands().flat_map(|append| append.events.iter());
    let scopes: Vec<&str> = commands().map(|append| append.key.scope.as_str()).collect();
    let keys: Vec<&str> = commands().map(|append| append.key.key.as_str()).collect();
    let hashes: Vec<&[u8]> = commands()
        .map(|append| append.key.request_hash.as_slice())
        .collect();
    let responses: Vec<&str> = commands().map(|append| append.response.as_str()).collect();
    let counts: Vec<i32> = commands()
        .map(|append| i32::try_from(append.events.len()).unwrap_or(i32::MAX))
        .collect();
    let aggregate_types: Vec<&str> = events().map(|event| event.aggregate_type).collect();
    let aggregate_ids: Vec<uuid::Uuid> = events().map(|event| event.aggregate_id).collect();
    let sequences: Vec<i64> = events()
        .map(|event| Position::new(event.sequence).to_sql())
        .collect();
    let event_types: Vec<&str> = events().map(|event| event.event_type).collect();
    let event_versions: Vec<&str> = events().map(|event| event.event_version).collect();
    let payloads: Vec<&str> = events().map(|event| event.payload.get()).collect();
    let metadata: Vec<String> = commands()
        .flat_map(|append| {
            // Strings and numbers always serialize.
            let metadata = serde_json::to_string(&append.metadata).unwrap_or_else(|_| "{}".into());
            std::iter::repeat_n(metadata, append.events.len())
        })
        .collect();
    let binds: [&(dyn ToSql + Sync); 12] = [
        &scopes,
        &keys,
        &hashes,
        &responses,
        &counts,
        &aggregate_types,
        &aggregate_ids,
        &sequences,
        &event_types,
        &event_versions,
        &payloads,
        &metadata,
    ];
    client.query(statement, &binds).await
}

/// Answers every command of a committed batch. `in_doubt`: an earlier attempt may have committed already, so that a
/// used key is most likely our own and no replay.
fn answer(batch: Vec<Pending>, rows: &[Row], in_doubt: bool) {
    if let [row] = rows
        && row.get::<_, &str>(1) == "all"
    {
        let mut position = Position::from_sql(row.get(2));
        for Pending { append, reply, .. } in batch {
            position = Position::new(position.get() + append.events.len() as u64);
            respond(
                reply,
                Ok(Appended {
                    position,
                    response: append.response,
                    replayed: false,
                }),
            );
        }
        return;
    }
    counter!(APPEND_CHECKED_TOTAL).increment(1);
    let mut rows = rows.iter();
    for Pending { reply, .. } in batch {
        let outcome = rows.next().map_or_else(
            || {
                Err(AppendError::Unavailable(
                    "the database answered for fewer commands than it got".into(),
                ))
            },
            |row| outcome(row, in_doubt),
        );
        respond(reply, outcome);
    }
}

fn outcome(row: &Row, in_doubt: bool) -> Reply {
    match row.get(1) {
        "conflict" => Err(AppendError::Conflict),
        "reused" => Err(AppendError::KeyReused),
        outcome => Ok(Appended {
            position: Position::from_sql(row.get(2)),
            response: row.get(3),
            replayed: outcome == "duplicate" && !in_doubt,
        }),
    }
}

fn refuse(batch: Vec<Pending>, error: &AppendError) {
    for pending in batch {
        respond(pending.reply, Err(error.clone()));
    }
}

fn respond(reply: oneshot::Sender<Reply>, outcome: Reply) {
    let label = match &outcome {
        Ok(appended) if appended.replayed => "duplicate",
        Ok(_) => "appended",
        Err(AppendError::Conflict) => "conflict",
        Err(AppendError::KeyReused) => "reused",
        Err(AppendError::Unstorable(_)) => "unstorable",
        Err(AppendError::Unavailable(_)) => "unavailable",
    };
    counter!(APPEND_TOTAL, "outcome" => label).increment(1);
    // A caller that went away doesn't need its answer: its key has it.
    let _ = reply.send(outcome);
}
