//! Hearing of new events at once. Only a hint: a listener that hears nothing still has to look now and then.

use std::time::Duration;

use envelope::Position;
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, NoTls};
use tokio_util::sync::CancellationToken;

use crate::error::describe;

const CHANNEL: &str = "log_appended";
const RECONNECT: Duration = Duration::from_millis(500);

/// The newest position that the log at `url` has announced, kept up to date by a task with a connection of its own
/// until `shutdown`. After a lost connection it connects again for as long as it takes.
pub fn listen(url: &str, shutdown: CancellationToken) -> watch::Receiver<Position> {
    let (announce, heard) = watch::channel(Position::START);
    let url = url.to_owned();
    tokio::spawn(async move {
        loop {
            let ended = tokio::select! {
                () = shutdown.cancelled() => return,
                ended = listen_once(&url, &announce) => ended,
            };
            if let Err(error) = ended {
                tracing::warn!(
                    error = describe(&error),
                    "listening for new events was interrupted"
                );
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(RECONNECT) => {}
            }
        }
    });
    heard
}

async fn listen_once(url: &str, announce: &watch::Sender<Position>) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await?;
    let mut messages = futures_util::stream::poll_fn(move |context| connection.poll_message(context));
    // The statement's answer arrives only while the connection is driven: both go on together.
    let listening = async move {
        client.batch_execute(include_str!("sql/listen.sql")).await?;
        Ok::<_, tokio_postgres::Error>(client)
    };
    let hearing = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(note) = message?
                && note.channel() == CHANNEL
                && let Ok(position) = note.payload().parse()
            {
                announce.send_replace(Position::new(position));
            }
        }
        Ok(())
    };
    let (client, heard) = futures_util::future::join(listening, hearing).await;
    drop(client?);
    heard
}
