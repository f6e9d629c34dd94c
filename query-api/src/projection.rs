//! How far the rows have come, followed live, so that a caller can wait for its own write.
//!
//! The projector notifies when a batch commits; a poll several times a second makes up for a notification that got
//! lost. Both run on one connection of their own, so that waiting requests hold none, and one statement serves all.

use std::time::Duration;

use connect::Database;
use futures_util::future::poll_fn;
use read_model::checkpoint::{self, CHANNEL};
use service::{health::Check, postgres, problem::Problem};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_postgres::{AsyncMessage, Client, Connection, Socket, error::SqlState, tls::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// How long a request waits for the rows it needs.
const WAIT: Duration = Duration::from_secs(2);
/// How often the checkpoint is read, notified or not.
const POLL: Duration = Duration::from_millis(250);
/// How long Postgres may take to connect or answer before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long until the next attempt after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// Notifications not yet looked at; more are dropped, since the poll comes anyway.
const BACKLOG: usize = 256;

/// How far the rows have come. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Projection {
    seen: watch::Receiver<u64>,
}

impl Projection {
    /// Follows the checkpoint in the background, reconnecting for ever, and says on `check` whether Postgres answers.
    pub fn follow(url: &str, check: Check, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let database = Database::parse(url)?
            .named("query-api follow")
            .within(PATIENCE, PATIENCE);
        let (sender, seen) = watch::channel(0);
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            // One line per outage, not one per attempt.
            let mut outage_logged = false;
            loop {
                let Err(error) = follow_once(&database, &sender, || {
                    check.ok();
                    outage_logged = false;
                })
                .await;
                check.fail("the read database cannot be read");
                ::metrics::counter!(metrics::FOLLOW_FAILURES).increment(1);
                if !std::mem::replace(&mut outage_logged, true) {
                    tracing::warn!(error = %postgres::describe(&*error), "lost the projection, reconnecting");
                }
                tokio::time::sleep(RETRY).await;
            }
        }));
        Ok(Self { seen })
    }

    /// Waits until the rows hold everything up to `position`, for two seconds at most.
    pub async fn reach(&self, position: u64) -> Result<(), Problem> {
        let begun = Instant::now();
        let mut seen = self.seen.clone();
        let reached = matches!(
            timeout(WAIT, seen.wait_for(|seen| *seen >= position)).await,
            Ok(Ok(_))
        );
        let outcome = if reached { "reached" } else { "lagging" };
        ::metrics::histogram!(metrics::MIN_POSITION_SECONDS, "outcome" => outcome).record(begun.elapsed());
        if reached {
            Ok(())
        } else {
            Err(lagging(*self.seen.borrow()))
        }
    }
}

/// 503: the rows are at `seen` and the caller needs later ones.
pub(crate) fn lagging(seen: u64) -> Problem {
    Problem::unavailable(
        "projection_lagging",
        "Endringen er lagret, men vises ikke ennå. Prøv igjen om litt.",
        "The change is stored but does not show yet. Try again in a moment.",
    )
    .header("event-position", seen)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
/// Never: following ends with a failure only.
type Never = std::convert::Infallible;

async fn follow_once(
    database: &Database,
    seen: &watch::Sender<u64>,
    mut answered: impl FnMut(),
) -> Result<Never, Failure> {
    let (client, connection) = timeout(PATIENCE, database.connect()).await??;
    let (notify, mut notified) = mpsc::channel(BACKLOG);
    // Ends when the client is dropped; closes the channel when the connection ends.
    tokio::spawn(drive(connection, notify));
    timeout(PATIENCE, listen(&client)).await??;
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            position = notified.recv() => {
                let position = position.ok_or("the connection ended")?;
                seen.send_if_modified(|seen| position > *seen && { *seen = position; true });
            }
            _ = poll.tick() => {
                let checkpoint = timeout(PATIENCE, checkpoint::read(&client)).await??;
                // Not the larger of the two: a restored log begins again further back.
                seen.send_if_modified(|seen| std::mem::replace(seen, checkpoint.position) != checkpoint.position);
                answered();
            }
        }
    }
}

/// A standby can't listen; the poll is enough there.
async fn listen(client: &Client) -> Result<(), tokio_postgres::Error> {
    match client.batch_execute(&format!("listen {CHANNEL}")).await {
        Err(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
            tracing::info!("the read database cannot notify, polling only");
            Ok(())
        }
        outcome => outcome,
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
