//! How far the rows have come, and whether they are of the log that there is now. A request waits here for the caller's
//! own write.
//!
//! A position that the log does not hold is worth no waiting. The projector notes about once a second how far the log is.
//! A note that was made after the request came, of a log that ends before the position asked for, proves that no command
//! was answered with that position before. Only durations are compared, never the clocks of two machines.
//!
//! The projector notifies when a batch commits; a poll several times a second makes up for a lost notification. Both run
//! on one connection of their own, so that waiting requests hold none, and one statement serves all. A standby can't
//! notify: it is polled, and more often while a request waits there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use connect::Database;
use futures_util::future::poll_fn;
use service::postgres;
use service::problem::Problem;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics;
use crate::page::Checkpoint;

/// How long a request waits for the rows it needs.
pub(crate) const WAIT: Duration = Duration::from_secs(2);
/// How often the checkpoint is read, notified or not.
const POLL: Duration = Duration::from_millis(250);
/// How often while a request waits at a database that does not notify.
const POLL_AWAITED: Duration = Duration::from_millis(20);
/// How long Postgres may take to connect or answer before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long until the next attempt after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// Notifications not yet looked at; more are dropped, since the poll comes anyway.
const BACKLOG: usize = 256;

const READ_PROGRESS: &str = include_str!("sql/read_progress.sql");

/// What to follow.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// The projection in `checkpoints` and `log_heads`.
    pub projection: &'static str,
    /// The schema of these tables.
    pub schema: &'static str,
    /// The channel on which the projector notifies with the new position.
    pub name: &'static str,
}

/// How far the rows have come in one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Projection {
    seen: watch::Receiver<Seen>,
    awaited: Arc<Awaited>,
}

/// What was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// The database answers.
    pub(crate) answers: bool,
    /// How far the rows are.
    pub(crate) position: u64,
    /// Of which epoch of the log; nil before the first event.
    pub(crate) epoch: Uuid,
    /// They are of another log, so their position says nothing about this one.
    pub(crate) stale: bool,
    /// How far the log was, at this moment or later.
    head: Option<(u64, Instant)>,
    /// The last moment that is known at which the rows held all of the log.
    whole_at: Option<Instant>,
}

/// How far the rows have come, as far as is known in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The place of the rows in the log.
    pub checkpoint: Checkpoint,
    /// Whether they are of another log than there is now.
    pub stale: bool,
    /// How long ago they held all of the log at last; nothing before that is known.
    pub lag: Option<Duration>,
}

impl Seen {
    /// Whether the rows hold everything up to a position.
    pub(crate) fn holds(&self, position: u64) -> bool {
        position == 0 || (!self.stale && self.position >= position)
    }

    /// What is known now, after what was known before.
    fn after(mut self, before: Self) -> Self {
        let whole = self
            .head
            .filter(|(head, _)| !self.stale && self.position >= *head);
        self.whole_at = whole.map(|(_, at)| at).or(before.whole_at);
        self
    }

    /// Whether the log, looked at later than `since`, ended before `position`.
    fn rules_out(&self, position: u64, since: Instant) -> bool {
        !self.holds(position) && self.head.is_some_and(|(head, at)| at > since && head < position)
    }
}

/// How many requests wait.
#[derive(Debug, Default)]
struct Awaited {
    requests: AtomicUsize,
    came: Notify,
}

/// One request that waits.
struct Waiting<'a>(&'a Awaited);

