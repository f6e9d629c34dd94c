//! The names of every metric that the read side adds to those of `service`.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};

use crate::resource::Resource;

/// Time to read from the database, waiting for a connection included, by `resource` and `outcome` (`ok`, `failed`).
pub const READ_SECONDS: &str = "bilsport_query_read_seconds";
/// Reads without an answer, by `reason` (`timeout`, `unavailable`, `silence`, `internal`).
pub const READ_FAILURES: &str = "bilsport_query_read_failures_total";
/// Time that a `min_position` waited, by `outcome` (`reached`, `lagging`, `unknown`).
pub const MIN_POSITION_SECONDS: &str = "bilsport_query_min_position_seconds";
/// Cursors that were refused.
pub const CURSORS_REFUSED: &str = "bilsport_query_cursors_refused_total";
/// Answers without a body because the caller has it already, by `resource`.
pub const NOT_MODIFIED: &str = "bilsport_query_not_modified_total";
/// Lost connections of the task that follows the projection.
pub const FOLLOW_FAILURES: &str = "bilsport_query_follow_failures_total";
/// 1 while the rows of a `projection` are of another log than there is now, and answers say so.
pub const STALE: &str = "bilsport_query_stale";

/// Describes them to the recorder, for a service with these resources.
pub fn describe(resources: &[&'static Resource]) {
    describe_histogram!(READ_SECONDS, Unit::Seconds, "Time to read from the database");
    describe_counter!(READ_FAILURES, "Reads that gave no answer");
    describe_histogram!(
        MIN_POSITION_SECONDS,
        Unit::Seconds,
        "Time that a min_position waited"
    );
    describe_counter!(CURSORS_REFUSED, "Cursors that were refused");
    describe_counter!(
        NOT_MODIFIED,
        "Answers without a body because the caller has it already"
    );
    describe_gauge!(STALE, "Whether the rows are of another log than there is now");
    describe_counter!(
        FOLLOW_FAILURES,
        "Lost connections of the task that follows the projection"
    );
    // They begin at 0: a rate over a counter that begins with its first failure does not see that failure.
    for reason in ["timeout", "unavailable", "silence", "internal"] {
        counter!(READ_FAILURES, "reason" => reason).increment(0);
    }
    for resource in resources {
        counter!(NOT_MODIFIED, "resource" => resource.name).increment(0);
    }
    counter!(CURSORS_REFUSED).increment(0);
    counter!(FOLLOW_FAILURES).increment(0);
}
