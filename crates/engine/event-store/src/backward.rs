//! Reading backward: the newest events first.

use envelope::{Position, RecordedEvent};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::error::Error;
use crate::log::Log;

impl Log {
    /// At most `limit` events before `before`, the newest first and without a gap. `None` begins at the end of the log.
    pub async fn read_back(&self, before: Option<Position>, limit: u32) -> Result<Vec<RecordedEvent>, Error> {
        let (from, limit) = (before.map(Position::to_sql), i64::from(limit));
        let binds: [&(dyn ToSql + Sync); 2] = [&from, &limit];
        let events = self.events(include_str!("sql/read_back.sql"), &binds).await?;
        let positions = events.iter().map(|event| event.position.get());
        unbroken(positions, before.map(Position::get), "position")?;
        Ok(events)
    }

    /// At most `limit` events of a stream before the sequence `before`, the newest first and without a gap. `None` begins
    /// at the stream's last event.
    pub async fn read_stream_back(
        &self,
        aggregate_type: &str,
        aggregate_id: Uuid,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, Error> {
        let from = before.map(|before| Position::new(before).to_sql());
        let limit = i64::from(limit);
        let binds: [&(dyn ToSql + Sync); 4] = [&aggregate_type, &aggregate_id, &from, &limit];
        let events = self
            .events(include_str!("sql/read_stream_back.sql"), &binds)
            .await?;
        let sequences = events.iter().map(|event| event.sequence);
        unbroken(sequences, None, "sequence")?;
        Ok(events)
    }
}

/// Each number must be one less than the number before it; the first one less than `before`, where that is known to exist.
fn unbroken(numbers: impl Iterator<Item = u64>, before: Option<u64>, what: &str) -> Result<(), Error> {
    let mut last = before;
    for number in numbers {
        if let Some(last) = last
            && number + 1 != last
        {
            return Err(Error::Broken(format!(
                "{what} {} is missing before {last}",
                last - 1
            )));
        }
        last = Some(number);
    }
    Ok(())
}
