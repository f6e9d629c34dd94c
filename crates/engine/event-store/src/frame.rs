//! What the writing task and the loading tasks share: a bounded queue with replies, a connection that is opened again
//! when it is lost, and the pauses between attempts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use connect::Database;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::Client;

use crate::error::describe;

/// How long a caller waits for a place in the queue.
const QUEUE_WAIT: Duration = Duration::from_secs(1);
/// How much longer than its own statement timeout the database may stay silent.
const SILENCE: Duration = Duration::from_secs(1);
const MIN_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// Puts what `pending` makes of a reply channel into the queue and waits for the reply. `what` names the waiting items;
/// an error is a reason why the log is unavailable.
pub(crate) async fn ask<P, R>(
    queue: &mpsc::Sender<P>,
    what: &'static str,
    pending: impl FnOnce(oneshot::Sender<R>) -> P,
) -> Result<R, String> {
    let (reply, answer) = oneshot::channel();
    queue
        .send_timeout(pending(reply), QUEUE_WAIT)
        .await
        .map_err(|error| match error {
            mpsc::error::SendTimeoutError::Timeout(_) => format!("too many {what} are waiting"),
            mpsc::error::SendTimeoutError::Closed(_) => "shutting down".to_owned(),
        })?;
    answer.await.map_err(|_| format!("the task for {what} ended"))
}

/// How long a statement may take before its connection counts as dead.
pub(crate) fn silence_after(statement_timeout: Duration) -> Duration {
    statement_timeout + SILENCE
}

/// The statements of a connection, prepared once.
pub(crate) trait Prepare: Sized + Send + Sync {
    /// Prepares them on a new connection.
    fn prepare(client: &Client) -> impl Future<Output = Result<Self, tokio_postgres::Error>> + Send;
}

/// A connection and its prepared statements.
pub(crate) type Open<S> = Arc<(Client, S)>;

/// One connection to the database, opened when it is first needed and again after it is lost.
pub(crate) struct Session<S> {
    database: Database,
    open: Mutex<Option<Open<S>>>,
}

impl<S: Prepare> Session<S> {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            open: Mutex::new(None),
        }
    }

    /// The open connection, or a new one, of which `opened` learns before it is used. Callers share it until it fails.
    pub(crate) async fn get(&self, opened: impl FnOnce() + Send) -> Result<Open<S>, tokio_postgres::Error> {
        let mut open = self.open.lock().await;
        if let Some(usable) = open.as_ref().filter(|usable| !usable.0.is_closed()) {
            return Ok(Arc::clone(usable));
        }
        let (client, connection) = self.database.connect().await?;
        opened();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(
                    error = describe(&error),
                    "a connection to the event database ended"
                );
            }
        });
        let statements = S::prepare(&client).await?;
        Ok(Arc::clone(open.insert(Arc::new((client, statements)))))
    }

    /// Closes this connection to later callers. One that was opened since stays.
    pub(crate) async fn close(&self, used: &Open<S>) {
        let mut open = self.open.lock().await;
        if open.as_ref().is_some_and(|current| Arc::ptr_eq(current, used)) {
            *open = None;
        }
    }
}

/// Pauses between attempts: 20 ms, doubling to half a second, with jitter.
pub(crate) struct Pauses(ExponentialBackoff);

impl Default for Pauses {
    fn default() -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(MIN_PAUSE)
            .with_max_delay(MAX_PAUSE)
            .with_jitter()
            .without_max_times();
        Self(builder.build())
    }
}

impl Pauses {
    /// The next pause; `None` if it would end after `deadline`.
    pub(crate) fn before(&mut self, deadline: Instant) -> Option<Duration> {
        let pause = self.0.next().unwrap_or(MAX_PAUSE);
        (Instant::now() + pause < deadline).then_some(pause)
    }
}
