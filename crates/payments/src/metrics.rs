//! The metrics of this crate. Labels are bounded: `provider` and `operation` by the code, `outcome` by [`Error`].

use std::time::Duration;

use crate::port::Error;

/// The value of the label `provider`, and the provider's name in events.
pub(crate) const VIPPS: &str = "vipps";
/// As [`VIPPS`].
pub(crate) const NEXI: &str = "nexi";

/// Calls to the provider, retries included in one call. Labels: `provider`, `operation`, `outcome`.
pub const REQUESTS: &str = "bilsport_payments_requests_total";
/// Seconds until a call to the provider ended, retries included. Labels: `provider`, `operation`.
pub const REQUEST_SECONDS: &str = "bilsport_payments_request_seconds";

/// Registers the help texts; call once, after the recorder is installed.
pub fn describe() {
    metrics::describe_counter!(
        REQUESTS,
        "Calls to the payment provider, by operation and outcome"
    );
    metrics::describe_histogram!(
        REQUEST_SECONDS,
        metrics::Unit::Seconds,
        "Time until a call to the payment provider ended, retries included"
    );
    begin(VIPPS);
    begin(NEXI);
}

/// The outcomes of a call: the values of the label `outcome`.
const OUTCOMES: &[&str] = &["ok", "not_found", "refused", "unavailable", "protocol"];

/// The operations of the port: the values of the label `operation`.
const OPERATIONS: &[&str] = &["create", "get", "capture", "refund", "abort", "release"];

/// Starts the counters of one provider's operations at 0, so that a rate includes the first failure.
fn begin(provider: &'static str) {
    for operation in OPERATIONS {
        for outcome in OUTCOMES {
            let labels = [
                ("provider", provider),
                ("operation", *operation),
                ("outcome", *outcome),
            ];
            metrics::counter!(REQUESTS, &labels).increment(0);
        }
    }
}

pub(crate) fn request(
    provider: &'static str,
    operation: &'static str,
    elapsed: Duration,
    error: Option<&Error>,
) {
    let outcome = match error {
        None => "ok",
        Some(Error::NotFound) => "not_found",
        Some(Error::Refused { .. }) => "refused",
        Some(Error::Unavailable(_)) => "unavailable",
        Some(Error::Protocol(_)) => "protocol",
    };
    metrics::counter!(REQUESTS, "provider" => provider, "operation" => operation, "outcome" => outcome)
        .increment(1);
    metrics::histogram!(REQUEST_SECONDS, "provider" => provider, "operation" => operation)
        .record(elapsed.as_secs_f64());
}
