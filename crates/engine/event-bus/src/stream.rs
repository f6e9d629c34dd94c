//! The stream: its declaration is a JSON text that the program gives; the live stream is compared with it.

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{Context, ErrorCode};
use envelope::{LogError, LogReader, Position};
use serde_json::Value;
use uuid::Uuid;

use crate::decide::{LiveStream, first_of_new_stream};
use crate::message::LOG_EPOCH;
use crate::metrics;

/// A stream as declared.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// The stream's name.
    pub name: String,
    /// Prefix of its subjects.
    pub subject_prefix: String,
    config: Config,
    declared: serde_json::Map<String, Value>,
}

/// The stream after [`StreamConfig::declare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The stream's last sequence, which is the last position it holds or once held.
    pub last: Position,
    /// The epoch of the log it carries.
    pub epoch: Uuid,
    /// Whether it had to be created.
    pub created: bool,
}

/// Why there is no stream as declared.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// NATS did not answer, or refused.
    #[error("nats: {0}")]
    Nats(String),
    /// The log could not be read.
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
        /// The server's reason.
        reason: String,
    },
}

/// The text is no stream's declaration: what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("the stream's declaration: {0}")]
pub struct BadDeclaration(String);

impl StreamConfig {
    /// Reads a declaration, a JSON object with fields of JetStream's stream configuration; the others keep the server's
    /// defaults. `name` and `subject_prefix` replace the declared ones.
    pub fn from_declaration(
        declaration: &str,
        name: &str,
        subject_prefix: &str,
    ) -> Result<Self, BadDeclaration> {
        let mut declared = fields(declaration)?;
        declared.insert("name".into(), name.into());
        declared.insert("subjects".into(), vec![format!("{subject_prefix}.>")].into());
        let mut config = fields_of(&Config::default())?;
        config.extend(declared.clone());
        let config = serde_json::from_value(Value::Object(config)).map_err(bad)?;
        Ok(Self {
            name: name.into(),
            subject_prefix: subject_prefix.into(),
            config,
            declared,
        })
    }

    /// Reads a declaration with its own name and its own prefix: one subject, `<prefix>.>`.
    pub fn as_declared(declaration: &str) -> Result<Self, BadDeclaration> {
        let declared = fields(declaration)?;
        let name = declared.get("name").and_then(Value::as_str);
        let prefix = declared
            .get("subjects")
            .and_then(|subjects| subjects.get(0)?.as_str()?.strip_suffix(".>"));
        let (Some(name), Some(prefix)) = (name, prefix) else {
            return Err(bad("it names no stream, or no subject <prefix>.>"));
        };
        Self::from_declaration(declaration, name, prefix)
    }

    /// Makes the live stream equal to the declaration: creates a missing one, replaces one that belongs to another epoch of
    /// the log or is ahead of it (the log was restored), and changes fields that differ.
    ///
    /// A created stream starts `backlog` events before the head of the log: readers further back read the log.
    pub async fn declare(
        &self,
        context: &Context,
        log: &impl LogReader,
        backlog: u64,
    ) -> Result<Declared, DeclareError> {
        // The stream is read before the log: events appended in between do not make it look ahead.
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

fn fields(declaration: &str) -> Result<serde_json::Map<String, Value>, BadDeclaration> {
    serde_json::from_str(declaration).map_err(bad)
}

fn fields_of(config: &Config) -> Result<serde_json::Map<String, Value>, BadDeclaration> {
    match serde_json::to_value(config).map_err(bad)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(bad("a configuration is no object")),
    }
}

fn bad(error: impl std::fmt::Display) -> BadDeclaration {
    BadDeclaration(error.to_string())
}

fn nats(error: impl std::fmt::Display) -> DeclareError {
    DeclareError::Nats(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_nats::jetstream::stream::{Config, StorageType};

    use super::StreamConfig;

    const DECLARATION: &str = r#"{"name": "LEDGER", "subjects": ["ledger.v1.>"], "description": "The log.",
        "storage": "file", "max_age": 604800000000000, "deny_delete": true}"#;

    #[test]
    fn a_declaration_names_its_stream_and_other_names_replace_its_own() {
        let own = StreamConfig::as_declared(DECLARATION).unwrap();
        assert_eq!(
            (own.name.as_str(), own.subject_prefix.as_str()),
            ("LEDGER", "ledger.v1")
        );
        assert!(own.config.deny_delete);
        assert_eq!(own.config.storage, StorageType::File);
        let other = StreamConfig::from_declaration(DECLARATION, "A", "a").unwrap();
        assert_eq!(
            (other.config.name.as_str(), other.config.subjects.len()),
            ("A", 1)
        );
        assert_eq!(other.config.subjects[0], "a.>");
    }

    #[test]
    fn a_text_that_declares_no_stream_is_refused() {
        for bad in ["", "[]", "{}", r#"{"name": "A", "subjects": ["a"]}"#] {
            assert!(StreamConfig::as_declared(bad).is_err(), "{bad}");
        }
        let misspelt = r#"{"storage": "paper"}"#;
        assert!(StreamConfig::from_declaration(misspelt, "A", "a").is_err());
    }

    #[test]
    fn only_declared_fields_are_compared() {
        let stream = StreamConfig::from_declaration(DECLARATION, "A", "a").unwrap();
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
