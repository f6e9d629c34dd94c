//! The head watch: the newest position that the log has notified. A notification can be lost, so a reader also polls.

use connect::Database;
use envelope::Position;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::metrics::CHANNEL;

/// The newest position that the log at `url` has notified, kept up to date until `shutdown` by a task with a connection of
/// its own. After a lost connection it connects again for as long as it takes and then gives the head. A server that
/// vanishes silently is noticed within seconds. Only a URL that can't be used is an error.
pub fn listen(url: &str, shutdown: CancellationToken) -> Result<watch::Receiver<Position>, Error> {
    let (update, head_watch) = watch::channel(Position::START);
    let database = Database::parse(url)?.named("event-store listen");
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let notified = |payload: &str| {
            if let Ok(position) = payload.parse() {
                update.send_replace(Position::new(position));
            }
        };
        connect::listen(database, CHANNEL, include_str!("sql/listen.sql"), notified).await
    }));
    Ok(head_watch)
}
