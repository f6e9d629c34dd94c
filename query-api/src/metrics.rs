//! Describes the metrics of this process: its own, and those of `query` and `service`.

use ::metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use read_model::{RESOURCES, collections, reports};

/// Time to make a document, waiting for its turn included, by `kind` (`license`, `receipt`) and `outcome` (`ok`, `failed`).
pub const DOCUMENT_SECONDS: &str = "bilsport_documents_render_seconds";
/// Changed files of license keys, by `outcome` (`ok`, `failed`: the last good keys are used).
pub const KEY_RELOADS: &str = "bilsport_license_keys_reloads_total";
/// Time until the key that signs licenses is not accepted any more.
pub const KEY_VALID_SECONDS: &str = "bilsport_license_keys_valid_seconds";
/// Open streams of changes.
pub const STREAMS_OPEN: &str = "bilsport_streams_open";
/// Events that streams were given, heartbeats among them.
pub const STREAM_EVENTS: &str = "bilsport_streams_events_total";
/// Streams that this process ended, by `reason`. Those that clients ended are not among them.
pub const STREAMS_ENDED: &str = "bilsport_streams_ended_total";

/// Describes them to the recorder. `cached` names what answers 304, besides the resources.
pub fn describe(cached: &[&'static str]) {
    let resources: Vec<_> = RESOURCES.iter().chain(reports::RESOURCES).copied().collect();
    query::metrics::describe(&resources);
    query::metrics::describe_cache(collections::SHARED);
    describe_histogram!(DOCUMENT_SECONDS, Unit::Seconds, "Time to make a document");
    describe_counter!(KEY_RELOADS, "Changed files of license keys");
    describe_gauge!(
        KEY_VALID_SECONDS,
        Unit::Seconds,
        "Time until the key that signs licenses is not accepted any more"
    );
    describe_gauge!(STREAMS_OPEN, "Open streams of changes");
    describe_counter!(STREAM_EVENTS, "Events that streams were given");
    describe_counter!(STREAMS_ENDED, "Streams that this process ended");
    for outcome in ["ok", "failed"] {
        counter!(KEY_RELOADS, "outcome" => outcome).increment(0);
    }
    for name in cached.iter().chain([&collections::SHARED_SALES.name]) {
        counter!(query::metrics::NOT_MODIFIED, "resource" => *name).increment(0);
    }
}
