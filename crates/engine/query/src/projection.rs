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
//!
//! A notification also names the new versions of collections whose rows changed, so the versions are known as soon as the
//! position is, in one step. They are unknown without this connection, at a standby, and after a notification that says
//! something else, until the next look.

use std::collections::BTreeMap;
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
use tokio_postgres::types::Json;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics;
use crate::page::Checkpoint;
use crate::version::{DatabaseClock, Version};

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
/// How old the last look may be for the versions to count as known: of a connection that says nothing, more is not known.
const KNOWN_FOR: Duration = Duration::from_secs(1);

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
    name: &'static str,
    state: watch::Receiver<State>,
    awaited: Arc<Awaited>,
}

/// Which rows there are, as far as is known.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// How far the rows are.
    pub(crate) position: u64,
    /// Epoch of the log.
    epoch: Uuid,
    tables: Tables,
    /// The time in the database.
    pub(crate) clock: DatabaseClock,
}

impl Known {
    /// The version of a collection.
    pub(crate) fn version(&self, collection: &str) -> Version {
        Version {
            epoch: self.epoch,
            tables: self.tables.id,
            rows: self.tables.versions.get(collection).copied(),
        }
    }
}

/// The tables, and the versions of the collections in them.
#[derive(Clone, Debug, PartialEq)]
struct Tables {
    id: Uuid,
    versions: Arc<BTreeMap<String, Uuid>>,
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

/// What is known of the rows.
#[derive(Clone, Debug, Default)]
struct State {
    seen: Seen,
    /// None while they are not known.
    tables: Option<Tables>,
    /// The last look.
    looked: Option<DatabaseClock>,
}

impl State {
    /// Takes in a notification. True if it does not follow from what is known, so that another look is needed now.
    fn note(&mut self, note: Note) -> bool {
        match note.position {
            Some(position) if position > self.seen.position => {
                self.seen = Seen {
                    position,
                    ..self.seen
                }
                .after(self.seen);
                if let Some(tables) = &mut self.tables
                    && !note.changed.is_empty()
                {
                    Arc::make_mut(&mut tables.versions).extend(note.changed);
                }
                false
            }
            // Older than the last look.
            Some(_) if note.changed.is_empty() => false,
            _ => {
                self.tables = None;
                true
            }
        }
    }

    /// Takes in a look. True if something else is known now. Not the larger of the two positions: a restored log begins
    /// again further back.
    fn look(&mut self, looked: Self) -> bool {
        let seen = looked.seen.after(self.seen);
        let changed = seen != self.seen || looked.tables != self.tables;
        *self = Self { seen, ..looked };
        changed
    }
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
        let (sender, state) = watch::channel(State::default());
        let awaited = Arc::<Awaited>::default();
        let follower = Follower {
            address: database.address(),
            database,
            channel,
            sender,
            awaited: Arc::clone(&awaited),
        };
        tokio::spawn(shutdown.run_until_cancelled_owned(follower.follow()));
        Ok(Self {
            name: channel.projection,
            state,
            awaited,
        })
    }

    /// What was last seen.
    pub(crate) fn seen(&self) -> Seen {
        self.state.borrow().seen
    }

    /// Returns when the database answers.
    pub(crate) async fn found(&self) {
        // The follower ends with the process only.
        let _ = self.state.clone().wait_for(|state| state.seen.answers).await;
    }

    /// Returns when the database does not answer any more.
    pub(crate) async fn lost(&self) {
        // The follower ends with the process only.
        let _ = self.state.clone().wait_for(|state| !state.seen.answers).await;
    }

