//! The names of every metric that the read side adds to those of `service`.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};

use crate::resource::Resource;
use crate::version::Shared;

/// Time to read from the database, waiting for a connection included, by `resource` and `outcome` (`ok`, `failed`).
pub const READ_SECONDS: &str = "bilsport_query_read_seconds";
/// Reads without an answer, by `reason` (`timeout`, `unavailable`, `busy`, `silence`, `internal`).
pub const READ_FAILURES: &str = "bilsport_query_read_failures_total";
/// Time that a `min_position` waited, by `outcome` (`reached`, `lagging`, `unknown`).
pub const MIN_POSITION_SECONDS: &str = "bilsport_query_min_position_seconds";
/// Cursors that were refused.
pub const CURSORS_REFUSED: &str = "bilsport_query_cursors_refused_total";
/// Answers without a body because the caller has it already, by `resource`.
pub const NOT_MODIFIED: &str = "bilsport_query_not_modified_total";
/// Reads that were answered, by `place`: the primary, or the number of a replica.
pub const READS: &str = "bilsport_query_reads_total";
/// Reads that one place failed and another one was asked, by the `place` that failed.
pub const REPEATED: &str = "bilsport_query_reads_repeated_total";
/// 1 while a replica takes requests, by `place` and `projection`.
pub const REPLICA_IN_USE: &str = "bilsport_query_replica_in_use";
/// Replicas that take no requests, by `projection`.
pub const REPLICAS_EJECTED: &str = "bilsport_query_replicas_ejected";
/// How long ago the primary had the rows that a replica has, by `place` and `projection`.
pub const REPLICA_LAG_SECONDS: &str = "bilsport_query_replica_lag_seconds";
/// Times that a replica was taken out of use, by `place`, `projection` and `reason` (`silent`, `schema`, `epoch`, `lagging`,
/// `failing`).
pub const EJECTIONS: &str = "bilsport_query_replica_ejections_total";
/// Expensive requests that were refused because the same reader had others under way.
pub const REFUSED_AT_ONCE: &str = "bilsport_query_refused_at_once_total";
/// Lost connections of the task that follows the projection.
pub const FOLLOW_FAILURES: &str = "bilsport_query_follow_failures_total";
/// 1 while the rows of a `projection` are of another log than there is now, and answers say so.
pub const STALE: &str = "bilsport_query_stale";

/// Answers that many readers get, by `resource` and `outcome`: found in Redis (`hit`), with a request that came before
/// (`joined`), said to be unchanged from memory (`unchanged`), read from the database (`miss`), or read without a look
/// because the versions of the rows are not known (`unknown`). `refused` counts what was found and is none of ours.
pub const CACHE_LOOKUPS: &str = "bilsport_query_cache_lookups_total";
/// What became of answers that were read, by `resource` and `outcome`: kept (`stored`), or not because the rows changed
/// meanwhile (`changed`), Redis did not take it (`failed`), it is too large (`too_large`), or enough was stored lately
/// (`no_budget`).
pub const CACHE_STORES: &str = "bilsport_query_cache_stores_total";

const LOOKUPS: [&str; 7] = [
    "remembered",
    "hit",
    "joined",
    "unchanged",
    "miss",
    "unknown",
    "refused",
];
const STORES: [&str; 5] = ["stored", "changed", "failed", "too_large", "no_budget"];

pub(crate) fn looked_up(resource: &'static str, outcome: &'static str) {
    counter!(CACHE_LOOKUPS, "resource" => resource, "outcome" => outcome).increment(1);
}

pub(crate) fn stored(resource: &'static str, outcome: &'static str) {
    counter!(CACHE_STORES, "resource" => resource, "outcome" => outcome).increment(1);
}

/// Describes the metrics of kept answers to the recorder, for a service that keeps these.
pub fn describe_cache(shared: &[&'static Shared]) {
    describe_counter!(CACHE_LOOKUPS, "Looks for an answer that many readers get");
    describe_counter!(CACHE_STORES, "Answers that were read and might be kept");
    for shared in shared {
        for outcome in LOOKUPS {
            counter!(CACHE_LOOKUPS, "resource" => shared.name, "outcome" => outcome).increment(0);
        }
        for outcome in STORES {
            counter!(CACHE_STORES, "resource" => shared.name, "outcome" => outcome).increment(0);
        }
    }
}

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
    describe_counter!(READS, "Reads that were answered");
    describe_counter!(REPEATED, "Reads that were repeated at another place");
    describe_gauge!(REPLICA_IN_USE, "Whether a replica takes requests");
    describe_gauge!(REPLICAS_EJECTED, "Replicas that take no requests");
    describe_gauge!(
        REPLICA_LAG_SECONDS,
        Unit::Seconds,
        "How long ago the primary had the rows of a replica"
    );
    describe_counter!(EJECTIONS, "Times that a replica was taken out of use");
    describe_counter!(
        REFUSED_AT_ONCE,
        "Expensive requests beyond what one reader may have under way"
    );
    describe_gauge!(STALE, "Whether the rows are of another log than there is now");
    describe_counter!(
        FOLLOW_FAILURES,
        "Lost connections of the task that follows the projection"
    );
    // They begin at 0: a rate over a counter that begins with its first failure does not see that failure.
    for reason in ["timeout", "unavailable", "busy", "silence", "internal"] {
        counter!(READ_FAILURES, "reason" => reason).increment(0);
    }
    for resource in resources {
        counter!(NOT_MODIFIED, "resource" => resource.name).increment(0);
    }
    counter!(CURSORS_REFUSED).increment(0);
    counter!(FOLLOW_FAILURES).increment(0);
    counter!(REFUSED_AT_ONCE).increment(0);
}
