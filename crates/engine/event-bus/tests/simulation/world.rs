//! Everything that the simulated processes share: servers, network, chance, and who watches that the rules are kept.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use envelope::{Contradiction, LogPage, Position};

use crate::broker::Broker;
use crate::faults::Profile;
use crate::log::Log;
use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::schedule::{MS, Process, SECOND, Schedule, Time};
use crate::tables::ReadDatabase;

pub(crate) const RELAYS: [Process; 2] = [0, 1];
pub(crate) const PROJECTORS: [Process; 2] = [2, 3];
pub(crate) const REBUILD: Process = 4;
pub(crate) const PROCESSES: usize = 5;
/// Faults and the appender: no process of the system.
pub(crate) const NATURE: Process = 5;
const NAMES: [&str; 6] = [
    "relay a",
    "relay b",
    "projector a",
    "projector b",
    "rebuild",
    "nature",
];

/// Why a server gave no answer. It may have done what was asked.
pub(crate) type Lost = &'static str;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Log,
    Broker,
    Read,
}

/// What a run did, to see that it met what it is for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) events: u64,
    pub(crate) faults: u64,
    pub(crate) published: u64,
    pub(crate) refused: u64,
    pub(crate) alien_messages: u64,
    pub(crate) streams_created: u64,
    pub(crate) from_stream: u64,
    pub(crate) from_log: u64,
    pub(crate) gaps_refilled: u64,
    pub(crate) dropped_old: u64,
    pub(crate) untrusted: u64,
    pub(crate) epochs_noticed: u64,
    pub(crate) checkpoints_lost: u64,
    pub(crate) starts_over: u64,
    pub(crate) swaps: u64,
    pub(crate) rollbacks: u64,
    pub(crate) contradictions: u64,
    pub(crate) epochs_by_relay: u64,
    /// How long it took to heal.
    pub(crate) calm_ms: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.events += other.events;
        self.faults += other.faults;
        self.published += other.published;
        self.refused += other.refused;
        self.alien_messages += other.alien_messages;
        self.streams_created += other.streams_created;
        self.from_stream += other.from_stream;
        self.from_log += other.from_log;
        self.gaps_refilled += other.gaps_refilled;
        self.dropped_old += other.dropped_old;
        self.untrusted += other.untrusted;
        self.epochs_noticed += other.epochs_noticed;
        self.checkpoints_lost += other.checkpoints_lost;
        self.starts_over += other.starts_over;
        self.swaps += other.swaps;
        self.rollbacks += other.rollbacks;
        self.contradictions += other.contradictions;
        self.epochs_by_relay += other.epochs_by_relay;
        self.calm_ms += other.calm_ms;
    }
}

pub(crate) struct World {
    pub(crate) schedule: Schedule,
    pub(crate) rng: Rng,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) profile: Profile,
    /// No more faults.
    pub(crate) calm: Cell<bool>,
    pub(crate) log: RefCell<Log>,
    pub(crate) broker: RefCell<Broker>,
    pub(crate) read: RefCell<ReadDatabase>,
    /// Who leads, and until when.
    pub(crate) lease: Cell<Option<(Process, Time)>>,
    /// Whether a rebuild holds the live checkpoint where it is.
    pub(crate) fenced: Cell<bool>,
    /// The head that each process was notified of.
    pub(crate) hints: [Cell<Position>; PROCESSES],
    pub(crate) counts: RefCell<Counts>,
    down_until: [Cell<Time>; 3],
    started: Instant,
    violation: RefCell<Option<String>>,
    trace: Option<RefCell<Trace>>,
}

/// The last steps, and a digest of all of them.
struct Trace {
    last: VecDeque<String>,
    digest: u64,
}

const TRACED: usize = 80;

