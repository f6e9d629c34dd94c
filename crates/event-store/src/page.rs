//! What is asked of the loading tasks, and what they answer: rows, decoded by whoever asked.

use std::sync::Arc;

use envelope::{Facts, Position};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::Error;

/// The events of one aggregate that are asked for.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) aggregate_type: &'static str,
    pub(crate) aggregate_id: Uuid,
    pub(crate) after: u64,
    /// What a snapshot must have been made by, if one is wanted instead of the events in it.
    pub(crate) shape: Option<Arc<str>>,
}

/// The next events of one aggregate, as they came: at least one row.
pub(crate) struct Page {
    ask: Ask,
    rows: Vec<Row>,
    max_events: u32,
}

/// What an aggregate's events up to a sequence had made of it.
pub(crate) struct Snapshot<'a> {
    pub(crate) sequence: u64,
    pub(crate) correlation_id: Option<&'a str>,
    pub(crate) state: &'a str,
}

/// One event of a page.
pub(crate) struct Stored<'a> {
    pub(crate) sequence: u64,
    pub(crate) facts: Facts<'a>,
    /// Only of the aggregate's first event.
    pub(crate) correlation_id: Option<&'a str>,
}

impl Page {
    pub(crate) const fn new(ask: Ask, rows: Vec<Row>, max_events: u32) -> Self {
        Self {
            ask,
            rows,
            max_events,
        }
    }

    /// Whether there may be more events after these.
    pub(crate) fn is_full(&self) -> Result<bool, Error> {
        let [.., last] = self.rows.as_slice() else {
            return Ok(false);
        };
        // One row without an event is no event.
        let full = self.rows.len() >= usize::try_from(self.max_events).unwrap_or(usize::MAX);
        Ok(full && last.try_get::<_, Option<i64>>(5)?.is_some())
    }

    /// The log's epoch.
    pub(crate) fn epoch(&self) -> Result<Uuid, Error> {
        self.rows
            .first()
            .map_or(Ok(Uuid::nil()), |row| Ok(row.try_get(1)?))
    }

    /// The snapshot that the events go on from.
    pub(crate) fn snapshot(&self) -> Result<Option<Snapshot<'_>>, Error> {
        let Some(row) = self.rows.first() else {
            return Ok(None);
        };
        let Some(sequence) = row.try_get::<_, Option<i64>>(2)? else {
            return Ok(None);
        };
        Ok(Some(Snapshot {
            sequence: Position::from_sql(sequence).get(),
            correlation_id: row.try_get(3)?,
            // None where an event is missing right after the snapshot; then the events say what is wrong.
            state: row.try_get::<_, Option<&str>>(4)?.unwrap_or_default(),
        }))
    }

    /// The events, in order and without a gap.
    pub(crate) fn events(&self) -> Result<Vec<Stored<'_>>, Error> {
        let mut events = Vec::with_capacity(self.rows.len());
        let mut last = self
            .snapshot()?
            .map_or(self.ask.after, |snapshot| snapshot.sequence);
        for row in &self.rows {
            let Some(sequence) = row.try_get::<_, Option<i64>>(5)? else {
                continue;
            };
            let sequence = Position::from_sql(sequence).get();
            last += 1;
            if sequence != last {
                let (kind, id) = (self.ask.aggregate_type, self.ask.aggregate_id);
                return Err(Error::Broken(format!(
                    "{kind} {id} has sequence {sequence} where {last} is due"
                )));
            }
            events.push(Stored {
                sequence,
                facts: Facts::recorded(row.try_get(6)?, row.try_get(7)?, row.try_get(8)?),
                correlation_id: row.try_get(9)?,
            });
        }
        Ok(events)
    }
}
