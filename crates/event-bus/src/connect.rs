//! The one way to connect, with a name, and without ever giving up.

use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, Event};

/// How long one request to JetStream may take.
const REQUEST_WAIT: Duration = Duration::from_secs(3);
/// The longest pause between two attempts to connect.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// JetStream at a URL, under a name that the server shows. Only a malformed URL is an error: a server that is down is
/// waited for in the background, and whoever needs it meanwhile gets timeouts.
pub async fn connect(url: &str, name: &str) -> Result<Context, async_nats::ConnectError> {
    let options = ConnectOptions::new()
        .name(name)
        .retry_on_initial_connect()
        .request_timeout(Some(REQUEST_WAIT))
        .reconnect_delay_callback(|attempts| {
            let doublings = u32::try_from(attempts.min(10)).unwrap_or(10);
            (Duration::from_millis(25) * 2_u32.pow(doublings)).min(MAX_RECONNECT_DELAY)
        })
        .event_callback(|event| async move {
            match event {
                Event::Connected => tracing::info!("connected to nats"),
                Event::Disconnected => tracing::warn!("disconnected from nats"),
                // What goes wrong is told by whoever is affected, with more to say than this.
                other => tracing::debug!(event = %other, "nats event"),
            }
        });
    let mut context = jetstream::new(options.connect(url).await?);
    context.set_timeout(REQUEST_WAIT);
    Ok(context)
}
