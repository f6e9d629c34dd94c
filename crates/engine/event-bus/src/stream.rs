//! The stream: declared once in `nats/stream.json`, compared with the live server.

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{Context, ErrorCode};
use envelope::{LogError, LogReader, Position};
use serde_json::Value;
use uuid::Uuid;

use crate::decide::{LiveStream, first_of_new_stream};
use crate::message::LOG_EPOCH;
use crate::metrics;

const DECLARATION: &str = include_str!("../../../../nats/stream.json");

/// A stream as declared.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// The stream's name.
    pub name: String,
    /// What its subjects start with.
    pub subject_prefix: String,
    config: Config,
    declared: serde_json::Map<String, Value>,
}

/// What a declaration found or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The stream's last sequence, which is the last position it holds or once held.
    pub last: Position,
    /// The life of the log it carries.
    pub epoch: Uuid,
    /// Whether it had to be created.
    pub created: bool,
}

/// Why there is no stream as declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// NATS could not be asked, or refused.
    #[error("nats: {0}")]
    Nats(String),
    /// The log could not be asked.
    #[error("log: {0}")]
    Log(#[source] LogError),
    /// The live stream differs from the declaration and can't be changed to fit it.
    #[error(
        "stream {stream} differs from its declaration in {fields:?} and the server refuses to change it: {reason}"
    )]
    Differs {
        /// Its name.
        stream: String,
        /// The fields that differ.
        fields: Vec<String>,
        /// The server's words.
        reason: String,
    },
}

impl StreamConfig {
    /// The declaration in `nats/stream.json`, under another name and prefix where asked for.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the file is compiled in, and a test reads it"
    )]
    pub fn declared(name: &str, subject_prefix: &str) -> Self {
        let mut declared: serde_json::Map<String, Value> =
            serde_json::from_str(DECLARATION).expect("nats/stream.json is a JSON object");
        declared.insert("name".into(), name.into());
        declared.insert("subjects".into(), vec![format!("{subject_prefix}.>")].into());
        let config = serde_json::from_value(Value::Object(declared.clone()))
            .expect("nats/stream.json is a stream configuration");
        Self {
            name: name.into(),
            subject_prefix: subject_prefix.into(),
            config,
            declared,
        }
    }

    /// Makes the live stream what is declared: creates a missing one, replaces one that belongs to another life of
    /// the log or is ahead of it (the log was restored), and changes what differs.
    ///
    /// A created stream starts `backlog` events before the head of the log: readers further back read the log.
    pub async fn declare(
        &self,
        context: &Context,
        log: &impl LogReader,
        backlog: u64,
    ) -> Result<Declared, DeclareError> {
        // The stream is read before the log: events appended meanwhile can't make it look ahead.
        let live = self.live(context).await?;
        let head = log.head().await.map_err(DeclareError::Log)?;
        if let Some((config, found)) = live {
            if found.carries(head) {
                self.align(context, &config).await?;
                return Ok(Declared {
                    last: found.last,
                    epoch: head.epoch,
                    created: false,
                });
            }
            tracing::warn!(stream = self.name, stream_last = found.last.get(), log_head = head.position.get(),
                stream_epoch = ?found.epoch, log_epoch = %head.epoch, "stream does not belong to this log, replacing it");
            context.delete_stream(&self.name).await.map_err(nats)?;
        }
        let first = first_of_new_stream(head, backlog).get();
        let config = Config {
            first_sequence: (first > 1).then_some(first),
            metadata: [(LOG_EPOCH.to_owned(), head.epoch.to_string())].into(),
            ..self.config.clone()
        };
        context.create_stream(config).await.map_err(nats)?;
        ::metrics::counter!(metrics::STREAM_CREATED).increment(1);
        tracing::info!(stream = self.name, first_sequence = first, log_epoch = %head.epoch, "stream created");
        Ok(Declared {
            last: Position::new(first - 1),
            epoch: head.epoch,
            created: true,
        })
    }

    /// The last sequence of the live stream, if there is a stream.
    pub(crate) async fn last_sequence(&self, context: &Context) -> Result<Option<u64>, String> {
        let live = self.live(context).await.map_err(|error| error.to_string())?;
        Ok(live.map(|(_, live)| live.last.get()).filter(|last| *last > 0))
    }

    async fn live(&self, context: &Context) -> Result<Option<(Config, LiveStream)>, DeclareError> {
        match context.get_stream(&self.name).await {
            Ok(stream) => {
                let info = stream.cached_info();
                let epoch = info.config.metadata.get(LOG_EPOCH);
                let found = LiveStream {
                    epoch: epoch.and_then(|value| value.parse().ok()),
                    last: Position::new(info.state.last_sequence),
                };
                Ok(Some((info.config.clone(), found)))
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    Ok(None)
                }
                _ => Err(nats(error)),
            },
        }
    }

    async fn align(&self, context: &Context, live: &Config) -> Result<(), DeclareError> {
        let fields = self.differences(live);
        if fields.is_empty() {
            return Ok(());
        }
        let wanted = Config {
            first_sequence: live.first_sequence,
            metadata: live.metadata.clone(),
            ..self.config.clone()
        };
        context
            .update_stream(wanted)
            .await
            .map_err(|error| DeclareError::Differs {
                stream: self.name.clone(),
                fields: fields.clone(),
                reason: error.to_string(),
            })?;
        tracing::info!(stream = self.name, ?fields, "stream changed to its declaration");
        Ok(())
    }

    /// The declared fields in which a live configuration differs.
    fn differences(&self, live: &Config) -> Vec<String> {
        let fields = |config: &Config| serde_json::to_value(config).unwrap_or_default();
        let (live, wanted) = (fields(live), fields(&self.config));
        self.declared
            .keys()
            .filter(|key| live.get(key) != wanted.get(key))
            .cloned()
            .collect()
    }
}

fn nats(error: impl std::fmt::Display) -> DeclareError {
    DeclareError::Nats(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_nats::jetstream::stream::{Config, StorageType};

    use super::StreamConfig;

    #[test]
    fn the_declaration_keeps_messages_from_being_deleted_and_has_the_shops_name() {
        let stream = StreamConfig::declared("LICENSING", "licensing.v1");
        assert!(stream.config.deny_delete);
        assert_eq!(stream.config.storage, StorageType::File);
        assert!(stream.config.max_age > Duration::ZERO);
        let file: serde_json::Value = serde_json::from_str(super::DECLARATION).unwrap();
        assert_eq!(serde_json::Value::Object(stream.declared), file);
    }

    #[test]
    fn only_declared_fields_are_compared() {
        let stream = StreamConfig::declared("A", "a");
        let mut live = Config {
            description: None,
            duplicate_window: Duration::from_mins(2),
            ..stream.config.clone()
        };
        assert_eq!(stream.differences(&live), ["description"]);
        live.max_age = Duration::from_secs(1);
        assert_eq!(stream.differences(&live), ["description", "max_age"]);
        assert!(stream.differences(&stream.config).is_empty());
    }
}
