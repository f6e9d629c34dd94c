//! Connections of the commands that look from outside, and what the stream says of itself.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Info, Stream};
use deadpool_postgres::Pool;
use event_bus::{Connection, LOG_EPOCH};
use event_store::Log;
use service::postgres::PoolOptions;
use uuid::Uuid;

use crate::config::Sources;

/// The log, the stream and the rows, each connected when first used.
pub(crate) struct Connections {
    pub(crate) read: Pool,
    pub(crate) events: Pool,
    pub(crate) log: Log,
    context: Connection,
    stream: String,
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
    pub(crate) async fn open(sources: &Sources, statement_timeout_s: u32) -> anyhow::Result<Self> {
        let options = PoolOptions {
            db_pool_size: 4,
            db_statement_timeout_s: statement_timeout_s,
        };
        let pool = |url: &service::secret::Secret| {
            service::postgres::pool(url.expose(), &options, "projector command")
        };
        let events = pool(&sources.events.url()?)?;
        Ok(Self {
            read: pool(&sources.read.url()?)?,
            log: Log::new(events.clone()),
            events,
            context: event_bus::connect_as(&sources.access()?, "projector command").await?,
            stream: sources.bus.stream.clone(),
        })
    }

    /// The stream as it is now, or why there is none to be seen.
    pub(crate) async fn stream(&self) -> Result<Stream<Info>, String> {
        let name = &self.stream;
        self.context
            .get_stream(name)
            .await
            .map_err(|error| match error.kind() {
                GetStreamErrorKind::JetStream(told) if told.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    format!("there is no stream {name}: does a relay run?")
                }
                _ => match self.context.problem() {
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
