//! Listening for notifications. A connection that only listens sends nothing, so it would not notice for hours that the
//! server vanished silently (a failover, a firewall that dropped the connection). So it sends an empty query at an
//! interval and expects an answer.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt as _;
use metrics::{counter, gauge};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{AsyncMessage, Error};

use crate::database::Database;
use crate::metrics::{LISTENER_INTERRUPTIONS, LISTENING};

/// How long connecting, login and `listen` may take.
const BEGIN: Duration = Duration::from_secs(5);
/// How long after an answer the server is asked again.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long it may take to answer that.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long until the next attempt after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// Why a connection does not listen any more.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// The connection could not be made, or was lost.
    #[error("{}", describe(.0))]
    Lost(#[from] Error),
    /// The server does not answer on the open connection.
    #[error("the server does not answer")]
    Silent,
    /// The server ended the connection in good order.
    #[error("the connection ended")]
    Ended,
}

/// The SQLSTATE and the primary message of a server's refusal, or what happened to the connection.
fn describe(error: &Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(refused), _) => format!("{} (SQLSTATE {})", refused.message(), refused.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

/// Runs `statements`, which begin to listen, on a connection of its own, and hands every payload to `notified`, for ever. A
/// lost or silent connection is replaced. Notifications in between are lost, unless `statements` ask for their content.
pub async fn listen(
    database: Database,
    channel: &'static str,
    statements: &str,
    mut notified: impl FnMut(&str),
) -> Infallible {
    let listening = gauge!(LISTENING, "channel" => channel);
    // Also when this is dropped.
    let _down = Down(channel);
    loop {
        let error = match once(&database, statements, &mut notified, || listening.set(1.0)).await {
            Ok(never) => return never,
            Err(error) => error,
        };
        listening.set(0.0);
        counter!(LISTENER_INTERRUPTIONS, "channel" => channel).increment(1);
        tracing::warn!(channel, error = %error, "listening was interrupted, connecting again");
        tokio::time::sleep(RETRY).await;
    }
}

struct Down(&'static str);

impl Drop for Down {
    fn drop(&mut self) {
        gauge!(LISTENING, "channel" => self.0).set(0.0);
    }
}

async fn once(
    database: &Database,
    statements: &str,
    notified: &mut impl FnMut(&str),
    listening: impl FnOnce(),
) -> Result<Infallible, Interrupted> {
    let begun = Instant::now();
    let connected = timeout_at(begun + BEGIN, database.connect()).await;
    let (client, mut connection) = connected.map_err(|_| Interrupted::Silent)??;
    let mut messages = futures_util::stream::poll_fn(move |context| connection.poll_message(context));
    // Answers arrive only while the connection is driven, so both run together.
    let asking = async {
        timeout_at(begun + BEGIN, client.batch_execute(statements))
            .await
            .map_err(|_| Interrupted::Silent)??;
        listening();
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            timeout(PATIENCE, client.batch_execute(""))
                .await
                .map_err(|_| Interrupted::Silent)??;
        }
    };
    let receiving = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(note) = message? {
                notified(note.payload());
            }
        }
        Err(Interrupted::Ended)
    };
    tokio::select! {
        // The error that ended the connection has the reason.
        biased;
        ended = receiving => ended,
        silent = asking => silent,
    }
}
