//! An answer as it is kept: sealed, so that whatever else is found under its key counts as nothing.

use std::sync::Arc;

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};

/// Identifies all that an answer depends on.
pub(crate) type Digest = [u8; 32];

/// Bytes of an HMAC-SHA256 tag.
const TAG_BYTES: usize = 32;
/// Bytes of a moment.
const MOMENT_BYTES: usize = 8;
/// The moment of what the clock does not change.
const NEVER: i64 = i64::MAX;

/// An answer that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// When the clock alone makes it another one.
    pub(crate) changes_at: Option<DateTime<Utc>>,
    /// JSON, without anything that is one reader's own.
    pub(crate) answer: Arc<str>,
}

impl Entry {
    /// The bytes that are kept under a key.
    pub(super) fn seal(&self, key: &hmac::Key, of: &Digest) -> Vec<u8> {
        // Rounded down, so never later than the moment.
        let moment = self.changes_at.map_or(NEVER, |at| at.timestamp_micros());
        let mut bytes = vec![0; TAG_BYTES];
        bytes.extend_from_slice(&moment.to_be_bytes());
        bytes.extend_from_slice(self.answer.as_bytes());
        let tag = hmac::sign(key, &signed(of, &bytes[TAG_BYTES..]));
        bytes[..TAG_BYTES].copy_from_slice(tag.as_ref());
        bytes
    }

    /// What was sealed for this key; nothing of any other bytes.
    pub(super) fn open(key: &hmac::Key, of: &Digest, bytes: &[u8]) -> Option<Self> {
        let (tag, content) = bytes.split_at_checked(TAG_BYTES)?;
        hmac::verify(key, &signed(of, content), tag).ok()?;
        let (moment, answer) = content.split_first_chunk::<MOMENT_BYTES>()?;
        let changes_at = match i64::from_be_bytes(*moment) {
            NEVER => None,
            micros => Some(DateTime::from_timestamp_micros(micros)?),
        };
        Some(Self {
            changes_at,
            answer: std::str::from_utf8(answer).ok()?.into(),
        })
    }
}

fn signed(of: &Digest, content: &[u8]) -> Vec<u8> {
    [of.as_slice(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_for_the_key_opens() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let of = [7; 32];
        for changes_at in [None, DateTime::from_timestamp_micros(1_234_567)] {
            let entry = Entry {
                changes_at,
                answer: r#"{"items":["æ"]}"#.into(),
            };
            let sealed = entry.seal(&key, &of);
            assert_eq!(Entry::open(&key, &of, &sealed), Some(entry));
            assert_eq!(Entry::open(&key, &[8; 32], &sealed), None, "of another key");
            let other = hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]);
            assert_eq!(Entry::open(&other, &of, &sealed), None, "of another secret");
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(Entry::open(&key, &of, &changed), None, "byte {at}");
                assert_eq!(Entry::open(&key, &of, &sealed[..at]), None, "{at} bytes");
            }
        }
    }
}
