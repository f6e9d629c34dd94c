//! The names of this crate's metrics.

use metrics::{counter, describe_counter, describe_histogram};

/// Events accepted by the stream.
pub const PUBLISHED: &str = "bilsport_bus_published_total";
/// Batches that stopped before their end, by `reason`.
pub const PUBLISH_ERRORS: &str = "bilsport_bus_publish_errors_total";
/// Time from the first publish of a batch to its last acknowledgement.
pub const PUBLISH_SECONDS: &str = "bilsport_bus_publish_seconds";
/// Streams created: missing, of another epoch of the log, or ahead of it.
pub const STREAM_CREATED: &str = "bilsport_bus_stream_created_total";
/// Events handed out, by `feed` and `source` (`stream` or `log`).
pub const FEED_EVENTS: &str = "bilsport_bus_feed_events_total";
/// Gaps in what the stream delivered, by `feed`.
pub const FEED_GAPS_FOUND: &str = "bilsport_bus_feed_gaps_found_total";
/// Those of them that were filled from the log, by `feed`.
pub const FEED_GAPS: &str = "bilsport_bus_feed_gaps_refilled_total";
/// Events that arrived again and were dropped, by `feed`.
pub const FEED_DROPPED: &str = "bilsport_bus_feed_dropped_old_total";
/// Messages that were not published from this log, by `feed`.
pub const FEED_UNTRUSTED: &str = "bilsport_bus_feed_untrusted_total";
/// Messages that did not name the last event taken as their predecessor, so that the log was read, by `feed`.
pub const FEED_UNLINKED: &str = "bilsport_bus_feed_unlinked_total";
/// Consumers opened on the stream, the first one included, by `feed`.
pub const FEED_CONSUMERS: &str = "bilsport_bus_feed_consumers_opened_total";

/// Why a batch stopped before its end, as in [`crate::PublishError::kind`].
pub const PUBLISH_ERROR_KINDS: &[&str] = &[
    "epoch_changed",
    "not_resumed",
    "out_of_order",
    "encode",
    "full",
    "stream_missing",
    "wrong_last_sequence",
    "timeout",
    "other",
];

/// Describes the metrics to the installed recorder.
pub fn describe() {
    describe_counter!(PUBLISHED, "Events accepted by the stream");
    describe_counter!(PUBLISH_ERRORS, "Publish batches that stopped before their end");
    describe_histogram!(
        PUBLISH_SECONDS,
        "First publish of a batch to its last acknowledgement, in seconds"
    );
    describe_counter!(STREAM_CREATED, "Streams created");
    describe_counter!(FEED_EVENTS, "Events handed out, from the stream or from the log");
    describe_counter!(FEED_GAPS_FOUND, "Gaps in what the stream delivered");
    describe_counter!(FEED_GAPS, "Gaps in the stream filled from the log");
    describe_counter!(FEED_DROPPED, "Events that arrived again and were dropped");
    describe_counter!(
        FEED_UNTRUSTED,
        "Messages that are not what the log would have sent"
    );
    describe_counter!(
        FEED_UNLINKED,
        "Messages that did not name the last event taken as their predecessor"
    );
    describe_counter!(FEED_CONSUMERS, "Consumers opened on the stream");
    // Counters begin at 0, so that a rate has a beginning. Those of a subscription begin with it.
    counter!(PUBLISHED).increment(0);
    counter!(STREAM_CREATED).increment(0);
    for reason in PUBLISH_ERROR_KINDS {
        counter!(PUBLISH_ERRORS, "reason" => *reason).increment(0);
    }
}
