//! The interface of the Event Store Benchmark Suite, restated for compile-checking: the suite is not on a registry.
//!
//! Names and types are those that its README and its `bench_core::adapter` document; nothing here has a behaviour.

use std::sync::Arc;

use async_trait::async_trait;

/// An event to append. Its first tag names the stream.
#[derive(Clone, Debug)]
pub struct EventData {
    /// The facts, as bytes.
    pub payload: Vec<u8>,
    /// What happened.
    pub event_type: String,
    /// Labels.
    pub tags: Vec<String>,
}

/// Which events of a stream to read.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The stream.
    pub stream: String,
    /// From this place in the stream, which counts from 0; from its beginning if not set.
    pub from_offset: Option<u64>,
    /// Most events to read.
    pub limit: Option<u64>,
}

/// An event that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadEvent {
    /// Its place in the stream, from 0.
    pub offset: u64,
    /// What happened.
    pub event_type: String,
    /// The facts, as bytes.
    pub payload: Vec<u8>,
    /// When it was recorded, in milliseconds since 1970.
    pub timestamp_ms: u64,
}

/// One client of a store.
#[async_trait]
pub trait EventStoreAdapter: Send + Sync {
    /// Appends events to one stream, at any version.
    async fn append(&self, events: Vec<EventData>) -> anyhow::Result<()>;
    /// Reads a stream in order.
    async fn read(&self, req: ReadRequest) -> anyhow::Result<Vec<ReadEvent>>;
}

/// A store's server.
#[async_trait]
pub trait StoreManager: Send + Sync {
    /// Starts it.
    async fn start(&mut self) -> anyhow::Result<()>;
    /// Fetches its container image.
    async fn pull(&mut self) -> anyhow::Result<()>;
    /// Stops it.
    async fn stop(&mut self) -> anyhow::Result<()>;
    /// Its container, for statistics.
    fn container_id(&self) -> Option<String>;
    /// The store's name in reports.
    fn name(&self) -> &'static str;
    /// A new client: one per worker.
    fn create_adapter(&self) -> anyhow::Result<Arc<dyn EventStoreAdapter>>;
    /// What it logged.
    async fn logs(&self) -> anyhow::Result<String>;
}

/// Makes managers of one store.
pub trait StoreManagerFactory: Send + Sync {
    /// The store's name in configurations.
    fn name(&self) -> &'static str;
    /// A manager; `local` if the server runs already.
    fn create_store_manager(
        &self,
        data_dir: Option<String>,
        local: bool,
    ) -> anyhow::Result<Box<dyn StoreManager>>;
}
