//! Answers that many readers get, kept in Redis for all instances, by the versions of the rows that they were made of.
//!
//! A version is written in the transaction that changes the rows, and is known here as soon as the position is
//! ([`crate::Projection`]). An answer is kept under the versions of the snapshot that it was read in. So rows that changed
//! have other keys: nothing has to be taken out of Redis, and whatever happens there, an answer that is found is of the rows
//! that there are now. What the clock alone changes ends before that moment.
//!
//! While the versions are not known for sure, and for rows of another log, nothing is looked up and nothing is kept.

mod budget;
mod entry;
mod flights;
mod memory;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use service::problem::Problem;
use service::redis::Redis;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use self::budget::Budget;
use self::flights::{Boarding, Flight, Flights, GivenUp};
use self::memory::Memory;
use crate::answer::AnswerPosition;
use crate::cursor::Cursors;
use crate::error::Error;
use crate::mark::Mark;
use crate::projection::Projection;
use crate::version::{DatabaseClock, Shared, Version};
use crate::{failure, metrics};

pub(crate) use self::entry::{Digest, Entry};
pub(crate) use self::memory::Given;

/// The form of what is kept. Another form gets another number, and so other keys.
const FORMAT: u8 = 1;
/// Separates the key of the seals from all others that follow from the same secret.
const PURPOSE: &[u8] = b"shared answers 1";
/// How long an answer is kept. Rows that are changed by hand, without a new version, show after that.
const KEPT_FOR: Duration = Duration::from_mins(5);
/// The largest answer that is kept.
const MOST_BYTES: usize = 256 * 1024;
/// What this instance stores while an answer is kept.
const BUDGET_BYTES: u64 = 32 * 1024 * 1024;

/// Keeps answers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    redis: Redis,
    key: hmac::Key,
    space: String,
    projections: Vec<Projection>,
    flights: Flights<Landed>,
    memory: Memory,
    budget: Budget,
}

/// Which rows there are now of those that an answer is made of.
#[derive(Debug)]
pub(crate) struct Now {
    position: u64,
    versions: Vec<Version>,
    clock: DatabaseClock,
}

/// What an answer depends on, and so where it is kept.
#[derive(Debug)]
pub(crate) struct Key {
    name: String,
    digest: Digest,
}

/// What a look gives those who waited for it.
#[derive(Clone, Debug)]
enum Landed {
    /// Of the versions that were known.
    Current(Entry),
    /// Of newer rows: they changed before they were read.
    Newer(Found),
}

/// An answer with its place in the log.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) entry: Entry,
    pub(crate) place: AnswerPosition,
    pub(crate) epoch: Uuid,
    /// Whether it is of the rows that were known, and not of others.
    pub(crate) current: bool,
    clock: DatabaseClock,
}

impl Found {
    /// An answer that was just read.
    pub(crate) fn read(answer: String, mark: &Mark) -> Self {
        Self {
            entry: Entry {
                changes_at: mark.changes_at,
                answer: answer.into(),
            },
            place: AnswerPosition::at(mark.checkpoint.position, mark.stale),
            epoch: mark.checkpoint.epoch,
            current: false,
            clock: mark.clock,
        }
    }

    /// An answer that is kept: it is of the rows that there are now.
    fn kept(entry: Entry, now: &Now) -> Self {
        Self {
            entry,
            place: now.place(),
            epoch: now.epoch(),
            current: true,
            clock: now.clock,
        }
    }

    /// How long the clock leaves it true; nothing if the clock does not change it.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.entry.changes_at.map(|at| self.clock.until(at))
    }
}

impl Now {
    /// Where in the log this is.
    pub(crate) fn place(&self) -> AnswerPosition {
        AnswerPosition::at(self.position, false)
    }

    /// Of which log.
    pub(crate) fn epoch(&self) -> Uuid {
        let first = self.versions.first();
        first.map(|version| version.epoch).unwrap_or_default()
    }

