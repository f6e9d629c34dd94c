//! Imports a history: events that happened before, recorded with the times at which they happened.
//!
//! A log takes its own time for what is appended. A history has its times already: that of an older system, or one that is
//! made up. Along the log times still never go back, and none is ahead of the clock. Seals cover the times as all of an event.
//!
//! The history is one sequence with one writer. Each batch says which position it comes behind, and is refused at any other
//! one: so it is recorded once, and an import that was interrupted continues at the log's head. There are no idempotency
//! keys, since commands of the past have no callers who repeat them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use connect::Database;
use envelope::Position;
use tokio_postgres::{Client, Row, Statement};

use self::batch::Batch;
use crate::append::Past;
use crate::check::check_past;
use crate::error::{Error, ImportError, describe};
use crate::vault::Vault;

mod batch;

/// Batches that are sent before the first of them is answered: the database always has work at hand.
const UNDER_WAY: usize = 4;
/// Most bytes of one event's payload, as appends have it.
const MAX_PAYLOAD_BYTES: usize = 512 << 10;

type Answer = Pin<Box<dyn Future<Output = Result<Row, tokio_postgres::Error>> + Send>>;

/// Writes a history.
pub struct Importer {
    client: Arc<Client>,
    statement: Statement,
    vault: Option<Arc<Vault>>,
    readers: Vec<String>,
    /// Where the next batch begins, if all that are under way are recorded.
    end: Position,
    /// Up to where the log has answered.
    recorded: Position,
    under_way: VecDeque<Answer>,
}

impl Importer {
    /// An importer behind the head of the log at `url`. The process managers `readers` have nothing to do for the history: the
    /// checkpoint of each moves with it, in the same transaction, and must be at the head before.
    pub async fn start(url: &str, vault: Option<Arc<Vault>>, readers: &[&str]) -> Result<Self, Error> {
        let database = Database::parse(url)?.named("event-store import").set(&[
            // As for appends. A crash of the database takes the last batches with it, and the import continues before them.
            ("synchronous_commit", "off"),
            ("enable_seqscan", "off"),
            ("jit", "off"),
        ]);
        let (client, connection) = database.connect().await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = describe(&error), "the connection of the import ended");
            }
        });
        let statement = client.prepare(include_str!("sql/import_batch.sql")).await?;
        let head = client.query_one(include_str!("sql/read_head.sql"), &[]).await?;
        let end = Position::from_sql(head.try_get(0)?);
        Ok(Self {
            client: Arc::new(client),
            statement,
            vault,
            readers: readers.iter().map(|reader| (*reader).to_owned()).collect(),
            end,
            recorded: end,
            under_way: VecDeque::new(),
        })
    }

    /// Up to where the log holds the history for certain.
    pub const fn recorded(&self) -> Position {
        self.recorded
    }

    /// Sends a batch behind those before it; waits for the oldest one while several are under way.
    pub async fn record(&mut self, past: Vec<Past>) -> Result<(), ImportError> {
        for command in &past {
            check_past(command, MAX_PAYLOAD_BYTES).map_err(ImportError::Unstorable)?;
        }
        let batch = Batch::of(past, self.vault.as_deref(), MAX_PAYLOAD_BYTES)?;
        if batch.len() == 0 {
            return Ok(());
        }
        let begin = self.end;
        self.end = Position::new(begin.get() + batch.len());
        let (client, statement) = (Arc::clone(&self.client), self.statement.clone());
        let readers = self.readers.clone();
        let mut answer: Answer =
            Box::pin(async move { batch.send(&client, &statement, begin, &readers).await });
        // It is sent by the first poll, so batches go in the order of these calls.
        if let std::task::Poll::Ready(answered) = futures_util::poll!(&mut answer) {
            answer = Box::pin(std::future::ready(answered));
        }
        self.under_way.push_back(answer);
        if self.under_way.len() >= UNDER_WAY {
            self.confirm().await?;
        }
        Ok(())
    }

    /// Waits until all that was sent is recorded, and on disk. Returns the end of the history.
    pub async fn finish(&mut self) -> Result<Position, ImportError> {
        while !self.under_way.is_empty() {
            self.confirm().await?;
        }
        // What commits after them takes them to the disk.
        self.client
            .execute(include_str!("sql/flush_import.sql"), &[])
            .await
            .map_err(Error::from)?;
        Ok(self.recorded)
    }

    async fn confirm(&mut self) -> Result<(), ImportError> {
        let Some(answer) = self.under_way.pop_front() else {
            return Ok(());
        };
        let row = answer.await.map_err(Error::from)?;
        self.recorded = Position::from_sql(row.try_get(0).map_err(Error::from)?);
        Ok(())
    }
}
