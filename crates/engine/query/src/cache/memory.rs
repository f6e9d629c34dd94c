//! Answers that this instance gave lately: their entity tags, enough to say 304, and the bodies of those that every reader
//! gets alike, enough to give them again without asking anything.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::entry::Digest;

/// How many are remembered; the oldest give way.
const MOST: usize = 4096;
/// Bytes of all bodies that are remembered; the oldest give way.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// An answer that was given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given {
    /// Its entity tag.
    pub(crate) tag: String,
    /// When the clock alone makes it another one.
    pub(crate) changes_at: Option<DateTime<Utc>>,
    /// What it was, before its position; nothing if it was one reader's own in part.
    pub(crate) body: Option<Arc<[u8]>>,
}

impl Given {
    fn bytes(&self) -> usize {
        self.body.as_ref().map_or(0, |body| body.len())
    }
}

/// Answers by what they depend on.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    by_digest: HashMap<Digest, (Given, Instant)>,
    oldest_first: VecDeque<Digest>,
    bytes: usize,
}

impl Memory {
    /// The answer that was remembered less than `within` ago.
    pub(super) fn get(&self, of: &Digest, within: Duration) -> Option<Given> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (given, since) = remembered.by_digest.get(of)?;
        (since.elapsed() < within).then(|| given.clone())
    }

    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Remembered::default();
    }

    pub(super) fn put(&self, of: Digest, given: Given) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.bytes += given.bytes();
        match remembered.by_digest.insert(of, (given, Instant::now())) {
            Some((known, _)) => remembered.bytes -= known.bytes(),
            None => remembered.oldest_first.push_back(of),
        }
        while remembered.oldest_first.len() > MOST || remembered.bytes > MOST_BYTES {
            let Some(oldest) = remembered.oldest_first.pop_front() else {
                return;
            };
            if let Some((given, _)) = remembered.by_digest.remove(&oldest) {
                remembered.bytes -= given.bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_mins(1);

    fn digest(number: usize) -> Digest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    fn given(number: usize, body: Option<usize>) -> Given {
        Given {
            tag: number.to_string(),
            changes_at: None,
            body: body.map(|bytes| vec![b'x'; bytes].into()),
        }
    }

    #[test]
    fn the_oldest_give_way_and_all_end() {
        let memory = Memory::default();
        for number in 0..=MOST {
            memory.put(digest(number), given(number, None));
            memory.put(digest(number), given(number, None));
        }
        let get = |number| memory.get(&digest(number), WITHIN);
        assert_eq!(get(0), None);
        assert_eq!(
            (get(1), get(MOST)),
            (Some(given(1, None)), Some(given(MOST, None)))
        );
        let remembered = memory.0.lock().unwrap();
        assert_eq!(
            (remembered.by_digest.len(), remembered.oldest_first.len()),
            (MOST, MOST)
        );
        drop(remembered);
        assert_eq!(memory.get(&digest(1), Duration::ZERO), None);
    }

    #[test]
    fn bodies_are_bounded_by_their_bytes() {
        let memory = Memory::default();
        let third = Some(MOST_BYTES / 3);
        for number in 0..3 {
            memory.put(digest(number), given(number, third));
        }
        // In its own place, larger and smaller.
        memory.put(digest(2), given(2, Some(MOST_BYTES / 2)));
        let get = |number| memory.get(&digest(number), WITHIN).map(|given| given.bytes());
        assert_eq!([get(0), get(1), get(2)], [None, third, Some(MOST_BYTES / 2)]);
        memory.put(digest(2), given(2, Some(1)));
        memory.put(digest(3), given(3, third));
        memory.put(digest(4), given(4, third));
        assert_eq!([get(1), get(2), get(3), get(4)], [third, Some(1), third, third]);
        memory.put(digest(5), given(5, Some(MOST_BYTES + 1)));
        assert_eq!(get(5), None, "larger than all that may be remembered");
        assert_eq!(memory.0.lock().unwrap().bytes, 0);
    }
}
