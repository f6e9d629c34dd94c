//! The way to a real server.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod listening;
mod sessions;
mod tls;

use std::future::Future;
use std::time::{Duration, Instant};

use connect::Database;
use tokio_postgres::Client;

/// Waits until `condition` gives something, half a minute at most.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A session at `url`, or why there is none.
async fn open(url: &str) -> Result<Client, String> {
    let database = Database::parse(url).map_err(|error| error.to_string())?;
    match database.connect().await {
        Ok((client, connection)) => {
            tokio::spawn(connection);
            Ok(client)
        }
        Err(error) => Err(std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))),
    }
}
