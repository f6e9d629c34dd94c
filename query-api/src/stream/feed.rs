//! One reader's stream: what the reader may see of what is told, heartbeats, and the end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use read_model::changes::{Change, Place};
use service::auth::{Principal, Session, Who, Whose};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::events::{self, End};
use super::hub::{Subscription, Told};
use crate::metrics;

/// How long a client waits before it comes again, and how much longer by chance.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_SPREAD: Duration = Duration::from_secs(3);

/// What the reader is told first.
#[derive(Debug)]
pub(super) enum Beginning {
    /// From here on.
    Ready(Place),
    /// What changed since the reader's last event.
    Missed { changes: Vec<Change>, place: Place },
    /// Nothing of before: the reader reads again.
    Reset { reason: &'static str, place: Place },
}

/// One reader's stream.
#[derive(Debug)]
pub(super) struct Feed {
    subscription: Subscription,
    session: Session,
    principal: Principal,
    /// Up to where everything was told.
    place: Place,
    waiting: VecDeque<Event>,
    /// When it ends at the latest, and why.
    ends: (Instant, End),
    heartbeat: Instant,
    over: bool,
}

impl Feed {
    pub(super) fn new(
        subscription: Subscription,
        session: Session,
        principal: Principal,
        beginning: Beginning,
    ) -> Self {
        let now = Instant::now();
        let options = subscription.options();
        // Streams which began together do not end together.
        let age = options.max_age * 2 / 3 + by_chance(options.max_age / 3);
        let token = session.remaining();
        let ends = if token < age {
            (now + token, End::TokenEnded)
        } else {
            (now + age, End::MaxAge)
        };
        let mut feed = Self {
            subscription,
            session,
            principal,
            place: Place::default(),
            waiting: VecDeque::new(),
            ends,
            heartbeat: now + options.heartbeat,
            over: false,
        };
        feed.begin(beginning);
        feed
    }

    fn begin(&mut self, beginning: Beginning) {
        let place = match beginning {
            Beginning::Ready(place) => place,
            Beginning::Missed { changes, place } => {
                // The place comes with `ready`: a reader who loses the connection before it comes again from the same.
                let told = changes.iter().map(|change| events::changed(change, None));
                self.waiting.extend(told);
                place
            }
            Beginning::Reset { reason, place } => {
                self.waiting.push_back(events::reset(place, reason));
                place
            }
        };
        self.place = place;
        let retry = RETRY + by_chance(RETRY_SPREAD);
        self.waiting.push_back(events::ready(place, retry));
    }

    /// The next event; nothing after the last one.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                ::metrics::counter!(metrics::STREAM_EVENTS).increment(1);
                self.heartbeat = Instant::now() + self.subscription.options().heartbeat;
                return Some(event);
            }
            if self.over {
                return None;
            }
            let (ends, end) = self.ends;
            tokio::select! {
                biased;
                () = sleep_until(ends) => self.end(end),
                told = self.subscription.next() => match told {
                    Ok(told) => self.take(&told),
                    Err(end) => self.end(end),
                },
                () = sleep_until(self.heartbeat) => self.beat(),
            }
        }
    }

    fn take(&mut self, told: &Arc<Told>) {
        let own = told
            .accounts
            .iter()
            .rev()
            .find(|(user_id, _)| *user_id == self.session.user_id());
        if let Some((_, account)) = own {
            // Before anything that was told with it: the reader may not be one for that any more.
            match self.session.under(account.clone()) {
                Err(_) => return self.end(End::SessionRevoked),
                Ok(principal) if principal != self.principal => return self.end(End::RolesChanged),
                Ok(_) => {}
            }
        }
        if let (Some(reason), Some(place)) = (told.reset, told.place) {
            self.place = place;
            self.waiting.push_back(events::reset(place, reason));
            return;
        }
        // A stream that began with later rows than were told goes on from there.
        let told_already = self.place.checkpoint.position;
        let place = told
            .place
            .filter(|place| place.checkpoint.position >= told_already);
        self.place = place.unwrap_or(self.place);
        let news = |change: &&Change| change.position > told_already && sees(&self.principal, change);
        let mut visible = told.changes.iter().filter(news).peekable();
        while let Some(change) = visible.next() {
            let place = place.filter(|_| visible.peek().is_none());
            self.waiting.push_back(events::changed(change, place));
        }
    }

    fn beat(&mut self) {
        match self.subscription.idle() {
            Ok(place) => {
                let ahead = place.filter(|place| place.checkpoint.position >= self.place.checkpoint.position);
                self.place = ahead.unwrap_or(self.place);
                self.waiting.push_back(events::heartbeat(ahead));
            }
            Err(told) => self.take(&told),
        }
    }

    fn end(&mut self, end: End) {
        ::metrics::counter!(metrics::STREAMS_ENDED, "reason" => end.reason()).increment(1);
        self.waiting.push_back(events::ended(end));
        self.over = true;
    }
}

/// As lists show rows to their readers.
fn sees(principal: &Principal, change: &Change) -> bool {
    let whose = Whose {
        owner: change.owner,
        clubs: &change.clubs,
    };
    change.of.is_public || Who::Theirs.admits(principal, whose)
}

/// A part of `most`, from the random bits of an id.
fn by_chance(most: Duration) -> Duration {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    let parts = u32::try_from(random >> 48).unwrap_or(0);
    most * parts / (1 << 16)
}
