//! Counting retries where they are scraped: in the projector that serves, which is told of each by the one that made it.

use std::time::Duration;

use futures_util::{StreamExt as _, future, stream};
use read_model::write::RETRIED;
use service::postgres::describe;
use tokio_postgres::{AsyncMessage, Error, NoTls};

use crate::metrics;

const RECONNECT: Duration = Duration::from_secs(2);

/// Counts for ever, on a connection of its own to the read database. What happens while that is down is not counted.
pub(crate) async fn count_retries(read_url: String) {
    loop {
        if let Err(error) = listen(&read_url).await {
            let reason = describe(&error);
            tracing::warn!(reason, "listening for retries was interrupted");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen(read_url: &str) -> Result<(), Error> {
    let (client, mut connection) = tokio_postgres::connect(read_url, NoTls).await?;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    // The statement's answer arrives only while the connection is driven: both go on together.
    let listening = async move {
        client.batch_execute(&format!("listen {RETRIED}")).await?;
        Ok::<_, Error>(client)
    };
    let hearing = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(note) = message? {
                // Only these two, whatever is said there: labels are bounded.
                let outcome = if note.payload() == "released" {
                    "released"
                } else {
                    "stuck"
                };
                ::metrics::counter!(metrics::RETRIES, "outcome" => outcome).increment(1);
            }
        }
        Ok(())
    };
    let (client, heard) = future::join(listening, hearing).await;
    drop(client?);
    heard
}
