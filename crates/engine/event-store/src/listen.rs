//! Hearing of new events at once. Only a head watch: a listener that hears nothing still has to look now and then.

use connect::Database;
use envelope::Position;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::metrics::CHANNEL;

/// The newest position that the log at `url` has announced, kept up to date by a task with a connection of its own
/// until `shutdown`. After a lost connection it connects again for as long as it takes, and then announces the head. A
/// server that is gone without a word is missed within seconds. Only a URL that can't be used is an error.
pub fn listen(url: &str, shutdown: CancellationToken) -> Result<watch::Receiver<Position>, Error> {
    let (announce, heard) = watch::channel(Position::START);
    let database = Database::parse(url)?.named("event-store listen");
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let hear = |payload: &str| {
            if let Ok(position) = payload.parse() {
                announce.send_replace(Position::new(position));
            }
        };
        connect::listen(database, CHANNEL, include_str!("sql/listen.sql"), hear).await
    }));
    Ok(heard)
}
