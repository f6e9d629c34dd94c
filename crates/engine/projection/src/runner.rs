//! The health and the metrics of the process that follows the log: whether it is ready, and what it found in the stream.

use std::time::Duration;

use event_bus::metrics::{FEED_DROPPED, FEED_GAPS, FEED_GAPS_FOUND, FEED_UNTRUSTED};
use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::json;

use crate::report::Report;

/// The process that follows the log.
#[derive(Clone, Debug, Default)]
pub struct Runner {
    /// Where it serves its health and metrics; none to leave them out.
    pub ops_url: Option<String>,
    /// The name of its catch-up subscription, a label of metrics.
    pub subscription: String,
}

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reports the health and the metrics of the process, if its address is known.
pub(crate) async fn report(runner: &Runner, report: &mut Report) {
    let Some(url) = &runner.ops_url else {
        return;
    };
    let (readiness, exposition) = match ask(url.trim_end_matches('/')).await {
        Ok(answers) => answers,
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
    let [found, refilled, dropped, untrusted] = [FEED_GAPS_FOUND, FEED_GAPS, FEED_DROPPED, FEED_UNTRUSTED]
        .map(|name| count(&exposition, name, &runner.subscription));
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
    // An answer 503 holds the reason.
    let readiness = client.get(format!("{url}/health/ready")).send().await?;
    let metrics = client.get(format!("{url}/metrics")).send().await;
    let metrics = metrics.and_then(Response::error_for_status)?;
    Ok((readiness.json().await?, metrics.text().await?))
}

/// The sum of a counter of one subscription; 0 before it has begun.
fn count(exposition: &str, name: &str, subscription: &str) -> u64 {
    let label = format!("feed=\"{subscription}\"");
    exposition
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(&label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn a_count_is_of_one_subscription_and_one_name() {
        let exposition = "# TYPE a_total counter\n\
                          a_total{service=\"projector\",feed=\"projector\"} 3\n\
                          a_total{service=\"projector\",feed=\"other\"} 5\n\
                          b_total{service=\"projector\",feed=\"projector\"} 7\n";
        assert_eq!(
            (
                count(exposition, "a_total", "projector"),
                count(exposition, "c_total", "projector")
            ),
            (3, 0)
        );
    }
}
