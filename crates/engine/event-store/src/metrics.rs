//! The metrics of the log.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};

/// Commands in one batch.
pub const APPEND_BATCH_SIZE: &str = "bilsport_log_append_batch_size";
/// Seconds that one batch took, commit included.
pub const APPEND_SECONDS: &str = "bilsport_log_append_seconds";
/// Commands by `outcome`: appended, duplicate, reused, taken, conflict, unstorable, unavailable.
pub const APPEND_TOTAL: &str = "bilsport_log_append_total";
/// Commands waiting for a batch.
pub const APPEND_QUEUE: &str = "bilsport_log_append_queue";
/// Batches that went through the checked path.
pub const APPEND_CHECKED_TOTAL: &str = "bilsport_log_append_checked_total";
/// Repeated commands answered from memory.
pub const APPEND_RECENT_TOTAL: &str = "bilsport_log_append_recent_total";
/// Batches sent again, by `reason`: passing, unknown, single.
pub const APPEND_RETRIES_TOTAL: &str = "bilsport_log_append_retries_total";
/// Loads in one batch.
pub const LOAD_BATCH_SIZE: &str = "bilsport_log_load_batch_size";
/// Seconds until one batch of loads was answered.
pub const LOAD_SECONDS: &str = "bilsport_log_load_seconds";
/// Loads by `outcome`: loaded, unavailable.
pub const LOAD_TOTAL: &str = "bilsport_log_load_total";
/// Loads waiting for a batch.
pub const LOAD_QUEUE: &str = "bilsport_log_load_queue";
/// Batches of loads asked again, by `reason`: unreachable, single.
pub const LOAD_RETRIES_TOTAL: &str = "bilsport_log_load_retries_total";
/// Snapshots by `outcome`: used, unreadable; written, dropped because too many waited, failed.
pub const SNAPSHOTS_TOTAL: &str = "bilsport_log_snapshots_total";
/// Commands tried again because their aggregate changed meanwhile.
pub const EXECUTE_CONFLICTS_TOTAL: &str = "bilsport_log_execute_conflicts_total";
/// Position of the last sealed event.
pub const SEALED_POSITION: &str = "bilsport_log_sealed_position";
/// Seconds that it took to seal one range.
pub const SEAL_SECONDS: &str = "bilsport_log_seal_seconds";
/// Failures to seal, by `reason`: unavailable, log, file, contradiction, other.
pub const SEAL_ERRORS_TOTAL: &str = "bilsport_log_seal_errors_total";

/// The channel that positions are announced on; the label of the metrics of [`connect::metrics`].
pub(crate) const CHANNEL: &str = "log_appended";

/// Describes them to the recorder in use, and begins the counters.
pub fn describe() {
    describe_histogram!(APPEND_BATCH_SIZE, Unit::Count, "Commands in one batch.");
    describe_histogram!(
        APPEND_SECONDS,
        Unit::Seconds,
        "Duration of one batch, commit included."
    );
    describe_counter!(APPEND_TOTAL, "Commands by outcome.");
    describe_gauge!(APPEND_QUEUE, "Commands waiting for a batch.");
    describe_counter!(
        APPEND_CHECKED_TOTAL,
        "Batches that went through the checked path."
    );
    describe_counter!(APPEND_RECENT_TOTAL, "Repeated commands answered from memory.");
    describe_counter!(APPEND_RETRIES_TOTAL, "Batches sent again, by reason.");
    describe_histogram!(LOAD_BATCH_SIZE, Unit::Count, "Loads in one batch.");
    describe_histogram!(LOAD_SECONDS, Unit::Seconds, "Duration of one batch of loads.");
    describe_counter!(LOAD_TOTAL, "Loads by outcome.");
    describe_gauge!(LOAD_QUEUE, "Loads waiting for a batch.");
    describe_counter!(LOAD_RETRIES_TOTAL, "Batches of loads asked again, by reason.");
    describe_counter!(SNAPSHOTS_TOTAL, "Snapshots by outcome.");
    describe_counter!(EXECUTE_CONFLICTS_TOTAL, "Commands tried again after a conflict.");
    describe_gauge!(SEALED_POSITION, "Position of the last sealed event.");
    describe_histogram!(SEAL_SECONDS, Unit::Seconds, "Duration of sealing one range.");
    describe_counter!(SEAL_ERRORS_TOTAL, "Failures to seal the log, by reason.");
    // From the start at 0, so that a rate has a beginning and a dashboard a line.
    for outcome in [
        "appended",
        "duplicate",
        "reused",
        "taken",
        "conflict",
        "unstorable",
        "unavailable",
    ] {
        counter!(APPEND_TOTAL, "outcome" => outcome).increment(0);
    }
    for reason in ["passing", "unknown", "single"] {
        counter!(APPEND_RETRIES_TOTAL, "reason" => reason).increment(0);
    }
    for outcome in ["loaded", "unavailable"] {
        counter!(LOAD_TOTAL, "outcome" => outcome).increment(0);
    }
    for reason in ["unreachable", "single"] {
        counter!(LOAD_RETRIES_TOTAL, "reason" => reason).increment(0);
    }
    for outcome in ["used", "unreadable", "written", "dropped", "personal", "failed"] {
        counter!(SNAPSHOTS_TOTAL, "outcome" => outcome).increment(0);
    }
    for reason in ["unavailable", "log", "file", "contradiction", "other"] {
        counter!(SEAL_ERRORS_TOTAL, "reason" => reason).increment(0);
    }
    counter!(APPEND_CHECKED_TOTAL).increment(0);
    counter!(APPEND_RECENT_TOTAL).increment(0);
    counter!(EXECUTE_CONFLICTS_TOTAL).increment(0);
    connect::metrics::describe(CHANNEL);
}