    /// How long the clock leaves an answer true.
    pub(crate) fn left(&self, given: &Given) -> Option<Duration> {
        given.changes_at.map(|at| self.clock.until(at))
    }

    /// Whether rows that were read are those that were known, or newer ones of the same tables. A standby may have older ones.
    /// Only the first projection has a position to tell: what the answer needs of others must be what was known.
    fn is_before(&self, shared: &Shared, mark: &Mark) -> bool {
        let (Some(read), Some(first)) = (&mark.versions, shared.of.first()) else {
            return false;
        };
        let mut pairs = shared.of.iter().zip(self.versions.iter().zip(read));
        mark.checkpoint.position >= self.position
            && pairs.all(|(collection, (known, read))| {
                let same_tables = known.epoch == read.epoch && known.tables == read.tables;
                known == read || (collection.projection == first.projection && same_tables)
            })
    }

    fn holds(&self, entry: &Entry) -> bool {
        entry.changes_at.is_none_or(|at| !self.clock.until(at).is_zero())
    }
}

impl Key {
    /// What an answer for this reader depends on.
    pub(crate) fn of_reader(&self, reader: Option<Uuid>) -> Digest {
        let reader = reader.unwrap_or_default();
        digest_of(&[&self.digest, reader.as_bytes()])
    }
}

impl Cache {
    /// In this Redis, under keys that begin with `space`, which names the build as far as it makes answers another way. The
    /// seals follow from the secret of the cursors. `projections` are those that answers are made of.
    pub fn new(redis: Redis, space: String, cursors: &Cursors, projections: Vec<Projection>) -> Self {
        Self(Arc::new(Inner {
            redis,
            key: cursors.derived(PURPOSE),
            space,
            projections,
            flights: Flights::default(),
            memory: Memory::default(),
            budget: Budget::new(BUDGET_BYTES, KEPT_FOR),
        }))
    }

    /// Forgets what this instance gave lately. Redis still has it.
    pub fn forget(&self) {
        self.0.memory.forget();
    }

    /// Which rows there are now; nothing while that is not known for sure.
    pub(crate) fn now(&self, shared: &Shared) -> Option<Now> {
        let mut now: Option<Now> = None;
        for collection in shared.of {
            let mut projections = self.0.projections.iter();
            let known = projections
                .find(|projection| projection.name() == collection.projection)?
                .known()?;
            let version = known.version(collection.name);
            let now = now.get_or_insert_with(|| Now {
                position: known.position,
                versions: Vec::with_capacity(shared.of.len()),
                clock: known.clock,
            });
            now.versions.push(version);
        }
        now
    }

