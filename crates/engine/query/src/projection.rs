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

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use connect::Database;
use service::problem::Problem;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::follower::{Awaited, Channel, Follower, PATIENCE};
use crate::metrics;
use crate::page::Checkpoint;
use crate::progress::{Known, Progress, Seen, State};

/// How long a request waits for the rows it needs.
pub(crate) const WAIT: Duration = Duration::from_secs(2);
/// How old the last look may be for the versions to count as known: of a connection that says nothing, more is not known.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// How far the rows have come in one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Projection {
    name: &'static str,
    state: watch::Receiver<State>,
    awaited: Arc<Awaited>,
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