    /// Returns when the rows hold everything up to a position.
    pub(crate) async fn held(&self, position: u64) {
        let _waiting = self.awaited.wait();
        if self
            .state
            .clone()
            .wait_for(|state| state.seen.holds(position))
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
        let mut state = self.state.clone();
        let decided =
            state.wait_for(|State { seen, .. }| seen.holds(position) || seen.rules_out(position, since));
        if decided.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// How far the rows have come. Answers from memory, also while Postgres is away.
    pub fn progress(&self) -> Progress {
        let seen = self.seen();
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
        if self.state.changed().await.is_err() {
            // The end of the process.
            std::future::pending::<()>().await;
        }
    }

    /// The projection's name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Which rows there are; nothing while that is not known for sure, and of rows of another log or of none.
    pub(crate) fn known(&self) -> Option<Known> {
        let State { seen, tables, looked } = &*self.state.borrow();
        let clock = looked.filter(|clock| clock.age() < KNOWN_FOR)?;
        let tables = tables.clone()?;
        (!seen.stale && seen.position > 0).then_some(Known {
            position: seen.position,
            epoch: seen.epoch,
            tables,
            clock,
        })
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
    sender: watch::Sender<State>,
    awaited: Arc<Awaited>,
}

impl Follower {
    async fn follow(self) {
        // One line per outage, not one per attempt.
        let mut outage_logged = false;
        loop {
            let Err(error) = self.follow_once(&mut outage_logged).await;
            self.sender.send_if_modified(|state| {
                state.tables = None;
                std::mem::replace(&mut state.seen.answers, false)
            });
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
        // Unbounded, since a notification that is dropped would be a change that is not seen. A look without an answer ends all.
        let (notify, mut notified) = mpsc::unbounded_channel();
        // Ends when the client is dropped; closes the channel when the connection ends.
        tokio::spawn(drive(connection, notify));
        let listens = timeout(PATIENCE, listen(&client, self.channel.name)).await??;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                note = notified.recv() => {
                    let note = note.ok_or("the connection ended")?;
                    let mut look_now = false;
                    self.sender.send_modify(|state| look_now = state.note(note));
                    if look_now {
                        next = Instant::now();
                    }
                }
                () = self.awaited.came.notified(), if !listens => {
                    next = next.min(Instant::now() + POLL_AWAITED);
                }
                () = sleep_until(next) => {
                    let mut looked = look(&client, self.channel.projection).await?;
                    if !listens {
                        looked.tables = None;
                    }
                    self.sender.send_if_modified(|state| state.look(looked));
                    *outage_logged = false;
                    next = Instant::now() + self.awaited.pause(listens);
                }
            }
        }
    }
}

async fn look(client: &Client, projection: &str) -> Result<State, Failure> {
    // Before the database is asked for the age: at this moment the head was at most that old.
    let asked = Instant::now();
    let row = timeout(PATIENCE, client.query_one(READ_PROGRESS, &[&projection])).await??;
    let (position, head): (Option<i64>, Option<i64>) = (row.try_get("position")?, row.try_get("head")?);
    let age_s: Option<f64> = row.try_get("head_age_s")?;
    // A clock that was set back gives no age, nor does a standby, whose clock is not that of the note.
    let age = age_s.and_then(|age_s| Duration::try_from_secs_f64(age_s).ok());
    let at = age.and_then(|age| asked.checked_sub(age));
    let epoch: Option<Uuid> = row.try_get("epoch")?;
    let id: Option<Uuid> = row.try_get("tables_id")?;
    let versions: Option<Json<BTreeMap<String, Uuid>>> = row.try_get("versions")?;
    let tables = id.zip(versions).map(|(id, Json(versions))| Tables {
        id,
        versions: Arc::new(versions),
    });
    Ok(State {
        seen: Seen {
            answers: true,
            epoch: epoch.unwrap_or_default(),
            position: position.map_or(Ok(0), u64::try_from)?,
            stale: row.try_get("stale")?,
            whole_at: None,
            head: head.map(u64::try_from).transpose()?.zip(at),
        },
        tables,
        looked: Some(DatabaseClock::read(row.try_get("clock")?, asked)),
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

/// A notification: the position, and the new versions of collections whose rows changed. Without a position it says only
/// that another look is needed.
#[derive(Debug, Default, PartialEq)]
struct Note {
    position: Option<u64>,
    changed: BTreeMap<String, Uuid>,
}

impl Note {
    fn read(payload: &str) -> Self {
        let (position, changed) = match payload.split_once(' ') {
            Some((position, changed)) => (position, serde_json::from_str(changed).ok()),
            None => (payload, Some(BTreeMap::new())),
        };
        match (position.parse().ok(), changed) {
            (Some(position), Some(changed)) => Self {
                position: Some(position),
                changed,
            },
            _ => Self::default(),
        }
    }
}

/// Moves the bytes of the connection and hands on what it is notified of.
async fn drive(
    mut connection: Connection<Socket, impl TlsStream + Unpin>,
    notify: mpsc::UnboundedSender<Note>,
) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(notification) = message {
            // The receiver is gone only when this connection is given up.
            let _ = notify.send(Note::read(notification.payload()));
        }
    }
}

#[cfg(test)]
mod tests;
