//! Counting retries where they are scraped: in the projector that serves, which is told of each by the one that made it.

use connect::{BadUrl, Database};
use read_model::write::RETRIED;

use crate::metrics;

/// Counts for ever, on a connection of its own to the read database. What happens while that is down is not counted. Only
/// a URL that can't be used is an error.
pub(crate) fn count_retries(read_url: &str) -> Result<impl Future<Output = ()> + use<>, BadUrl> {
    let database = Database::parse(read_url)?.named("projector retries");
    Ok(async move {
        let count = |told: &str| {
            // Only these two, whatever is said there: labels are bounded.
            let outcome = if told == "released" { "released" } else { "stuck" };
            ::metrics::counter!(metrics::RETRIES, "outcome" => outcome).increment(1);
        };
        match connect::listen(database, RETRIED, &format!("listen {RETRIED}"), count).await {}
    })
}
