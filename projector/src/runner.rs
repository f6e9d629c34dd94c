//! What the running projector says of itself: whether it is ready, and what it came across in the stream.

use std::time::Duration;

use event_bus::metrics::{FEED_DROPPED, FEED_GAPS, FEED_GAPS_FOUND, FEED_UNTRUSTED};
use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::json;

use crate::config::Runner;
use crate::report::Report;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reports what the projector that runs says, if it was said where that is.
pub(crate) async fn report(runner: &Runner, report: &mut Report) {
    let Some(url) = &runner.projector_ops_url else {
        return;
    };
    let (readiness, exposition) = match ask(url.trim_end_matches('/')).await {
        Ok(said) => said,
        Err(error) => {
            report.problem(format!("the projector does not answer: {}", error.without_url()));
            return;
        }
    };
    for check in readiness.checks.iter().filter(|check| !check.ok) {
        let reason = check.reason.as_deref().unwrap_or("no reason given");
        report.problem(format!("the projector is not ready: {}: {reason}", check.name));
    }
    report.fact(
        "readiness",
        json!(readiness.status),
        readiness.status.replace('_', " "),
    );
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

/// The answer of `/health/ready`.
#[derive(Deserialize)]
struct Readiness {
    status: String,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    ok: bool,
    reason: Option<String>,
}

async fn ask(url: &str) -> reqwest::Result<(Readiness, String)> {
    let client = Client::builder().timeout(PATIENCE).build()?;
    // 503 is an answer like another: it holds the reason.
    let readiness = client.get(format!("{url}/health/ready")).send().await?;
    let metrics = client.get(format!("{url}/metrics")).send().await;
    let metrics = metrics.and_then(Response::error_for_status)?;
    Ok((readiness.json().await?, metrics.text().await?))
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
