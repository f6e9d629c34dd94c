//! The writing task: sends all waiting commands as one statement.
//!
//! There is no timer. While one batch commits, the next one gathers: batches grow with the load, and a command that
//! comes alone is sent at once. When many commands wait, a second batch is sent behind the first, so that the database
//! has work while the answers of the first go out and bring new commands. A batch that fails is sent again; its keys
//! make that safe. A batch with a command that can't be stored is sent command by command, so that the other commands
//! succeed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect::Database;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use metrics::{counter, gauge, histogram};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::Row;

use self::batch::{gather, how_many};
use self::pending::{Pending, Reply, refuse};
use self::recent::Recent;
use self::statement::{AppendBatch, answer};
use self::yielding::Yielding;
use crate::append::Append;
use crate::check::{check, check_sizes};
use crate::error::{AppendError, Error, Failure, describe};
use crate::frame::{Pauses, Session, ask, silence_after};
use crate::metrics::{APPEND_BATCH_SIZE, APPEND_QUEUE, APPEND_RETRIES_TOTAL, APPEND_SECONDS};
use crate::vault::Vault;

mod batch;
mod data_keys;
mod pending;
mod recent;
mod statement;
mod steps;
mod yielding;

/// Bounds of the writing task.
#[derive(Clone, Debug)]
pub struct AppenderOptions {
    /// Most commands in one batch.
    pub max_batch: usize,
    /// Most bytes in one batch, about; a larger single command goes alone.
    pub max_batch_bytes: usize,
    /// Most commands waiting for a batch. One more waits up to a second, and then gets [`AppendError::Unavailable`].
    pub queue: usize,
    /// Most bytes of one event's payload. Keep it below what a message on a bus may hold, so that every recorded event can
    /// be passed on.
    pub max_payload_bytes: usize,
    /// Most outcomes that are kept in memory, so that repeats of recent commands cost the database nothing; 0 for none.
    pub recent_outcomes: usize,
    /// How long a batch is tried before its commands get [`AppendError::Unavailable`].
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
            recent_outcomes: 10_000,
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
    vault: Option<Arc<Vault>>,
    yielding: Arc<Yielding>,
    yields: bool,
}

impl Appender {
    /// Starts the writing task on a connection of its own to the log at `url`. It connects when the first command
    /// comes, and again whenever the connection is lost.
    pub fn start(url: &str, options: AppenderOptions) -> Result<(Self, JoinHandle<()>), Error> {
        let database = Database::parse(url)?
            .named("event-store append")
            .within(
                options.give_up_after.min(Duration::from_secs(3)),
                options.give_up_after,
            )
            .set(&[
                ("lock_timeout", &options.lock_timeout.as_millis().to_string()),
                (
                    "statement_timeout",
                    &options.statement_timeout.as_millis().to_string(),
                ),
                ("idle_in_transaction_session_timeout", "5000"),
                // As for loads: always by the indexes, and nothing is compiled.
                ("enable_seqscan", "off"),
                ("jit", "off"),
            ]);
        let (queue, waiting) = mpsc::channel(options.queue);
        let appender = Self {
            queue,
            max_payload_bytes: options.max_payload_bytes,
            vault: None,
            yielding: Arc::new(Yielding::new(options.max_batch)),
            yields: false,
        };
        let writer = Writer {
            session: Session::new(database),
            recent: Recent::new(options.recent_outcomes),
            options,
        };
        Ok((appender, tokio::spawn(async move { writer.run(waiting).await })))
    }

    /// Seals personal data with this vault, and salts the hashes of requests.
    #[must_use]
    pub fn with_vault(mut self, vault: Arc<Vault>) -> Self {
        self.vault = Some(vault);
        self
    }

    /// Its commands yield to those of the other clones: few of them are under way while others come.
    #[must_use]
    pub fn yielding(mut self) -> Self {
        self.yields = true;
        self
    }

    /// Appends one command. On [`AppendError::Unavailable`] the same key may be sent again, and decides.
    pub async fn append(&self, mut append: Append) -> Reply {
        check(&append, self.max_payload_bytes).map_err(AppendError::Unstorable)?;
        let (mut keys, mut former) = (Vec::new(), None);
        if let Some(vault) = &self.vault {
            let sealed = vault.seal(&mut append.events);
            keys = sealed.map_err(|error| AppendError::Unstorable(error.to_string()))?;
            check_sizes(&append.events, self.max_payload_bytes).map_err(AppendError::Unstorable)?;
            let salted = vault.salted(&append.key.request_hash);
            former = Some(std::mem::replace(&mut append.key.request_hash, salted));
        }
        let _turn = self.yielding.enter(self.yields).await;
        let since = Instant::now();
        ask(&self.queue, "commands", |reply| Pending {
            append,
            keys,
            former,
            since,
            reply,
        })
        .await
        .unwrap_or_else(|why| Err(AppendError::Unavailable(why)))
    }
}

struct Writer {
    options: AppenderOptions,
    recent: Recent,
    session: Session<AppendBatch>,
}

