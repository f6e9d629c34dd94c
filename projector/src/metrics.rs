//! The names of this program's metrics.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};

/// Age of the oldest event that the rows lack; 0 when they lack none.
pub const LAG_SECONDS: &str = "bilsport_projector_lag_seconds";
/// How many events the rows lack.
pub const LAG_POSITIONS: &str = "bilsport_projector_lag_positions";
/// Age of the oldest event that is in the stream and not in the rows; 0 when there is none.
pub const APPLY_LAG_SECONDS: &str = "bilsport_projector_apply_lag_seconds";
/// How many events are in the stream and not in the rows.
pub const APPLY_LAG_POSITIONS: &str = "bilsport_projector_apply_lag_positions";
/// The checkpoint: position of the last event in the rows.
pub const POSITION: &str = "bilsport_projector_position";
/// Events taken from the log, by `outcome` (`applied`, `parked`, or `skipped`: of aggregates that it does not read).
pub const EVENTS: &str = "bilsport_projector_events_total";
/// Events in one transaction.
pub const BATCH_SIZE: &str = "bilsport_projector_batch_size";
/// Time of one transaction, commit included.
pub const APPLY_SECONDS: &str = "bilsport_projector_apply_seconds";
/// Events that wait because one of their aggregate could not be applied.
pub const PARKED: &str = "bilsport_projector_parked";
/// Aggregates that wait at an event which this build has not tried to apply, as far as they were listed.
pub const PARKED_UNTRIED: &str = "bilsport_projector_parked_untried";
/// Times that a parked aggregate was tried again, by `outcome` (`released` or `stuck`).
pub const RETRIES: &str = "bilsport_projector_parked_retries_total";
/// Times that following the log was interrupted and begun again, by `reason`.
pub const INTERRUPTIONS: &str = "bilsport_projector_interruptions_total";
/// Times that the rows were built again because the log began a new life.
pub const RESETS: &str = "bilsport_projector_resets_total";
/// 1 while the log does not hold the event that the checkpoint is at, although its epoch is the same.
pub const CONTRADICTED: &str = "bilsport_projector_contradicted";
/// 1 while the rows are of another log than there is now, and answers say so.
pub const STALE: &str = "bilsport_projector_stale";
/// 1 while a rebuild is under way.
pub const REBUILDING: &str = "bilsport_projector_rebuild_running";
/// 1 while the rows that were live before the last rebuild are kept: they take their space.
pub const ROWS_KEPT: &str = "bilsport_projector_rows_kept";
/// 1 while events come over NATS, 0 while they are read from the event database instead.
pub const STREAM_UP: &str = "bilsport_projector_stream_up";

/// As in `follow::Interrupted::label`.
const INTERRUPTION_REASONS: &[&str] = &[
    "stopped",
    "not_owner",
    "epoch_changed",
    "log_behind",
    "log_broken",
    "schema",
    "log",
    "read",
];

/// Describes the metrics to the installed recorder.
pub fn describe() {
    connect::metrics::describe(read_model::write::RETRIED);
    describe_gauge!(
        LAG_SECONDS,
        "Age of the oldest event that the rows lack, in seconds"
    );
    describe_gauge!(LAG_POSITIONS, "Events that the rows lack");
    describe_gauge!(
        APPLY_LAG_SECONDS,
        "Age of the oldest event that is in the stream and not in the rows, in seconds"
    );
    describe_gauge!(
        APPLY_LAG_POSITIONS,
        "Events that are in the stream and not in the rows"
    );
    describe_gauge!(POSITION, "Position of the last event in the rows");
    describe_counter!(EVENTS, "Events taken from the log");
    describe_histogram!(BATCH_SIZE, "Events in one transaction");
    describe_histogram!(
        APPLY_SECONDS,
        "Time of one transaction, commit included, in seconds"
    );
    describe_gauge!(
        PARKED,
        "Events that wait because one of their aggregate could not be applied"
    );
    describe_counter!(RETRIES, "Times that a parked aggregate was tried again");
    describe_counter!(INTERRUPTIONS, "Interruptions of following the log");
    describe_counter!(
        RESETS,
        "Times the rows were built again because the log began a new life"
    );
    describe_gauge!(
        PARKED_UNTRIED,
        "Aggregates that wait at an event which this build has not tried to apply"
    );
    describe_gauge!(
        CONTRADICTED,
        "Whether the log does not hold the event that the checkpoint is at"
    );
    describe_gauge!(STALE, "Whether the rows are of another log than there is now");
    describe_gauge!(REBUILDING, "Whether a rebuild is under way");
    describe_gauge!(
        ROWS_KEPT,
        "Whether the rows that were live before the last rebuild are kept"
    );
    describe_gauge!(STREAM_UP, "Whether events come over NATS");
    // From the start at 0: a rate over a counter that begins with its first failure does not see that failure.
    for outcome in ["applied", "parked", "skipped"] {
        counter!(EVENTS, "outcome" => outcome).increment(0);
    }
    for outcome in ["released", "stuck"] {
        counter!(RETRIES, "outcome" => outcome).increment(0);
    }
    for reason in INTERRUPTION_REASONS {
        counter!(INTERRUPTIONS, "reason" => *reason).increment(0);
    }
    counter!(RESETS).increment(0);
}
