//! Follows the checkpoint of one database on a connection of its own: notified where the database notifies, and by a poll.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use connect::Database;
use futures_util::future::poll_fn;
use service::postgres;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::types::Json;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};
use uuid::Uuid;

use crate::metrics;
use crate::progress::{Note, Seen, State, Tables};
use crate::version::DatabaseClock;

/// How often the checkpoint is read, notified or not.
const POLL: Duration = Duration::from_millis(250);
/// How often while a request waits at a database that does not notify.
const POLL_AWAITED: Duration = Duration::from_millis(20);
/// How long Postgres may take to connect or answer before it counts as gone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How long until the next attempt after a failure.
const RETRY: Duration = Duration::from_millis(500);

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

/// How many requests wait.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    requests: AtomicUsize,
    came: Notify,
}

/// One request that waits.
pub(crate) struct Waiting<'a>(&'a Awaited);

impl Awaited {
    pub(crate) fn wait(&self) -> Waiting<'_> {
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

type Failure = Box<dyn std::error::Error + Send + Sync>;
/// Never: following ends with a failure only.
type Never = std::convert::Infallible;

/// Follows the checkpoint of one database.
pub(crate) struct Follower {
    pub(crate) database: Database,
    pub(crate) address: String,
    pub(crate) channel: Channel,
    pub(crate) sender: watch::Sender<State>,
    pub(crate) awaited: Arc<Awaited>,
}

impl Follower {
    pub(crate) async fn follow(self) {
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