impl World {
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, traced: bool) -> Rc<Self> {
        let rng = Rng::new(seed);
        let profile = Profile::draw(&rng);
        let trace = Trace {
            last: VecDeque::new(),
            digest: 0xcbf2_9ce4_8422_2325,
        };
        Rc::new(Self {
            schedule: Schedule::default(),
            rng,
            mutation,
            profile,
            calm: Cell::new(false),
            log: RefCell::new(Log::new()),
            broker: RefCell::new(Broker::default()),
            read: RefCell::new(ReadDatabase::default()),
            lease: Cell::new(None),
            fenced: Cell::new(false),
            hints: Default::default(),
            counts: RefCell::default(),
            down_until: Default::default(),
            started: Instant::now(),
            violation: RefCell::new(None),
            trace: traced.then(|| RefCell::new(trace)),
        })
    }

    pub(crate) fn now(&self) -> Time {
        self.schedule.now()
    }

    /// The time as the code under test knows it.
    pub(crate) fn instant(&self) -> Instant {
        self.started + Duration::from_micros(self.now())
    }

    pub(crate) fn time_of(&self, instant: Instant) -> Time {
        let since = instant.saturating_duration_since(self.started);
        u64::try_from(since.as_micros()).unwrap()
    }

    pub(crate) fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// A fault that happens now and then, while there are faults.
    pub(crate) fn mishap(&self, per_mille: u64) -> bool {
        !self.calm.get() && per_mille > 0 && self.rng.chance(per_mille)
    }

    pub(crate) fn take_down(&self, server: Server, until: Time) {
        self.down_until[server as usize].set(until);
    }

    pub(crate) fn is_down(&self, server: Server) -> bool {
        self.down_until[server as usize].get() > self.now()
    }

    /// How long a message is under way.
    pub(crate) fn latency(&self) -> Time {
        if self.mishap(self.profile.slow) {
            return self.rng.between(5 * MS..=800 * MS);
        }
        self.rng.between(100..=1_500)
    }

    /// Asks a server, which does it at one moment. No answer is not yet a no.
    pub(crate) async fn ask<T>(
        &self,
        server: Server,
        wait: Time,
        operation: impl FnOnce(&Self) -> T,
    ) -> Result<T, Lost> {
        let deadline = self.now() + wait;
        let arrives = self.now() + self.latency();
        if arrives > deadline || self.mishap(self.profile.lost_requests) {
            self.schedule.sleep_until(deadline).await;
            return Err("the request got lost");
        }
        self.schedule.sleep_until(arrives).await;
        if self.is_down(server) {
            if self.rng.chance(500) {
                self.schedule.sleep_until(deadline).await;
            }
            return Err("the server is down");
        }
        let answer = operation(self);
        let answered = self.now() + self.latency();
        if answered > deadline || self.mishap(self.profile.lost_replies) {
            self.schedule.sleep_until(deadline).await;
            return Err("the reply got lost");
        }
        self.schedule.sleep_until(answered).await;
        Ok(answer)
    }

    /// Changes the live tables, as soon as no rebuild holds them, or not at all.
    pub(crate) async fn change<T>(&self, wait: Time, change: impl FnOnce(&Self) -> T) -> Result<T, Lost> {
        let deadline = self.now() + wait;
        let mut change = Some(change);
        while self.now() < deadline {
            // Waiting for the lock is done by the server: seen from here it is one question.
            let left = deadline - self.now();
            let attempt =
                |world: &Self| (!world.fenced.get()).then(|| change.take().map(|change| change(world)));
            match self.ask(Server::Read, left, attempt).await? {
                Some(changed) => return changed.ok_or("done already"),
                None => self.schedule.sleep(10 * MS).await,
            }
        }
        Err("the lock was not let go of")
    }

    /// A page of the log: in one statement, or in two, the events first.
    pub(crate) async fn read_page(&self, after: Position, limit: u32) -> Result<LogPage, Lost> {
        const WAIT: Time = 5 * SECOND;
        if self.has(Mutation::ReadTheHeadFirst) {
            let head = self.head(WAIT).await?;
            let events = self.ask(Server::Log, WAIT, |world| {
                world.log.borrow().now().after(after, limit)
            });
            return Ok(LogPage {
                head,
                events: events.await?,
            });
        }
        if self.rng.chance(500) {
            return self
                .ask(Server::Log, WAIT, |world| {
                    world.log.borrow().now().page(after, limit)
                })
                .await;
        }
        let events = self.ask(Server::Log, WAIT, |world| {
            world.log.borrow().now().after(after, limit)
        });
        let events = events.await?;
        let head = self.head(WAIT).await?;
        Ok(LogPage { head, events })
    }

    pub(crate) async fn head(&self, wait: Time) -> Result<envelope::LogHead, Lost> {
        self.ask(Server::Log, wait, |world| world.log.borrow().now().head())
            .await
    }

    /// A reader found that the log does not hold what was read from it. Nothing heals that by itself: an operator begins a
    /// new epoch a little later.
    pub(crate) fn contradicted(self: &Rc<Self>, why: Contradiction) {
        if !self.log.borrow().stepped_back() {
            self.violated(|| format!("the log never stepped back in silence, and yet: {why}"));
        }
        self.count(|counts| counts.contradictions += 1);
        let (world, ends) = (Rc::clone(self), self.log.borrow().now().epoch);
        let noticed = self.now() + self.rng.between(SECOND..=5 * SECOND);
        self.schedule.at(noticed, move || {
            world.log.borrow_mut().begin_epoch(ends);
        });
    }

    /// A rule was broken. Only the first one counts: the others follow from it.
    pub(crate) fn violated(&self, what: impl FnOnce() -> String) {
        let mut violation = self.violation.borrow_mut();
        if violation.is_none() {
            let what = what();
            drop(violation);
            self.note(NATURE, || format!("VIOLATED: {what}"));
            violation = self.violation.borrow_mut();
            *violation = Some(what);
        }
    }

    pub(crate) fn violation(&self) -> Option<String> {
        self.violation.borrow().clone()
    }

    /// Records a step, if the run is traced.
    pub(crate) fn note(&self, process: Process, what: impl FnOnce() -> String) {
        let Some(trace) = &self.trace else { return };
        let (ms, us) = (self.now() / MS, self.now() % MS);
        let line = format!("{ms:>7}.{us:03} {:<12} {}", NAMES[process], what());
        let mut trace = trace.borrow_mut();
        for byte in line.bytes() {
            trace.digest = (trace.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if trace.last.len() == TRACED {
            trace.last.pop_front();
        }
        trace.last.push_back(line);
    }

    /// The last steps and the digest of all.
    pub(crate) fn trace(&self) -> (Vec<String>, u64) {
        self.trace.as_ref().map_or_else(Default::default, |trace| {
            let trace = trace.borrow();
            (trace.last.iter().cloned().collect(), trace.digest)
        })
    }

    pub(crate) fn count(&self, one_more: impl FnOnce(&mut Counts)) {
        one_more(&mut self.counts.borrow_mut());
    }
}
