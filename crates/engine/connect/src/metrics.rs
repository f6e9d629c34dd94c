//! The metrics of listening connections.

use metrics::{describe_counter, describe_gauge, gauge};

/// 1 while a connection listens and answers, 0 while it does not, by `channel`.
pub const LISTENING: &str = "bilsport_db_listener_up";
/// Connections that listened and were lost, or could not be made, by `channel`.
pub const LISTENER_INTERRUPTIONS: &str = "bilsport_db_listener_interruptions_total";

/// Describes them to the recorder in use, and begins them for one channel.
pub fn describe(channel: &'static str) {
    describe_gauge!(LISTENING, "Whether a connection listens for notifications.");
    describe_counter!(LISTENER_INTERRUPTIONS, "Listening connections lost or refused.");
    gauge!(LISTENING, "channel" => channel).set(0.0);
    metrics::counter!(LISTENER_INTERRUPTIONS, "channel" => channel).increment(0);
}
