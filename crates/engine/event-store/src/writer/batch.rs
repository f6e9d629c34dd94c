//! How commands gather, and the size of the next batch.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::pending::Pending;

/// Fewest commands that are sent behind a batch under way. Below this, a further commit costs more than the database
/// saves by having the next batch at hand.
const SEND_BEHIND: usize = 24;

/// How many `gathered` commands to send while others are `unanswered`; 0 to wait for more commands or for answers. All of
/// them when nothing is under way; half of all when there are many, so that two batches of about the same size take
/// turns.
pub(super) fn how_many(gathered: usize, unanswered: usize) -> usize {
    if unanswered > 0 && gathered < SEND_BEHIND.max(unanswered / 2) {
        return 0;
    }
    let all = gathered + unanswered;
    if all < 2 * SEND_BEHIND {
        return gathered;
    }
    gathered.min(all.div_ceil(2))
}

/// Takes up to `room` waiting commands; waits for one if there is none. Returns their number: 0 once all senders are gone.
pub(super) async fn gather(
    waiting: &mut mpsc::Receiver<Pending>,
    gathered: &mut VecDeque<Pending>,
    room: usize,
) -> usize {
    let mut more = Vec::new();
    let count = waiting.recv_many(&mut more, room).await;
    gathered.extend(more);
    count
}

#[cfg(test)]
mod tests {
    use super::how_many;

    #[test]
    fn what_comes_alone_goes_at_once() {
        assert_eq!(how_many(1, 0), 1);
        assert_eq!(how_many(40, 0), 40);
        assert_eq!(how_many(0, 0), 0);
    }

    #[test]
    fn few_wait_for_the_batch_under_way() {
        assert_eq!(how_many(1, 1), 0);
        assert_eq!(how_many(23, 1), 0);
        assert_eq!(how_many(24, 1), 24);
    }

    #[test]
    fn many_take_turns_in_halves() {
        assert_eq!(how_many(64, 0), 32, "the rest goes right behind");
        assert_eq!(how_many(32, 32), 32);
        assert_eq!(how_many(63, 1), 32);
        assert_eq!(how_many(59, 120), 0, "far fewer than are under way");
        assert_eq!(how_many(200, 120), 160);
    }
}
