//! The last position of each partition.

use envelope::{LogError, LogReader, Mark, PARTITIONS, Position, RecordedEvent, partition};

/// How many events one step backwards through the log reads: all 16 partitions show up in nearly every such window.
const WINDOW: u32 = 1_000;

/// The last position in each partition, [`Position::START`] where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PreviousPositions([Position; PARTITIONS as usize]);

impl PreviousPositions {
    /// Finds them for everything up to and including `through`, walking backwards through the log; and which event is at
    /// `through`, if the log holds one.
    pub async fn load(log: &impl LogReader, through: Position) -> Result<(Self, Mark), LogError> {
        let mut mark = Mark::from(through);
        let mut last = [None; PARTITIONS as usize];
        let mut end = through.get();
        while end > 0 && last.contains(&None) {
            let start = end.saturating_sub(u64::from(WINDOW));
            // At most `WINDOW`, so it fits.
            let limit = u32::try_from(end - start).unwrap_or(WINDOW);
            let events = log.read_after(Position::new(start), limit).await?;
            if let Some(event) = events.last().filter(|event| event.position == through) {
                mark = Mark::of(event);
            }
            for event in events.iter().rev() {
                last[usize::from(partition(event.aggregate_id))].get_or_insert(event.position);
            }
            end = start;
        }
        Ok((Self(last.map(Option::unwrap_or_default)), mark))
    }

    /// The last position in the partition of this event, which becomes its last from now on.
    pub fn replace(&mut self, event: &RecordedEvent) -> Position {
        let slot = &mut self.0[usize::from(partition(event.aggregate_id))];
        std::mem::replace(slot, event.position)
    }
}
