//! Connections of the commands that examine log, stream and rows, and the state of the stream.

use std::sync::Arc;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Info, Stream};
use deadpool_postgres::Pool;
use event_bus::{Access, Connection, LOG_EPOCH};
use event_store::Log;
use event_store::vault::Vault;
use service::postgres::PoolOptions;
use uuid::Uuid;

use crate::projection::Projection;
use crate::schema;

/// Where the log, the stream and the rows are.
pub struct Sources {
    /// The event database, as a role that can only select.
    pub events_url: String,
    /// The read database, as its owner.
    pub read_url: String,
    /// Opens the personal data in events.
    pub vault: Option<Arc<Vault>>,
    /// NATS.
    pub bus: Access,
    /// The JetStream stream that carries the log.
    pub stream: String,
}

/// The log, the stream and the rows, each connected when first used.
pub(crate) struct Connections {
    pub(crate) read: Pool,
    pub(crate) events: Pool,
    pub(crate) log: Log,
    bus: Connection,
    stream: String,
}

/// The log, read with this vault if there is one.
pub(crate) fn opening(log: Log, vault: Option<&Arc<Vault>>) -> Log {
    match vault {
        Some(vault) => log.with_vault(Arc::clone(vault)),
        None => log,
    }
}

/// What a stream holds.
pub(crate) struct StreamState {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) messages: u64,
    pub(crate) epoch: Option<Uuid>,
}

impl Connections {
    /// Fails only for settings that can't be used. `statement_timeout_s` bounds each SQL statement; 0 is no bound.
    pub(crate) async fn open(
        projection: &impl Projection,
        sources: &Sources,
        statement_timeout_s: u32,
    ) -> anyhow::Result<Self> {
        let options = PoolOptions {
            db_pool_size: 4,
            db_statement_timeout_s: statement_timeout_s,
        };
        let name = &projection.commands().connection("command");
        let events = service::postgres::pool(&sources.events_url, &options, name)?;
        Ok(Self {
            read: schema::pool(projection, &sources.read_url, &options, name)?,
            log: opening(Log::new(events.clone()), sources.vault.as_ref()),
            events,
            bus: event_bus::connect_as(&sources.bus, name).await?,
            stream: sources.stream.clone(),
        })
    }

    /// The stream, or why it can't be seen.
    pub(crate) async fn stream(&self) -> Result<Stream<Info>, String> {
        let name = &self.stream;
        self.bus
            .get_stream(name)
            .await
            .map_err(|error| match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    format!("there is no stream {name}: does a relay run?")
                }
                _ => match self.bus.problem() {
                    Some(problem) => format!("NATS does not answer for stream {name}: {problem}"),
                    None => format!("NATS does not answer for stream {name}: {error}"),
                },
            })
    }
}

impl StreamState {
    pub(crate) fn of(stream: &Stream<Info>) -> Self {
        let Info { config, state, .. } = stream.cached_info();
        Self {
            first: state.first_sequence,
            last: state.last_sequence,
            messages: state.messages,
            epoch: config
                .metadata
                .get(LOG_EPOCH)
                .and_then(|epoch| epoch.parse().ok()),
        }
    }
}
