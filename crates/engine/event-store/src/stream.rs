//! Reading page by page: memory holds one page, however long the log or a stream is.

use std::collections::VecDeque;

use envelope::{Position, RecordedEvent};
use futures_util::stream::{Stream, try_unfold};
use uuid::Uuid;

use crate::error::Error;
use crate::log::Log;

/// Events in one page.
const PAGE: u32 = 500;
/// Positions looked at in one statement for events of some types.
const SPAN: u64 = 20_000;

impl Log {
    /// All events after `after`, in order, up to the end of the log when the reader gets there. A missing position is an
    /// error.
    pub fn events_after(
        &self,
        after: Position,
    ) -> impl Stream<Item = Result<RecordedEvent, Error>> + Send + use<> {
        self.stream(What::After(after))
    }

    /// The events after `after` up to and including `through`, in order. A missing position is an error; the end of the
    /// log before `through` is not.
    pub fn events_between(
        &self,
        after: Position,
        through: Position,
    ) -> impl Stream<Item = Result<RecordedEvent, Error>> + Send + use<> {
        self.stream(What::Between(after, through))
    }

    /// The events of one aggregate after `after_sequence`, in order and without a gap.
    pub fn events_of(
        &self,
        aggregate_type: &str,
        aggregate_id: Uuid,
        after_sequence: u64,
    ) -> impl Stream<Item = Result<RecordedEvent, Error>> + Send + use<> {
        self.stream(What::Of(aggregate_type.to_owned(), aggregate_id, after_sequence))
    }

    /// The events of these types after `after`, in order, up to where the log ends when the stream begins.
    ///
    /// For rare jobs: there is no index by type, since it would grow with the log. The statement reads all positions in
    /// bounded steps.
    pub fn events_of_types(
        &self,
        event_types: &[&str],
        after: Position,
    ) -> impl Stream<Item = Result<RecordedEvent, Error>> + Send + use<> {
        self.stream(What::Types {
            types: event_types.iter().map(|name| (*name).to_owned()).collect(),
            after,
            through: None,
        })
    }

    fn stream(&self, what: What) -> impl Stream<Item = Result<RecordedEvent, Error>> + Send + use<> {
        let cursor = Cursor {
            log: self.clone(),
            what,
            page: VecDeque::new(),
            ended: false,
        };
        try_unfold(cursor, |mut cursor| async {
            Ok(cursor.next().await?.map(|event| (event, cursor)))
        })
    }
}

struct Cursor {
    log: Log,
    what: What,
    page: VecDeque<RecordedEvent>,
    /// Whether `page` is the last page.
    ended: bool,
}

/// The events that are still to be read.
enum What {
    After(Position),
    Between(Position, Position),
    Of(String, Uuid, u64),
    Types {
        types: Vec<String>,
        after: Position,
        /// The end of the log, once it was read.
        through: Option<Position>,
    },
}

impl Cursor {
    async fn next(&mut self) -> Result<Option<RecordedEvent>, Error> {
        while self.page.is_empty() && !self.ended {
            self.page = self.turn().await?.into();
        }
        Ok(self.page.pop_front())
    }

    /// The next page, which may be empty, and the cursor after it.
    async fn turn(&mut self) -> Result<Vec<RecordedEvent>, Error> {
        let page = match &mut self.what {
            What::After(after) => {
                let page = self.log.read_after(*after, PAGE).await?;
                *after = page.last().map_or(*after, |event| event.position);
                page
            }
            What::Between(after, through) => {
                let limit = u32::try_from(through.since(*after)).map_or(PAGE, |left| left.min(PAGE));
                let page = self.log.read_after(*after, limit).await?;
                *after = page.last().map_or(*after, |event| event.position);
                self.ended = page.len() < limit as usize || *after >= *through;
                return Ok(page);
            }
            What::Of(aggregate_type, id, after) => {
                let page = self.log.read_stream(aggregate_type, *id, *after, PAGE).await?;
                *after = page.last().map_or(*after, |event| event.sequence);
                page
            }
            What::Types {
                types,
                after,
                through,
            } => {
                let end = match *through {
                    Some(end) => end,
                    None => *through.insert(self.log.head().await?.position),
                };
                let step = end.min(Position::new(after.get() + SPAN));
                let page = by_type(&self.log, types, *after, step).await?;
                *after = match page.last() {
                    Some(event) if page.len() == PAGE as usize => event.position,
                    _ => step,
                };
                self.ended = *after >= end;
                return Ok(page);
            }
        };
        self.ended = page.len() < PAGE as usize;
        Ok(page)
    }
}

async fn by_type(
    log: &Log,
    event_types: &[String],
    after: Position,
    through: Position,
) -> Result<Vec<RecordedEvent>, Error> {
    let (after, through, limit) = (after.to_sql(), through.to_sql(), i64::from(PAGE));
    log.events(
        include_str!("sql/read_types.sql"),
        &[&after, &through, &event_types, &limit],
    )
    .await
}
