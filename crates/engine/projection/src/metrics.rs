//! The names of the metrics. Each has the label `projection`.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};

use crate::parked::RETRIED;

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
/// Events taken from the log, by `outcome` (`applied`, `parked`, or `skipped`: of aggregates that are not read).
pub const EVENTS: &str = "bilsport_projector_events_total";
/// Events in one transaction.
pub const BATCH_SIZE: &str = "bilsport_projector_batch_size";
/// Time of one transaction, commit included.
pub const APPLY_SECONDS: &str = "bilsport_projector_apply_seconds";
/// Parked events: those that could not be applied, and the later ones of their aggregates.
pub const PARKED: &str = "bilsport_projector_parked";
/// Aggregates whose first parked event this build has not tried to apply, as far as they were listed.
pub const PARKED_UNTRIED: &str = "bilsport_projector_parked_untried";
/// Retries of a parked aggregate, by `outcome` (`released` or `stuck`).
pub const RETRIES: &str = "bilsport_projector_parked_retries_total";
/// Interruptions of following the log, by `reason`.
pub const INTERRUPTIONS: &str = "bilsport_projector_interruptions_total";
/// Rebuilds because the log began a new epoch.
pub const RESETS: &str = "bilsport_projector_resets_total";
/// 1 while the log does not hold the event of the checkpoint, although its epoch is the same.
pub const CONTRADICTED: &str = "bilsport_projector_contradicted";
/// 1 while the rows are of another log than there is now.
pub const STALE: &str = "bilsport_projector_stale";
/// 1 while a rebuild is under way.
pub const REBUILDING: &str = "bilsport_projector_rebuild_running";
/// 1 while the rows that were live before the last rebuild are kept: they take disk space.
pub const ROWS_KEPT: &str = "bilsport_projector_rows_kept";
/// 1 while this instance follows the log, 0 while it stands by.
pub const LEADING: &str = "bilsport_projector_leading";
/// 1 while events come over NATS, 0 while they are read from the event database instead.
pub const STREAM_UP: &str = "bilsport_projector_stream_up";

/// As in `Interrupted::label`.
const INTERRUPTION_REASONS: &[&str] = &[
    "stopped",
    "not_owner",
    "epoch_changed",
    "contradicted",
    "rebuilding",
    "rebuild",
    "log_broken",
    "schema",
    "log",
    "read",
];

/// Describes the metrics to the installed recorder, and begins the counters of these projections at 0.
pub fn describe(projections: &[&str]) {
    connect::metrics::describe(RETRIED);
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
        "Events that could not be applied, and the later ones of their aggregates"
    );
    describe_counter!(RETRIES, "Retries of a parked aggregate");
    describe_counter!(INTERRUPTIONS, "Interruptions of following the log");
    describe_counter!(RESETS, "Rebuilds because the log began a new epoch");
    describe_gauge!(
        PARKED_UNTRIED,
        "Aggregates whose first parked event this build has not tried to apply"
    );
    describe_gauge!(
        CONTRADICTED,
        "Whether the log does not hold the event of the checkpoint"
    );
    describe_gauge!(
        LEADING,
        "Whether this instance follows the log; another one does while it stands by"
    );
    describe_gauge!(STALE, "Whether the rows are of another log than there is now");
    describe_gauge!(REBUILDING, "Whether a rebuild is under way");
    describe_gauge!(
        ROWS_KEPT,
        "Whether the rows that were live before the last rebuild are kept"
    );
    describe_gauge!(STREAM_UP, "Whether events come over NATS");
    // A rate over a counter that begins with its first failure does not show that failure.
    for projection in projections {
        let name = || (*projection).to_owned();
        for outcome in ["applied", "parked", "skipped"] {
            counter!(EVENTS, "projection" => name(), "outcome" => outcome).increment(0);
        }
        for outcome in ["released", "stuck"] {
            counter!(RETRIES, "projection" => name(), "outcome" => outcome).increment(0);
        }
        for reason in INTERRUPTION_REASONS {
            counter!(INTERRUPTIONS, "projection" => name(), "reason" => *reason).increment(0);
        }
        counter!(RESETS, "projection" => name()).increment(0);
    }
}