    /// Where the answer to a question is kept, of the rows as they are now. `scope` is which of them its readers may see.
    pub(crate) fn key(&self, shared: &Shared, now: &Now, scope: &str, question: &str) -> Key {
        let mut parts: Vec<Vec<u8>> = vec![vec![FORMAT], shared.name.into(), scope.into(), question.into()];
        for version in &now.versions {
            let rows = version.rows.unwrap_or_default();
            let ids = [version.epoch, version.tables, rows];
            parts.push(ids.iter().flat_map(|id| *id.as_bytes()).collect());
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let digest = digest_of(&parts);
        let space = &self.0.space;
        Key {
            name: format!(
                "{space}:{}:{scope}:{}",
                shared.name,
                URL_SAFE_NO_PAD.encode(digest)
            ),
            digest,
        }
    }

    /// What this instance gave lately, if it still holds.
    pub(crate) fn given(&self, now: &Now, of: &Digest) -> Option<Given> {
        let given = self.0.memory.get(of, KEPT_FOR)?;
        let ended = now.left(&given).is_some_and(|left| left.is_zero());
        (!ended).then_some(given)
    }

    /// Remembers an answer.
    pub(crate) fn remember(&self, of: Digest, given: Given) {
        self.0.memory.put(of, given);
    }

    /// The answer that is kept, or else the one that `read` gives. Requests for the same answer wait for the first of them,
    /// no longer than `patience`; if that gives none for them, each reads by itself.
    pub(crate) async fn find(
        &self,
        shared: &Shared,
        key: &Key,
        now: &Now,
        patience: Duration,
        read: impl Future<Output = Result<(String, Mark), Problem>>,
    ) -> Result<Found, Problem> {
        let deadline = Instant::now() + patience;
        loop {
            let follower = match self.0.flights.board(key.digest) {
                Boarding::Leads(flight) => return self.lead(shared, key, now, read, &flight).await,
                Boarding::Follows(follower) => follower,
            };
            match timeout_at(deadline, follower.landed()).await {
                Err(_elapsed) => return Err(failure::problem(&Error::Silent)),
                Ok(Err(GivenUp)) => {}
                Ok(Ok(Some(Landed::Current(entry)))) if now.holds(&entry) => {
                    metrics::looked_up(shared.name, "joined");
                    return Ok(Found::kept(entry, now));
                }
                Ok(Ok(Some(Landed::Newer(found))))
                    if found.place.position() >= now.position && now.holds(&found.entry) =>
                {
                    metrics::looked_up(shared.name, "joined");
                    return Ok(found);
                }
                Ok(Ok(_)) => {
                    metrics::looked_up(shared.name, "miss");
                    let (answer, mark) = read.await?;
                    return Ok(Found::read(answer, &mark));
                }
            }
        }
    }

    async fn lead(
        &self,
        shared: &Shared,
        key: &Key,
        now: &Now,
        read: impl Future<Output = Result<(String, Mark), Problem>>,
        flight: &Flight<Landed>,
    ) -> Result<Found, Problem> {
        if let Some(entry) = self.fetch(shared, key).await
            && now.holds(&entry)
        {
            metrics::looked_up(shared.name, "hit");
            flight.land(Some(Landed::Current(entry.clone())));
            return Ok(Found::kept(entry, now));
        }
        metrics::looked_up(shared.name, "miss");
        let (answer, mark) = match read.await {
            Ok(read) => read,
            Err(problem) => {
                flight.land(None);
                return Err(problem);
            }
        };
        let found = Found {
            // Else the rows changed since they were known, or the database that was asked has not got them yet.
            current: mark.versions.as_ref() == Some(&now.versions),
            ..Found::read(answer, &mark)
        };
        flight.land(if found.current {
            Some(Landed::Current(found.entry.clone()))
        } else {
            now.is_before(shared, &mark).then(|| Landed::Newer(found.clone()))
        });
        let outcome = if found.current {
            self.store(key, &found).await
        } else {
            "changed"
        };
        metrics::stored(shared.name, outcome);
        Ok(found)
    }

    async fn fetch(&self, shared: &Shared, key: &Key) -> Option<Entry> {
        let bytes = self.0.redis.get(&key.name).await?;
        let entry = Entry::open(&self.0.key, &key.digest, &bytes);
        if entry.is_none() {
            metrics::looked_up(shared.name, "refused");
        }
        entry
    }

    /// Stores an answer, and says how that ended.
    async fn store(&self, key: &Key, found: &Found) -> &'static str {
        let inner = &self.0;
        let kept_for = found.left().map_or(KEPT_FOR, |left| left.min(KEPT_FOR));
        if kept_for < Duration::from_millis(1) {
            return "changed";
        }
        if found.entry.answer.len() > MOST_BYTES {
            return "too_large";
        }
        let bytes = found.entry.seal(&inner.key, &key.digest);
        if !inner.budget.take(bytes.len()) {
            return "no_budget";
        }
        if inner.redis.set(&key.name, bytes, kept_for).await {
            "stored"
        } else {
            "failed"
        }
    }
}

/// SHA-256 of parts, each with its length in front, so that no byte can move from one to the next.
fn digest_of(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut found = [0; 32];
    found.copy_from_slice(context.finish().as_ref());
    found
}
