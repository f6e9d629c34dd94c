//! Listening for notifications. A connection that only listens sends nothing, so it would not notice for hours that the
//! server is gone without a word (a failover, a firewall that forgot it). So it asks for nothing now and then, and has to
//! be answered.

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
    #[error("{}", told(.0))]
    Lost(#[from] Error),
    /// The server keeps the connection and says nothing, or is gone without a word.
    #[error("the server does not answer")]
    Silent,
    /// The server ended the connection in good order.
    #[error("the connection ended")]
    Ended,
}

/// What is said of it: the SQLSTATE and the primary message of a server's refusal, or what happened to the connection.
fn told(error: &Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(refused), _) => format!("{} (SQLSTATE {})", refused.message(), refused.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

/// Runs `statements`, which begin to listen, on a connection of its own, and hands every payload to `hear`; for ever,
/// again on a new connection whenever one is lost or silent. What was said meanwhile is lost, unless `statements` ask for
/// it.
pub async fn listen(
    database: Database,
    channel: &'static str,
    statements: &str,
    mut hear: impl FnMut(&str),
) -> Infallible {
    let listening = gauge!(LISTENING, "channel" => channel);
    // Also when this is dropped.
    let _down = Down(channel);
    loop {
        let error = match once(&database, statements, &mut hear, || listening.set(1.0)).await {
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
    hear: &mut impl FnMut(&str),
    listening: impl FnOnce(),
) -> Result<Infallible, Interrupted> {
    let begun = Instant::now();
    let connected = timeout_at(begun + BEGIN, database.connect()).await;
    let (client, mut connection) = connected.map_err(|_| Interrupted::Silent)??;
    let mut messages = futures_util::stream::poll_fn(move |context| connection.poll_message(context));
    // Answers arrive only while the connection is driven: both go on together.
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
    let hearing = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(note) = message? {
                hear(note.payload());
            }
        }
        Err(Interrupted::Ended)
    };
    tokio::select! {
        // What ended the connection says more than that it ended.
        biased;
        ended = hearing => ended,
        silent = asking => silent,
    }
}