impl Awaited {
    fn wait(&self) -> Waiting<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.came.notify_one();
        Waiting(self)
    }

    fn pause(&self, notified: bool) -> Duration {
        if notified || self.requests.load(Ordering::Relaxed) == 0 {
            POLL
        } else {
            POLL_AWAITED
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Projection {
    /// Follows the checkpoint in the background, reconnecting for ever. `session` names the connection in Postgres.
    pub fn follow(
        url: &str,
        session: &str,
        channel: Channel,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let database = Database::parse(url)?
            .named(session)
            .set(&[("search_path", channel.schema)])
            .within(PATIENCE, PATIENCE);
        let (sender, seen) = watch::channel(Seen::default());
        let awaited = Arc::<Awaited>::default();
        let follower = Follower {
            address: database.address(),
            database,
            channel,
            sender,
            awaited: Arc::clone(&awaited),
        };
        tokio::spawn(shutdown.run_until_cancelled_owned(follower.follow()));
        Ok(Self { seen, awaited })
    }

    /// What was last seen.
    pub(crate) fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    /// Returns when the database answers.
    pub(crate) async fn found(&self) {
        // The follower ends with the process only.
        let _ = self.seen.clone().wait_for(|seen| seen.answers).await;
    }

    /// Returns when the database does not answer any more.
    pub(crate) async fn lost(&self) {
        // The follower ends with the process only.
        let _ = self.seen.clone().wait_for(|seen| !seen.answers).await;
    }

    /// Returns when the rows hold everything up to a position.
    pub(crate) async fn held(&self, position: u64) {
        let _waiting = self.awaited.wait();
        if self
            .seen
            .clone()
            .wait_for(|seen| seen.holds(position))
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the rows hold everything up to a position, or when it is known that the log, looked at later than
    /// `since`, does not hold it.
    pub(crate) async fn decided(&self, position: u64, since: Instant) {
        let _waiting = self.awaited.wait();
        let mut seen = self.seen.clone();
        let decided = seen.wait_for(|seen| seen.holds(position) || seen.rules_out(position, since));
        if decided.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// How far the rows have come. Answers from memory, also while Postgres is away.
    pub fn progress(&self) -> Progress {
        let seen = *self.seen.borrow();
        Progress {
            checkpoint: Checkpoint {
                position: seen.position,
                epoch: seen.epoch,
            },
            stale: seen.stale,
            lag: seen.whole_at.map(|at| at.elapsed()),
        }
    }

    /// Returns when the rows or the log were seen to move since the last call.
    pub(crate) async fn moved(&mut self) {
        if self.seen.changed().await.is_err() {
            // The end of the process.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the rows hold everything up to a position, for two seconds at most, or until it is known that the log
    /// does not hold it. `name` is the parameter that asked.
    pub async fn reach(&self, position: u64, name: &'static str) -> Result<(), Problem> {
        self.reach_since(Instant::now(), position, name).await
    }

    /// As [`Self::reach`], for a request that has waited since `begun`.
    pub(crate) async fn reach_since(
        &self,
        begun: Instant,
        position: u64,
        name: &'static str,
    ) -> Result<(), Problem> {
        // Too late, or at the end of the process: as far as it came.
        let _ = timeout_at(begun + WAIT, self.decided(position, begun)).await;
        let seen = self.seen();
        let (outcome, answer) = if seen.holds(position) {
            ("reached", Ok(()))
        } else if let Some((head, _)) = seen.head.filter(|_| seen.rules_out(position, begun)) {
            ("unknown", Err(unknown(name, head, seen.position)))
        } else {
            ("lagging", Err(lagging(seen.position)))
        };
        ::metrics::histogram!(metrics::MIN_POSITION_SECONDS, "outcome" => outcome).record(begun.elapsed());
        answer
    }
}

/// 503: the rows are at `seen` and the caller needs later ones.
pub(crate) fn lagging(seen: u64) -> Problem {
    Problem::unavailable(
        "projection_lagging",
        "Den siste endringen vises ikke ennå. Prøv igjen om litt.",
        "The latest change does not show yet. Try again in a moment.",
    )
    .detail(format!("the data is at position {seen}"))
    .header("event-position", seen)
}

/// 400: no event has that position.
pub(crate) fn unknown(name: &str, head: u64, seen: u64) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "position_unknown",
        "Posisjonen finnes ikke.",
        "The position does not exist.",
    )
    .detail(format!("the last position is {head}"))
    .field(
        format!("/{name}"),
        "position_unknown",
        format!("Siste posisjon er {head}."),
        format!("The last position is {head}."),
    )
    .header("event-position", seen)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
/// Never: following ends with a failure only.
type Never = std::convert::Infallible;

/// Follows the checkpoint of one database.
struct Follower {
    database: Database,
    address: String,
    channel: Channel,
    sender: watch::Sender<Seen>,
    awaited: Arc<Awaited>,
}

impl Follower {
    async fn follow(self) {
        // One line per outage, not one per attempt.
        let mut outage_logged = false;
        loop {
            let Err(error) = self.follow_once(&mut outage_logged).await;
            self.sender
                .send_if_modified(|seen| std::mem::replace(&mut seen.answers, false));
            ::metrics::counter!(metrics::FOLLOW_FAILURES).increment(1);
            if !std::mem::replace(&mut outage_logged, true) {
                tracing::warn!(
                    database = self.address,
                    projection = self.channel.projection,
                    error = %postgres::describe(&*error),
                    "lost the projection, reconnecting"
                );
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn follow_once(&self, outage_logged: &mut bool) -> Result<Never, Failure> {
        let (client, connection) = timeout(PATIENCE, self.database.connect()).await??;
        let (notify, mut notified) = mpsc::channel(BACKLOG);
        // Ends when the client is dropped; closes the channel when the connection ends.
        tokio::spawn(drive(connection, notify));
        let listens = timeout(PATIENCE, listen(&client, self.channel.name)).await??;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                position = notified.recv() => {
                    let position = position.ok_or("the connection ended")?;
                    self.sender.send_if_modified(|seen| {
                        position > seen.position && {
                            *seen = Seen { position, ..*seen }.after(*seen);
                            true
                        }
                    });
                }
                () = self.awaited.came.notified(), if !listens => {
                    next = next.min(Instant::now() + POLL_AWAITED);
                }
                () = sleep_until(next) => {
                    let looked = look(&client, self.channel.projection).await?;
                    // Not the larger of the two: a restored log begins again further back.
                    self.sender.send_if_modified(|seen| {
                        let looked = looked.after(*seen);
                        std::mem::replace(seen, looked) != looked
                    });
                    *outage_logged = false;
                    next = Instant::now() + self.awaited.pause(listens);
                }
            }
        }
    }
}

async fn look(client: &Client, projection: &str) -> Result<Seen, Failure> {
    // Before the database is asked for the age: at this moment the head was at most that old.
    let asked = Instant::now();
    let row = timeout(PATIENCE, client.query_one(READ_PROGRESS, &[&projection])).await??;
    let (position, head): (Option<i64>, Option<i64>) = (row.try_get("position")?, row.try_get("head")?);
    let age_s: Option<f64> = row.try_get("head_age_s")?;
    // A clock that was set back gives no age, nor does a standby, whose clock is not that of the note.
    let age = age_s.and_then(|age_s| Duration::try_from_secs_f64(age_s).ok());
    let at = age.and_then(|age| asked.checked_sub(age));
    let epoch: Option<Uuid> = row.try_get("epoch")?;
    Ok(Seen {
        answers: true,
        epoch: epoch.unwrap_or_default(),
        position: position.map_or(Ok(0), u64::try_from)?,
        stale: row.try_get("stale")?,
        whole_at: None,
        head: head.map(u64::try_from).transpose()?.zip(at),
    })
}

/// Whether the database notifies. A standby can't; the poll is enough there.
async fn listen(client: &Client, channel: &'static str) -> Result<bool, tokio_postgres::Error> {
    match client.batch_execute(&format!("listen {channel}")).await {
        Err(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
            tracing::info!("the read database cannot notify, polling only");
            Ok(false)
        }
        outcome => outcome.map(|()| true),
    }
}

/// Moves the bytes of the connection and hands on the positions that it is notified of.
async fn drive(mut connection: Connection<Socket, impl TlsStream + Unpin>, notify: mpsc::Sender<u64>) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(notification) = message
            && let Ok(position) = notification.payload().parse()
        {
            // A full backlog is no loss: the poll reads the position itself.
            let _ = notify.try_send(position);
        }
    }
}
