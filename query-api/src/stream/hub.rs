//! Who follows, and what each of them is handed.
//!
//! **Invariants:** what is told is handed to every reader whom it may concern, in order, or the reader's stream ends. A
//! reader who takes nothing holds up no other: each has a queue of its own, with a bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use clap::Args;
use read_model::changes::{Change, Place};
use service::auth::Account;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::events::End;
use crate::metrics;

/// The most streams of one reader.
pub const MOST_OF_READER: usize = 10;

/// Limits of streams. The command line offers what depends on the installation.
#[derive(Clone, Copy, Debug, Args)]
pub struct StreamOptions {
    /// The most streams of changes open at once; each is also one of --max-connections
    #[arg(long, env = "MAX_STREAMS", default_value_t = Self::MAX_STREAMS, value_name = "COUNT")]
    pub max_streams: usize,
    /// The most that waits for one reader. Each is what changed in a moment, shared by all whom it concerns
    #[arg(skip = Self::QUEUE)]
    pub queue: usize,
    /// How often an idle stream says that it lives
    #[arg(skip = Self::HEARTBEAT)]
    pub heartbeat: Duration,
    /// How long a stream may last
    #[arg(skip = Self::MAX_AGE)]
    pub max_age: Duration,
}

impl StreamOptions {
    const MAX_STREAMS: usize = 10_000;
    const QUEUE: usize = 64;
    /// Less than proxies wait for an answer that goes on, which is a minute by default.
    const HEARTBEAT: Duration = Duration::from_secs(15);
    const MAX_AGE: Duration = Duration::from_mins(15);
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            max_streams: Self::MAX_STREAMS,
            queue: Self::QUEUE,
            heartbeat: Self::HEARTBEAT,
            max_age: Self::MAX_AGE,
        }
    }
}

/// What is handed to readers at once.
#[derive(Debug)]
pub(super) struct Told {
    /// Rows that changed, by their positions.
    pub(super) changes: Vec<Change>,
    /// What users may do from now on.
    pub(super) accounts: Vec<(Uuid, Account)>,
    /// Why all must read again, if they must.
    pub(super) reset: Option<&'static str>,
    /// Up to which position this is all.
    pub(super) through: u64,
    /// Where the rows are, if nothing of them is left to tell.
    pub(super) place: Option<Place>,
}

/// Why there is no stream for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    TooManyOfReader,
    Full,
    Unavailable,
}

/// Everyone who follows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: StreamOptions,
    registry: Mutex<Registry>,
    looked: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Registry {
    readers: HashMap<Uuid, Vec<Entry>>,
    open: usize,
    /// The number of the last stream.
    last: u64,
    /// Where the rows are; none before the first look.
    place: Option<Place>,
    /// Up to which position all was handed on.
    through: u64,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Whether rows that are not the reader's own may concern the reader.
    concerned_by_others: bool,
    queue: mpsc::Sender<Arc<Told>>,
    end: Arc<OnceLock<End>>,
}

/// One stream's place among all. Dropped, it is free for another.
#[derive(Debug)]
pub(super) struct Subscription {
    hub: Hub,
    user_id: Uuid,
    number: u64,
    /// Where the rows were when it began, and up to which position it is told nothing.
    began: (Place, u64),
    queue: mpsc::Receiver<Arc<Told>>,
    end: Arc<OnceLock<End>>,
}

impl Hub {
    pub(super) fn new(options: StreamOptions) -> Self {
        for end in End::ALL {
            ::metrics::counter!(metrics::STREAMS_ENDED, "reason" => end.reason()).increment(0);
        }
        ::metrics::counter!(metrics::STREAM_EVENTS).increment(0);
        Self(Arc::new(Shared {
            options,
            registry: Mutex::default(),
            looked: watch::Sender::new(false),
        }))
    }

    /// Returns once the rows were looked at.
    pub(super) async fn looked(&self) {
        // The sender lives as long as this.
        let _ = self.0.looked.subscribe().wait_for(|looked| *looked).await;
    }

    /// Begins a stream. It gets what concerns others, too, until it says that it need not.
    pub(super) fn subscribe(&self, user_id: Uuid) -> Result<Subscription, Refused> {
        let mut registry = self.registry();
        let Some(place) = registry.place.filter(|_| !registry.closed) else {
            return Err(Refused::Unavailable);
        };
        if registry
            .readers
            .get(&user_id)
            .is_some_and(|streams| streams.len() >= MOST_OF_READER)
        {
            return Err(Refused::TooManyOfReader);
        }
        if registry.open >= self.0.options.max_streams {
            return Err(Refused::Full);
        }
        registry.last += 1;
        registry.open += 1;
        let (queue, handed) = mpsc::channel(self.0.options.queue);
        let end = Arc::new(OnceLock::new());
        let (number, through) = (registry.last, registry.through);
        registry.readers.entry(user_id).or_default().push(Entry {
            number,
            concerned_by_others: true,
            queue,
            end: Arc::clone(&end),
        });
        registry.show();
        Ok(Subscription {
            hub: self.clone(),
            user_id,
            number,
            began: (place, through),
            queue: handed,
            end,
        })
    }

