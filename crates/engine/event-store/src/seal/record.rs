//! A seal: what is signed, what the next one refers to, and its line in the file.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hex;
use super::key::{PublicKey, SealKey};
use super::merkle::{Hash, plain_hash};

/// What every signed message begins with. Another encoding would be another name.
const FORMAT: &[u8] = b"event-log seal 1\n";

/// What `previous_seal_hash` is in the first seal.
pub(crate) const GENESIS: Hash = [0; 32];

/// A signed statement about a range of positions: these events, after those of the seal before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The log's epoch when it was sealed.
    pub epoch: Uuid,
    /// The range's first position.
    pub first: i64,
    /// The range's last position.
    pub last: i64,
    /// Root of the tree over the range's events.
    #[serde(with = "hex")]
    pub merkle_root: [u8; 32],
    /// Hash of the seal before; zeros in the first.
    #[serde(with = "hex")]
    pub previous_seal_hash: [u8; 32],
    /// When it was sealed, by the sealer's clock, to the microsecond.
    #[serde(with = "micros")]
    pub sealed_at: DateTime<Utc>,
    /// Ed25519 over all of the above.
    #[serde(with = "hex")]
    pub signature: [u8; 64],
}

impl Seal {
    /// The seal with its signature by `key`.
    pub(crate) fn signed(mut self, key: &SealKey) -> Self {
        self.signature = key.sign(&self.message());
        self
    }

    pub(crate) fn is_signed_by(&self, keys: &[PublicKey]) -> bool {
        let message = self.message();
        keys.iter().any(|key| key.verifies(&message, &self.signature))
    }

    /// What the next seal refers to.
    pub(crate) fn hash(&self) -> Hash {
        plain_hash(&self.message())
    }

    /// Its line in the file, which follows from the seal alone.
    pub(crate) fn line(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Every field has a fixed length.
    fn message(&self) -> Vec<u8> {
        [
            FORMAT,
            self.epoch.as_bytes(),
            &self.first.to_be_bytes(),
            &self.last.to_be_bytes(),
            &self.merkle_root,
            &self.previous_seal_hash,
            &self.sealed_at.timestamp_micros().to_be_bytes(),
        ]
        .concat()
    }
}

/// A time with exactly six digits of a second, as PostgreSQL keeps it.
mod micros {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{DateTime, SecondsFormat, Utc};

    pub(super) fn serialize<S: Serializer>(time: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
        DateTime::<Utc>::deserialize(from)
    }
}
