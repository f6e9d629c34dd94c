//! An event's row as the bytes that are sealed: every column, in one encoding that no two rows share.

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::merkle::{Hash, leaf_hash};

/// What every leaf begins with. Another encoding would be another name.
const FORMAT: &[u8] = b"event-log leaf 1\n";
/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// An event's row, column by column; payload and metadata byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// Place in the log.
    pub position: i64,
    /// Kind of aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// Place among the aggregate's events.
    pub sequence: i64,
    /// What happened.
    pub event_type: String,
    /// Version of the payload's shape.
    pub event_version: String,
    /// The facts, as stored: where they are encrypted, the ciphertext. A deleted key changes nothing here.
    pub payload: String,
    /// Request, actor and cause, as stored.
    pub metadata: String,
    /// When the log took it: microseconds since 1970.
    pub recorded_at_micros: i64,
}

impl Leaf {
    pub(crate) fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let Micros(recorded_at_micros) = row.try_get(8)?;
        Ok(Self {
            position: row.try_get(0)?,
            aggregate_type: row.try_get(1)?,
            aggregate_id: row.try_get(2)?,
            sequence: row.try_get(3)?,
            event_type: row.try_get(4)?,
            event_version: row.try_get(5)?,
            payload: row.try_get(6)?,
            metadata: row.try_get(7)?,
            recorded_at_micros,
        })
    }

    pub(crate) fn hash(&self) -> Hash {
        leaf_hash(&self.encode())
    }

    /// Numbers in eight bytes, the highest first; texts after their length. So where one field ends and the next begins
    /// is never a matter of what they hold.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256 + self.payload.len() + self.metadata.len());
        bytes.extend_from_slice(FORMAT);
        bytes.extend_from_slice(&self.position.to_be_bytes());
        put(&mut bytes, &self.aggregate_type);
        bytes.extend_from_slice(self.aggregate_id.as_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        for text in [
            &self.event_type,
            &self.event_version,
            &self.payload,
            &self.metadata,
        ] {
            put(&mut bytes, text);
        }
        bytes.extend_from_slice(&self.recorded_at_micros.to_be_bytes());
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// A timestamp as PostgreSQL keeps it, so that the infinite ones, too, have a value.
struct Micros(i64);

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(micros.wrapping_add(POSTGRES_EPOCH_MICROS)))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_counts_and_none_flows_into_the_next() {
        let leaf = Leaf {
            position: 1,
            aggregate_type: "account".into(),
            aggregate_id: Uuid::nil(),
            sequence: 1,
            event_type: "Placed".into(),
            event_version: "1".into(),
            payload: "{}".into(),
            metadata: "{}".into(),
            recorded_at_micros: 1,
        };
        let variants = [
            leaf.clone(),
            Leaf {
                position: 2,
                ..leaf.clone()
            },
            Leaf {
                aggregate_type: "orde".into(),
                ..leaf.clone()
            },
            Leaf {
                aggregate_id: Uuid::max(),
                ..leaf.clone()
            },
            Leaf {
                sequence: 2,
                ..leaf.clone()
            },
            Leaf {
                event_type: "Placed1".into(),
                event_version: String::new(),
                ..leaf.clone()
            },
            Leaf {
                event_type: "Place".into(),
                event_version: "d1".into(),
                ..leaf.clone()
            },
            Leaf {
                event_version: "2".into(),
                ..leaf.clone()
            },
            Leaf {
                payload: "{}{}".into(),
                metadata: String::new(),
                ..leaf.clone()
            },
            Leaf {
                payload: String::new(),
                metadata: "{}{}".into(),
                ..leaf.clone()
            },
            Leaf {
                recorded_at_micros: 2,
                ..leaf
            },
        ];
        let hashes: std::collections::BTreeSet<Hash> = variants.iter().map(Leaf::hash).collect();
        assert_eq!(hashes.len(), variants.len());
    }
}
