//! How far the rows have come, and whether they are of the log that there is now. A request waits here for the caller's
//! own write.
//!
//! A position that the log does not hold is worth no waiting. The projector notes about once a second how far the log is.
//! A note that was made after the request came, of a log that ends before the position asked for, proves that no command
//! was answered with that position before. Only durations are compared, never the clocks of two machines.
//!
//! The projector notifies when a batch commits; a poll several times a second makes up for a lost notification. Both run
//! on one connection of their own, so that waiting requests hold none, and one statement serves all.
//!
//! A notification also names the new versions of collections whose rows changed, so the versions are known as soon as the
//! position is, in one step. They are unknown without this connection, and after a notification that says something else,
//! until the next look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use connect::Database;
use futures_util::future::poll_fn;
use service::health::Check;
use service::postgres;
use service::problem::Problem;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::types::Json;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics;
use crate::version::{DatabaseClock, Version};

/// How long a request waits for the rows it needs.
const WAIT: Duration = Duration::from_secs(2);
/// How often the checkpoint is read, notified or not.
const POLL: Duration = Duration::from_millis(250);
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

/// How far the rows have come. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Projection {
    name: &'static str,
    seen: watch::Receiver<Seen>,
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
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    /// How far the rows are.
    position: u64,
    /// They are of another log, so their position says nothing about this one.
    stale: bool,
    /// How far the log was, at this moment or later.
    head: Option<(u64, Instant)>,
    /// Epoch of the log.
    epoch: Uuid,
    /// None while they are not known.
    tables: Option<Tables>,
    /// The last look.
    looked: Option<DatabaseClock>,
}

impl Seen {
    /// Takes in a notification. True if it does not follow from what is known, so that another look is needed now.
    fn note(&mut self, note: Note) -> bool {
        match note.position {
            Some(position) if position > self.position => {
                self.position = position;
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

    fn holds(&self, position: u64) -> bool {
        position == 0 || (!self.stale && self.position >= position)
    }

    /// Whether the log, looked at later than `since`, ended before `position`.
    fn rules_out(&self, position: u64, since: Instant) -> bool {
        !self.holds(position) && self.head.is_some_and(|(head, at)| at > since && head < position)
    }
}

impl Projection {
    /// Follows the checkpoint in the background, reconnecting for ever, and reports on `check` whether Postgres answers. The
    /// check is degraded while the rows are of another log than there is now. `session` names the connection in Postgres.
    pub fn follow(
        url: &str,
        session: &str,
        channel: Channel,
        check: Check,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let name = channel.projection;
        let database = Database::parse(url)?
            .named(session)
            .set(&[("search_path", channel.schema)])
            .within(PATIENCE, PATIENCE);
        let (sender, seen) = watch::channel(Seen::default());
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            // One line per outage, not one per attempt.
            let mut outage_logged = false;
            loop {
                let Err(error) = follow_once(&database, channel, &sender, |seen: &Seen| {
                    answers(&check, channel.projection, seen);
                    outage_logged = false;
                })
                .await;
                sender.send_modify(|seen| seen.tables = None);
                check.fail("the read database cannot be read");
                ::metrics::counter!(metrics::FOLLOW_FAILURES).increment(1);
                if !std::mem::replace(&mut outage_logged, true) {
                    tracing::warn!(error = %postgres::describe(&*error), "lost the projection, reconnecting");
                }
                tokio::time::sleep(RETRY).await;
            }
        }));
        Ok(Self { name, seen })
    }

    /// The projection's name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Which rows there are; nothing while that is not known for sure, and of rows of another log or of none.
    pub(crate) fn known(&self) -> Option<Known> {
        let seen = self.seen.borrow();
        let clock = seen.looked.filter(|clock| clock.age() < KNOWN_FOR)?;
        let tables = seen.tables.clone()?;
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
        let begun = Instant::now();
        let mut seen = self.seen.clone();
        let decided = seen.wait_for(|seen| seen.holds(position) || seen.rules_out(position, begun));
        // Too late, or at the end of the process: as far as it came.
        let _ = timeout(WAIT, decided).await;
        let seen = self.seen.borrow().clone();
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

/// Postgres answers. Stale rows are read on, and each answer says what they are.
fn answers(check: &Check, projection: &'static str, seen: &Seen) {
    ::metrics::gauge!(metrics::STALE, "projection" => projection).set(f64::from(u8::from(seen.stale)));
    if seen.stale {
        check.degraded("the rows are of another log than there is now: answers are marked as stale until they are built again");
    } else {
        check.ok();
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

async fn follow_once(
    database: &Database,
    channel: Channel,
    seen: &watch::Sender<Seen>,
    mut answered: impl FnMut(&Seen),
) -> Result<Never, Failure> {
    let (client, connection) = timeout(PATIENCE, database.connect()).await??;
    // Unbounded, since a notification that is dropped would be a change that is not seen. A look without an answer ends all.
    let (notify, mut notified) = mpsc::unbounded_channel();
    // Ends when the client is dropped; closes the channel when the connection ends.
    tokio::spawn(drive(connection, notify));
    let can_listen = timeout(PATIENCE, listen(&client, channel.name)).await??;
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            note = notified.recv() => {
                let note = note.ok_or("the connection ended")?;
                let mut look_now = false;
                seen.send_modify(|seen| look_now = seen.note(note));
                if look_now {
                    poll.reset_immediately();
                }
            }
            _ = poll.tick() => {
                let mut looked = look(&client, channel.projection).await?;
                if !can_listen {
                    looked.tables = None;
                }
                answered(&looked);
                // Not the larger of the two: a restored log begins again further back.
                seen.send_replace(looked);
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
    // A clock that was set back gives no age.
    let age = age_s.and_then(|age_s| Duration::try_from_secs_f64(age_s).ok());
    let at = age.and_then(|age| asked.checked_sub(age));
    let id: Option<Uuid> = row.try_get("tables_id")?;
    let versions: Option<Json<BTreeMap<String, Uuid>>> = row.try_get("versions")?;
    let tables = id.zip(versions).map(|(id, Json(versions))| Tables {
        id,
        versions: Arc::new(versions),
    });
    Ok(Seen {
        position: position.map_or(Ok(0), u64::try_from)?,
        stale: row.try_get("stale")?,
        head: head.map(u64::try_from).transpose()?.zip(at),
        epoch: row.try_get::<_, Option<Uuid>>("epoch")?.unwrap_or_default(),
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
