//! The names of every metric this crate publishes, and the recorder behind them.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Answered requests, by `method`, `route` (matched path), `status`.
pub const HTTP_REQUESTS: &str = "bilsport_http_requests_total";
/// Time from the end of a request's headers to its answer's headers, by the same labels.
pub const HTTP_REQUEST_SECONDS: &str = "bilsport_http_request_seconds";
/// Requests being worked on.
pub const HTTP_REQUESTS_IN_FLIGHT: &str = "bilsport_http_requests_in_flight";
/// Open client connections.
pub const HTTP_CONNECTIONS: &str = "bilsport_http_connections";
/// Failed accepts, by `reason` (`limit` when out of file descriptors, else `other`).
pub const HTTP_ACCEPT_ERRORS: &str = "bilsport_http_accept_errors_total";
/// Refused bearer tokens, by `reason`.
pub const AUTH_REFUSALS: &str = "bilsport_auth_refusals_total";
/// Fetches of the issuer's keys, by `outcome` (`ok`, `failed`).
pub const JWKS_REFRESHES: &str = "bilsport_auth_jwks_refreshes_total";
/// 1 while a health check passes, 0 while it fails, by `check`.
pub const HEALTH_CHECK_OK: &str = "bilsport_health_check_ok";
/// Connections a pool holds, by `pool`.
pub const POOL_SIZE: &str = "bilsport_pool_size";
/// Idle connections of a pool, by `pool`.
pub const POOL_AVAILABLE: &str = "bilsport_pool_available";
/// Tasks waiting for a connection, by `pool`.
pub const POOL_WAITING: &str = "bilsport_pool_waiting";
/// Requests charged to their limits, by `class` (of the limit that refused, else of the reader), `outcome` (`admitted`,
/// `limited`) and `source` (`redis`; `local`: counted by this instance alone).
pub const RATE_LIMIT_CHECKS: &str = "bilsport_rate_limit_checks_total";
/// Time to charge a request, by `source`.
pub const RATE_LIMIT_SECONDS: &str = "bilsport_rate_limit_seconds";
/// 1 while Redis is used, 0 while it is away.
pub const REDIS_UP: &str = "bilsport_redis_up";
/// Questions that Redis did not answer, by `reason` (`timeout`, `connection`, `error`). Each takes the connection away.
pub const REDIS_FAILURES: &str = "bilsport_redis_failures_total";
/// Panics caught or not, in any task.
pub const PANICS: &str = "bilsport_process_panics_total";

/// Why a bearer token is refused.
pub(crate) const AUTH_REFUSAL_REASONS: &[&str] = &[
    "malformed",
    "too_long",
    "algorithm",
    "unknown_key",
    "signature",
    "expired",
    "not_yet_valid",
    "claims",
    "keys_unavailable",
];
/// The statuses that start at 0; 499 counts clients that went away. Some never occur on a route, but a row that stays at 0
/// costs less than a first failure that no rate shows.
const STATUSES: &[&str] = &[
    "200", "201", "304", "400", "401", "403", "404", "405", "408", "409", "412", "413", "414", "415", "422",
    "429", "431", "499", "500", "502", "503",
];

/// Bounds for times in seconds, from a cached answer to the request timeout.
const SECONDS_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Bounds for the time of a limit's check, from a lookup in memory to a Redis that does not answer.
const CHECK_BUCKETS: &[f64] = &[
    0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1,
];
/// Bounds for sizes in bytes.
const BYTES_BUCKETS: &[f64] = &[
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
];
/// Bounds for everything counted, such as events in a batch.
const COUNT_BUCKETS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Installs the process's recorder; every metric gets the label `service`. Fails when one is installed already.
pub(crate) fn install(service: &'static str) -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .add_global_label("service", service)
        .set_buckets(COUNT_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(RATE_LIMIT_SECONDS.to_owned()), CHECK_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES_BUCKETS)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(HTTP_REQUESTS, "Answered requests");
    describe_histogram!(
        HTTP_REQUEST_SECONDS,
        Unit::Seconds,
        "Time from request headers to answer headers"
    );
    describe_gauge!(HTTP_REQUESTS_IN_FLIGHT, "Requests being worked on");
    describe_gauge!(HTTP_CONNECTIONS, "Open client connections");
    describe_counter!(HTTP_ACCEPT_ERRORS, "Failed accepts of a connection");
    describe_counter!(AUTH_REFUSALS, "Refused bearer tokens");
    describe_counter!(JWKS_REFRESHES, "Fetches of the issuer's keys");
    describe_gauge!(HEALTH_CHECK_OK, "Whether a health check passes");
    describe_gauge!(POOL_SIZE, "Connections a database pool holds");
    describe_gauge!(POOL_AVAILABLE, "Idle connections of a database pool");
    describe_gauge!(POOL_WAITING, "Tasks waiting for a database connection");
    describe_counter!(RATE_LIMIT_CHECKS, "Requests charged to their limits");
    describe_histogram!(
        RATE_LIMIT_SECONDS,
        Unit::Seconds,
        "Time to charge a request to its limits"
    );
    describe_gauge!(REDIS_UP, "Whether Redis is used");
    describe_counter!(REDIS_FAILURES, "Questions that Redis did not answer");
    describe_counter!(PANICS, "Panics in any task");
    // Starts at 0: a rate over a counter that begins with its first failure does not include that failure.
    counter!(PANICS).increment(0);
    for reason in ["limit", "other"] {
        counter!(HTTP_ACCEPT_ERRORS, "reason" => reason).increment(0);
    }
    for reason in AUTH_REFUSAL_REASONS {
        counter!(AUTH_REFUSALS, "reason" => *reason).increment(0);
    }
    for outcome in ["ok", "failed"] {
        counter!(JWKS_REFRESHES, "outcome" => outcome).increment(0);
    }
    begin_requests(&[
        ("GET", "unmatched"),
        ("POST", "unmatched"),
        ("other", "unreadable"),
    ]);
}

/// Starts the counters of limits at 0.
pub(crate) fn begin_limits(classes: impl IntoIterator<Item = &'static str>) {
    for class in classes {
        for outcome in ["admitted", "limited"] {
            for source in ["redis", "local"] {
                let labels = [("class", class), ("outcome", outcome), ("source", source)];
                counter!(RATE_LIMIT_CHECKS, &labels).increment(0);
            }
        }
    }
}

/// Starts the counters of Redis at 0.
pub(crate) fn begin_redis() {
    for reason in ["timeout", "connection", "error"] {
        counter!(REDIS_FAILURES, "reason" => reason).increment(0);
    }
}

/// Starts the counters of requests to these routes at 0. Each route is a method and a path as written in the router.
pub fn begin_requests(routes: &[(&'static str, &'static str)]) {
    for (method, route) in routes {
        for status in STATUSES {
            let labels = [("method", *method), ("route", *route), ("status", *status)];
            counter!(HTTP_REQUESTS, &labels).increment(0);
        }
    }
}
