//! Whether a live stream carries this log, and where a new one starts.

use envelope::{LogHead, Position};
use uuid::Uuid;

/// The state of the live stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveStream {
    /// The epoch of the log in its metadata.
    pub epoch: Option<Uuid>,
    /// Its last sequence, which is the last position it holds or once held.
    pub last: Position,
}

impl LiveStream {
    /// Whether it carries this log, so that events after its last sequence can be published. Otherwise it is of another
    /// epoch of the log, or ahead of it, and is replaced.
    ///
    /// Read the stream **before** the log: then events that are appended in between do not make the stream look ahead.
    pub fn carries(self, head: LogHead) -> bool {
        self.epoch == Some(head.epoch) && self.last <= head.position
    }
}

/// Where a new stream starts: `backlog` events before the head of the log. Readers further back read the log.
pub fn first_of_new_stream(head: LogHead, backlog: u64) -> Position {
    Position::new(head.position.next().get().saturating_sub(backlog).max(1))
}

#[cfg(test)]
mod tests {
    use envelope::{LogHead, Position};
    use uuid::Uuid;

    use super::{LiveStream, first_of_new_stream};

    const HEAD: LogHead = LogHead {
        position: Position::new(50),
        epoch: Uuid::from_u128(1),
    };

    #[test]
    fn only_a_stream_of_this_life_that_is_not_ahead_is_kept() {
        let carries = |epoch: Option<u128>, last| {
            let (epoch, last) = (epoch.map(Uuid::from_u128), Position::new(last));
            LiveStream { epoch, last }.carries(HEAD)
        };
        assert!(carries(Some(1), 0) && carries(Some(1), 50));
        assert!(!carries(Some(1), 51) && !carries(Some(2), 50) && !carries(None, 0));
    }

    #[test]
    fn a_new_stream_holds_the_backlog_and_never_begins_before_the_first_event() {
        let first = [0, 10, 50, 60].map(|backlog| first_of_new_stream(HEAD, backlog).get());
        assert_eq!(first, [51, 41, 1, 1]);
    }
}