    /// Hands on what was found.
    pub(super) fn tell(&self, told: Told) {
        let told = Arc::new(told);
        let mut registry = self.registry();
        registry.hand_on(&told);
        registry.through = told.through;
        registry.place = told.place.or(registry.place);
        drop(registry);
        self.0
            .looked
            .send_if_modified(|looked| !std::mem::replace(looked, true));
    }

    /// Ends all streams, and lets none begin.
    pub(super) fn close(&self) {
        let mut registry = self.registry();
        registry.closed = true;
        for entry in registry.readers.drain().flat_map(|(_, streams)| streams) {
            // One that ended already for another reason keeps it.
            let _ = entry.end.set(End::Shutdown);
        }
        registry.open = 0;
        registry.show();
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Each change is whole, also after a panic while the lock was held.
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    fn hand_on(&mut self, told: &Arc<Told>) {
        let concerns_all = told.reset.is_some() || told.changes.iter().any(|change| change.of.is_public);
        let owners = told.changes.iter().filter_map(|change| change.owner);
        let users = told.accounts.iter().map(|(user_id, _)| *user_id);
        let mut concerned: Vec<Uuid> = owners.chain(users).collect();
        concerned.sort_unstable();
        let anything = !told.changes.is_empty();
        let mut dropped = 0;
        self.readers.retain(|user_id, streams| {
            let concerns_user = concerns_all || concerned.binary_search(user_id).is_ok();
            streams.retain(|entry| {
                if !(concerns_user || anything && entry.concerned_by_others) {
                    return true;
                }
                let kept = entry.hand(told);
                dropped += usize::from(!kept);
                kept
            });
            !streams.is_empty()
        });
        self.open -= dropped;
        if dropped > 0 {
            self.show();
        }
    }

    fn remove(&mut self, user_id: Uuid, number: u64) {
        let Some(streams) = self.readers.get_mut(&user_id) else {
            return;
        };
        let before = streams.len();
        streams.retain(|entry| entry.number != number);
        let removed = before - streams.len();
        if streams.is_empty() {
            self.readers.remove(&user_id);
        }
        self.open -= removed;
        self.show();
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of connections")]
    fn show(&self) {
        ::metrics::gauge!(metrics::STREAMS_OPEN).set(self.open as f64);
    }
}

impl Entry {
    /// Whether the stream goes on.
    fn hand(&self, told: &Arc<Told>) -> bool {
        match self.queue.try_send(Arc::clone(told)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                let _ = self.end.set(End::TooSlow);
                false
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

impl Subscription {
    /// Whether rows at this place are those that are told on: of the same log, not behind them, and with no parked event whose
    /// end would not be noticed.
    pub(super) fn is_of(&self, read: Place) -> bool {
        let (place, through) = self.began;
        place.checkpoint.epoch == read.checkpoint.epoch
            && read.checkpoint.position >= through
            && place.parked >= read.parked
    }

    /// Says whether rows that are not the reader's own may concern the reader.
    pub(super) fn concerned_by_others(&self, concerned: bool) {
        let mut registry = self.hub.registry();
        let streams = registry.readers.get_mut(&self.user_id);
        let own = streams.and_then(|streams| streams.iter_mut().find(|entry| entry.number == self.number));
        if let Some(entry) = own {
            entry.concerned_by_others = concerned;
        }
    }

    /// The limits of its stream.
    pub(super) fn options(&self) -> StreamOptions {
        self.hub.0.options
    }

    /// What is handed over next, or why nothing is any more.
    pub(super) async fn next(&mut self) -> Result<Arc<Told>, End> {
        match self.queue.recv().await {
            Some(told) => Ok(told),
            None => Err(self.end.get().copied().unwrap_or(End::Shutdown)),
        }
    }

    /// What waits to be taken, or, if nothing does, up to where everything was.
    pub(super) fn idle(&mut self) -> Result<Option<Place>, Arc<Told>> {
        // In this order: what was handed over up to that place is in the queue already.
        let place = self.hub.registry().place;
        self.queue.try_recv().map_or(Ok(place), Err)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.registry().remove(self.user_id, self.number);
    }
}
