//! The keys of QR codes.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use chrono::{DateTime, NaiveDate, Utc};

use super::SIGNATURE_BYTES;

/// A key that signs. `Debug` shows its id only.
pub struct SigningKey {
    /// Id in payloads and in the published list.
    pub id: u16,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// From its 32 secret bytes. `None` if they are not 32.
    pub fn from_seed(id: u16, seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self { id, pair })
    }

    /// Its public half.
    pub fn public(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        key
    }

    /// The signature of a message; always the same one (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.id)
    }
}

/// A key as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Id in payloads.
    pub id: u16,
    /// Its 32 bytes.
    pub key: [u8; 32],
    /// When it begins to sign.
    pub not_before: DateTime<Utc>,
    /// Licenses for days after this one are not accepted.
    pub not_after: DateTime<Utc>,
}

impl PublicKey {
    /// Whether one of the days from `first` to `last` is within its validity. Whole UTC days are compared, so that a
    /// verifier needs no time zone.
    pub fn is_valid_on(&self, first: NaiveDate, last: NaiveDate) -> bool {
        self.not_before.date_naive() <= last && first <= self.not_after.date_naive()
    }

    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key)
            .verify(message, signature)
            .is_ok()
    }
}