impl Writer {
    async fn run(&self, mut waiting: mpsc::Receiver<Pending>) {
        let (mut gathered, mut open) = (VecDeque::new(), true);
        let (mut under_way, mut unanswered) = (FuturesUnordered::new(), 0);
        loop {
            let room = self.options.max_batch.saturating_sub(gathered.len());
            tokio::select! {
                biased;
                Some(answered) = under_way.next() => unanswered -= answered,
                more = gather(&mut waiting, &mut gathered, room), if open && room > 0 => open = more > 0,
                else => return,
            }
            while under_way.len() < 2
                && let Some(batch) = self.next_batch(&mut gathered, unanswered)
            {
                unanswered += batch.len();
                under_way.push(self.answer_all(batch));
                let left = gathered.len() + waiting.len();
                gauge!(APPEND_QUEUE).set(f64::from(u32::try_from(left).unwrap_or(u32::MAX)));
            }
        }
    }

    /// The batch to send now, behind a batch of `unanswered` commands.
    fn next_batch(&self, gathered: &mut VecDeque<Pending>, unanswered: usize) -> Option<Vec<Pending>> {
        let most = how_many(gathered.len(), unanswered).min(self.options.max_batch);
        let mut bytes = 0;
        let fitting = gathered
            .iter()
            .take(most)
            .take_while(|pending| {
                bytes += pending.append.weight();
                bytes <= self.options.max_batch_bytes
            })
            .count();
        // A larger one goes alone.
        (most > 0).then(|| gathered.drain(..fitting.max(1)).collect())
    }

    /// Sends the batch until every command in it has its answer. Commands that have waited too long behind failed batches
    /// are refused at once. Returns the number of commands in the batch.
    async fn answer_all(&self, mut batch: Vec<Pending>) -> usize {
        let commands = batch.len();
        loop {
            let (waiting, late) = batch
                .into_iter()
                .partition(|pending| pending.since.elapsed() < self.options.give_up_after);
            refuse(
                late,
                &AppendError::Unavailable("the log has not answered for too long".into()),
            );
            let (sent, repeats) = self.recent.part(waiting);
            if sent.is_empty() {
                return commands;
            }
            batch = if self.send(sent).await {
                self.recent.answer(repeats)
            } else {
                repeats
            };
        }
    }

    /// Sends the batch until every command in it has its answer. Returns whether the log gave one.
    async fn send(&self, batch: Vec<Pending>) -> bool {
        let batch = match self.commit(batch).await {
            Ok(answered) => return answered,
            Err(batch) => batch,
        };
        counter!(APPEND_RETRIES_TOTAL, "reason" => "single").increment(1);
        let mut answered = false;
        for pending in batch {
            // A batch of one always gets its answer.
            answered |= self.commit(vec![pending]).await.unwrap_or_default();
        }
        answered
    }

    /// Commits the batch as one, trying again for as long as it may. Returns whether the log answered. Gives the batch
    /// back when something in it can't be stored and there is more than one suspect.
    async fn commit(&self, batch: Vec<Pending>) -> Result<bool, Vec<Pending>> {
        let Some(oldest) = batch.iter().map(|pending| pending.since).min() else {
            return Ok(false);
        };
        let deadline = oldest + self.options.give_up_after;
        let (mut pauses, mut in_doubt) = (Pauses::default(), false);
        loop {
            let known = self.recent.head();
            let (failure, why) = match self.attempt(&batch).await {
                Ok(rows) => {
                    answer(batch, &rows, in_doubt, (&self.recent, known));
                    return Ok(true);
                }
                Err(failed) => failed,
            };
            match failure {
                Failure::Unstorable if batch.len() > 1 => return Err(batch),
                Failure::Unstorable => {
                    refuse(batch, &AppendError::Unstorable(why));
                    return Ok(false);
                }
                Failure::Passing => counter!(APPEND_RETRIES_TOTAL, "reason" => "passing").increment(1),
                Failure::Unknown => {
                    counter!(APPEND_RETRIES_TOTAL, "reason" => "unknown").increment(1);
                    in_doubt = true;
                }
            }
            let commands = batch.len();
            let Some(pause) = pauses.before(deadline) else {
                tracing::error!(commands, error = why, "gave up on a batch");
                refuse(batch, &AppendError::Unavailable(why));
                return Ok(false);
            };
            tracing::warn!(commands, error = why, "a batch failed and is sent again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, batch: &[Pending]) -> Result<Vec<Row>, (Failure, String)> {
        let limit = silence_after(self.options.statement_timeout);
        let (started, mut used) = (Instant::now(), None);
        let done = tokio::time::timeout(limit, async {
            // A new connection may lead to another server, whose log lost its end and has grown since.
            let open = self.session.get(|| self.recent.forget()).await?;
            let (client, statement) = &**used.insert(open);
            statement.run(client, batch).await
        })
        .await;
        let (failure, why) = match done {
            Ok(Ok(rows)) => {
                histogram!(APPEND_BATCH_SIZE)
                    .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
                histogram!(APPEND_SECONDS).record(started.elapsed());
                return Ok(rows);
            }
            Ok(Err(error)) => (Failure::of(&error), describe(&error)),
            Err(_) => (Failure::Unknown, "the database did not answer in time".into()),
        };
        if let (Failure::Unknown, Some(used)) = (failure, used) {
            self.session.close(&used).await;
        }
        Err((failure, why))
    }
}
