//! The entity tags of answers that this instance gave lately: enough to say 304 without asking anything.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::entry::Digest;

/// How many are remembered; the oldest give way.
const MOST: usize = 4096;

/// An entity tag, and when the clock alone makes it another one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tag {
    pub(crate) tag: String,
    pub(crate) changes_at: Option<DateTime<Utc>>,
}

/// Entity tags by what the answer depends on.
#[derive(Debug, Default)]
pub(super) struct Tags(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    by_digest: HashMap<Digest, (Tag, Instant)>,
    oldest_first: VecDeque<Digest>,
}

impl Tags {
    /// The tag that was remembered less than `within` ago.
    pub(super) fn get(&self, of: &Digest, within: Duration) -> Option<Tag> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tag, since) = remembered.by_digest.get(of)?;
        (since.elapsed() < within).then(|| tag.clone())
    }

    pub(super) fn put(&self, of: Digest, tag: Tag) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.by_digest.insert(of, (tag, Instant::now()));
        if known.is_none() {
            remembered.oldest_first.push_back(of);
        }
        if remembered.oldest_first.len() > MOST
            && let Some(oldest) = remembered.oldest_first.pop_front()
        {
            remembered.by_digest.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn the_oldest_give_way_and_all_end() {
        let tags = Tags::default();
        let tag = |number: usize| Tag {
            tag: number.to_string(),
            changes_at: None,
        };
        for number in 0..=MOST {
            tags.put(digest(number), tag(number));
            tags.put(digest(number), tag(number));
        }
        let get = |number| tags.get(&digest(number), Duration::from_mins(1));
        assert_eq!(get(0), None);
        assert_eq!((get(1), get(MOST)), (Some(tag(1)), Some(tag(MOST))));
        let remembered = tags.0.lock().unwrap();
        assert_eq!(
            (remembered.by_digest.len(), remembered.oldest_first.len()),
            (MOST, MOST)
        );
        drop(remembered);
        assert_eq!(tags.get(&digest(1), Duration::ZERO), None);
    }
}
