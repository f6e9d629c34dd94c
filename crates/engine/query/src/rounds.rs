//! Looks at the rows again whenever they may have moved, on a connection of its own: for a process that tells others what
//! changed.
//!
//! The looks are paced, so that rows which move in quick succession are looked at together, and their number does not
//! grow with those who wait for them. Without a notification, and when something other than the position changed, the next look comes
//! by itself.

use std::future::Future;
use std::time::Duration;

use connect::Database;
use service::postgres;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::metrics;
use crate::projection::Projection;

/// How long rows that move are collected before they are looked at.
const PACE: Duration = Duration::from_millis(50);
/// How often the rows are looked at, moved or not.
const POLL: Duration = Duration::from_millis(500);
/// How long Postgres may take to connect before it counts as gone.
const CONNECT: Duration = Duration::from_secs(2);
/// How long Postgres lets a look take.
const STATEMENT_TIMEOUT: &str = "5s";
/// How long a look may take before Postgres counts as gone.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long until the next attempt after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// What looks at the rows.
pub trait Round: Send + 'static {
    /// Looks once. True if it saw only a part, and looks again at once.
    fn look(&mut self, client: &Client) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// Looks at the rows in the background until `shutdown`, reconnecting for ever. `session` names the connection in Postgres.
/// Only a URL that can't be used is an error.
pub fn follow_rows(
    url: &str,
    session: &str,
    mut projection: Projection,
    shutdown: CancellationToken,
    mut round: impl Round,
) -> anyhow::Result<()> {
    let database = Database::parse(url)?
        .named(session)
        .set(&[("statement_timeout", STATEMENT_TIMEOUT)])
        .within(CONNECT, CONNECT);
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        // One line per outage, not one per attempt.
        let mut outage_logged = false;
        loop {
            let looked = || outage_logged = false;
            let failure = follow_once(&database, &mut projection, &mut round, looked).await;
            ::metrics::counter!(metrics::FOLLOW_FAILURES).increment(1);
            if !std::mem::replace(&mut outage_logged, true) {
                tracing::warn!(error = %postgres::describe(&*failure), "cannot look at the rows, trying again");
            }
            sleep(RETRY).await;
        }
    }));
    Ok(())
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Gives the failure that ended it.
async fn follow_once(
    database: &Database,
    projection: &mut Projection,
    round: &mut impl Round,
    mut looked: impl FnMut(),
) -> Failure {
    let client = match timeout(CONNECT, database.connect()).await {
        Ok(Ok((client, connection))) => {
            // Ends when the client is dropped.
            tokio::spawn(connection);
            client
        }
        Ok(Err(error)) => return error.into(),
        Err(late) => return late.into(),
    };
    loop {
        let more = match timeout(PATIENCE, round.look(&client)).await {
            Ok(Ok(more)) => more,
            Ok(Err(error)) => return error.into(),
            Err(late) => return late.into(),
        };
        looked();
        if !more {
            tokio::select! {
                () = projection.moved() => sleep(PACE).await,
                () = sleep(POLL) => {}
            }
        }
    }
}
