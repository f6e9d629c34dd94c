//! What the running projector came across in the stream: it alone knows, and says so with its metrics.

use std::time::Duration;

use event_bus::metrics::{FEED_DROPPED, FEED_GAPS, FEED_GAPS_FOUND, FEED_UNTRUSTED};
use serde_json::json;

use crate::config::Runner;
use crate::report::Report;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reports the counts of the projector that runs, if it was said where that is.
pub(crate) async fn report(runner: &Runner, report: &mut Report) {
    let Some(url) = &runner.projector_ops_url else {
        return;
    };
    let exposition = match ask(url).await {
        Ok(exposition) => exposition,
        Err(error) => {
            report.problem(format!("the projector does not answer: {}", error.without_url()));
            return;
        }
    };
    let [found, refilled, dropped, untrusted] =
        [FEED_GAPS_FOUND, FEED_GAPS, FEED_DROPPED, FEED_UNTRUSTED].map(|name| count(&exposition, name));
    report.fact(
        "gaps",
        json!({"found": found, "refilled": refilled, "dropped_old": dropped, "untrusted": untrusted}),
        format!(
            "{found} found in the stream and {refilled} refilled, {dropped} old messages dropped, {untrusted} not trusted, \
             since the projector started"
        ),
    );
}

async fn ask(url: &str) -> reqwest::Result<String> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let url = format!("{}/metrics", url.trim_end_matches('/'));
    client.get(url).send().await?.error_for_status()?.text().await
}

/// The projector's own feed; 0 before it has one.
fn count(exposition: &str, name: &str) -> u64 {
    exposition
        .lines()
        .filter(|line| line.starts_with(name) && line.contains("feed=\"projector\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn a_count_is_the_projectors_and_of_that_name() {
        let exposition = "# TYPE a_total counter\n\
                          a_total{service=\"projector\",feed=\"projector\"} 3\n\
                          a_total{service=\"projector\",feed=\"other\"} 5\n\
                          b_total{service=\"projector\",feed=\"projector\"} 7\n";
        assert_eq!(
            (count(exposition, "a_total"), count(exposition, "c_total")),
            (3, 0)
        );
    }
}
