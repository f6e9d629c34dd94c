//! Counts retries in the process that follows the log, whose metrics are scraped. The process that retries notifies it.

use connect::{BadUrl, Database};

use super::rows::RETRIED;
use crate::metrics;
use crate::projection::Projection;

/// Counts the retries of a projection for ever, on a connection of its own to the read database. Retries during a lost
/// connection are not counted. The only error is a URL that can't be used.
pub fn count_retries<P: Projection>(
    projection: &P,
    read_url: &str,
) -> Result<impl Future<Output = ()> + use<P>, BadUrl> {
    let database = Database::parse(read_url)?.named(&projection.commands().connection("retries"));
    let name = projection.name().to_owned();
    Ok(async move {
        let count = |payload: &str| {
            // Two projections in one database share the channel.
            let outcome = match payload.split_once(' ') {
                Some((of, outcome)) if of == name => outcome,
                _ => return,
            };
            // Labels are bounded, whatever the payload is.
            let outcome = if outcome == "released" {
                "released"
            } else {
                "stuck"
            };
            ::metrics::counter!(metrics::RETRIES, "projection" => name.clone(), "outcome" => outcome)
                .increment(1);
        };
        match connect::listen(database, RETRIED, &format!("listen {RETRIED}"), count).await {}
    })
}
