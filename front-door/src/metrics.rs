//! The names of every metric of this process, and their descriptions.

use ::metrics::{counter, describe_counter};

/// Logins, by `outcome`: `begun`, `completed`, or the code of a failure.
pub const LOGINS: &str = "bilsport_session_logins_total";
/// Questions of the edge about a request, by `outcome`.
pub const CHECKS: &str = "bilsport_session_checks_total";
/// Requests for new tokens, by `outcome`.
pub const REFRESHES: &str = "bilsport_session_refreshes_total";
/// Changed files of session keys, by `outcome` (`ok`, `failed`: the last good keys are used).
pub const KEY_RELOADS: &str = "bilsport_session_keys_reloads_total";

const OF_LOGINS: &[&str] = &[
    "begun",
    "completed",
    "login_cancelled",
    "login_expired",
    "login_refused",
    "login_unavailable",
    "session_too_large",
];
const OF_CHECKS: &[&str] = &[
    "session",
    "own_bearer",
    "anonymous",
    "expired",
    "invalid",
    "cross_site",
];
const OF_REFRESHES: &[&str] = &["refreshed", "ended", "unavailable", "cross_site"];

/// Describes them to the recorder, and starts the counters at 0.
pub fn describe() {
    describe_counter!(LOGINS, "Logins");
    describe_counter!(CHECKS, "Questions of the edge about a request");
    describe_counter!(REFRESHES, "Requests for new tokens");
    describe_counter!(KEY_RELOADS, "Changed files of session keys");
    for (name, outcomes) in [
        (LOGINS, OF_LOGINS),
        (CHECKS, OF_CHECKS),
        (REFRESHES, OF_REFRESHES),
        (KEY_RELOADS, &["ok", "failed"]),
    ] {
        for outcome in outcomes {
            counter!(name, "outcome" => *outcome).increment(0);
        }
    }
}

/// Counts one of them.
pub(crate) fn count(name: &'static str, outcome: &'static str) {
    counter!(name, "outcome" => outcome).increment(1);
}
