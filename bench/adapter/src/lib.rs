//! The event store as an adapter of the public Event Store Benchmark Suite.

pub mod suite;

use std::sync::Arc;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event_store::uuid::Uuid;
use event_store::{Append, Appender, AppenderOptions, IdempotencyKey, Log, RecordedEvent, serde_json};

use crate::suite::{EventData, EventStoreAdapter, ReadEvent, ReadRequest, StoreManager, StoreManagerFactory};

const NAME: &str = "bilsport-event-store";
/// The aggregate type of all streams of the suite.
const KIND: &str = "stream";
/// Most events of one read without a limit of its own.
const READ_LIMIT: u64 = 4096;

/// Makes managers for the server that `DATABASE_URL` names.
pub struct Factory;

impl StoreManagerFactory for Factory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn create_store_manager(
        &self,
        _data_dir: Option<String>,
        local: bool,
    ) -> anyhow::Result<Box<dyn StoreManager>> {
        if !local {
            bail!("start PostgreSQL and run the suite with local servers");
        }
        let url = std::env::var("DATABASE_URL").context("DATABASE_URL must name an empty database")?;
        Ok(Box::new(Manager { url }))
    }
}

/// A server that runs already.
pub struct Manager {
    /// An empty database, or one that this store has made.
    pub url: String,
}

#[async_trait]
impl StoreManager for Manager {
    async fn start(&mut self) -> anyhow::Result<()> {
        event_store::migrate(&self.url).await?;
        Ok(())
    }

    async fn pull(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn container_id(&self) -> Option<String> {
        None
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn create_adapter(&self) -> anyhow::Result<Arc<dyn EventStoreAdapter>> {
        // A client of its own per worker, as the suite asks; within a program, one appender serves all.
        let (appender, _writing) = Appender::start(&self.url, AppenderOptions::default())?;
        let log = Log::connect(&self.url, 1)?;
        Ok(Arc::new(Client { appender, log }))
    }

    async fn logs(&self) -> anyhow::Result<String> {
        Ok(String::new())
    }
}

struct Client {
    appender: Appender,
    log: Log,
}

#[async_trait]
impl EventStoreAdapter for Client {
    async fn append(&self, events: Vec<EventData>) -> anyhow::Result<()> {
        let Some(stream) = events.first().and_then(|event| event.tags.first()) else {
            return Ok(());
        };
        let id = id(stream);
        let events = events
            .into_iter()
            .map(|event| event_store::EventData::json(event.event_type, &STANDARD.encode(event.payload)));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        let append = Append::new(IdempotencyKey::unique()).events(KIND, id, 0, events);
        self.appender.append_at_any_version(&self.log, append).await?;
        Ok(())
    }

    async fn read(&self, req: ReadRequest) -> anyhow::Result<Vec<ReadEvent>> {
        // The suite counts from 0: its offset is the sequence of the event before.
        let after = req.from_offset.unwrap_or_default();
        let limit = u32::try_from(req.limit.unwrap_or(READ_LIMIT)).unwrap_or(u32::MAX);
        let events = self.log.read_stream(KIND, id(&req.stream), after, limit).await?;
        events.iter().map(read).collect()
    }
}

fn id(stream: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, stream.as_bytes())
}

fn read(event: &RecordedEvent) -> anyhow::Result<ReadEvent> {
    let payload: String = serde_json::from_str(event.payload.get())?;
    Ok(ReadEvent {
        offset: event.sequence - 1,
        event_type: event.event_type.clone(),
        payload: STANDARD.decode(payload)?,
        timestamp_ms: u64::try_from(event.recorded_at.timestamp_millis())?,
    })
}
