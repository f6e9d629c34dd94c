//! A command-api's relay: leads by lease, and publishes what the stream lacks. It drives the real [`PublisherCore`] as
//! `Publisher` and `command-api/src/{leader,relay}.rs` do.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use envelope::{LogHead, LogPage, Position, RecordedEvent};
use event_bus::decide::{Claim, LiveStream, PublisherCore, Stop, first_of_new_stream};
use event_bus::{PreviousPositions, Tail, TailError};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::log::Life;
use crate::mutation::Mutation;
use crate::schedule::{MS, Process, SECOND, Task, Time};
use crate::world::{Server, World};

const LASTS: Time = 2 * SECOND;
const BEAT: Time = 400 * MS;
const POLL: Time = SECOND;
const REASSURE: Time = 10 * SECOND;
const PAUSE: Time = 300 * MS;
const ACK_WAIT: Time = 5 * SECOND;
const NATS_WAIT: Time = 5 * SECOND;
const LOG_WAIT: Time = 5 * SECOND;

/// Leads whenever it can, for ever.
pub(crate) async fn run(world: Rc<World>, me: Process) {
    loop {
        if let Ok(true) = hold(&world, me, LOG_WAIT).await {
            world.note(me, || "leads".into());
            let relay = Relay::new(Rc::clone(&world), me);
            let work = world.schedule.spawn(me, relay.work());
            renew(&world, me).await;
            world.note(me, || "leads no more".into());
            world.schedule.kill(work);
        }
        world.schedule.sleep(BEAT).await;
    }
}

/// Renews until the lease may have run out.
async fn renew(world: &World, me: Process) {
    let mut runs_out = world.now() + LASTS;
    loop {
        world.schedule.sleep(BEAT).await;
        let asked = world.now();
        let wait = runs_out.saturating_sub(asked);
        match hold(world, me, wait).await {
            Ok(true) => runs_out = asked + LASTS,
            Err(_) if world.now() < runs_out => {}
            _ => return,
        }
    }
}

/// Takes, renews or takes over the lease, by the database's clock.
async fn hold(world: &World, me: Process, wait: Time) -> Result<bool, &'static str> {
    let hold = |world: &World| {
        let held = world.lease.get();
        let free = held.is_none_or(|(owner, until)| owner == me || until < world.now());
        if free {
            world.lease.set(Some((me, world.now() + LASTS)));
        }
        free
    };
    world.ask(Server::Log, wait, hold).await
}

struct Relay {
    world: Rc<World>,
    me: Process,
    core: PublisherCore,
    batch: u32,
    backlog: u64,
    acks: Acks,
    sent: u64,
    knows_where_it_is: bool,
}

type Failed = String;

/// Why publishing stopped.
enum Stopped {
    Tail(TailError),
    Failed(Failed),
}

impl From<TailError> for Stopped {
    fn from(error: TailError) -> Self {
        Self::Tail(error)
    }
}

impl From<Failed> for Stopped {
    fn from(why: Failed) -> Self {
        Self::Failed(why)
    }
}

impl From<&'static str> for Stopped {
    fn from(why: &'static str) -> Self {
        Self::Failed(why.into())
    }
}

/// The sequence at which the broker stored a message, or why not.
type Taken = Result<u64, &'static str>;
/// Answers that came, by the number of the message.
type Acks = Rc<RefCell<BTreeMap<u64, Taken>>>;

impl Relay {
    fn new(world: Rc<World>, me: Process) -> Self {
        let most = world.rng.between(1..=20);
        Self {
            core: PublisherCore::new(usize::try_from(most).unwrap()),
            batch: u32::try_from(world.rng.between(1..=30)).unwrap(),
            backlog: world.rng.between(0..=100),
            acks: Rc::default(),
            sent: 0,
            knows_where_it_is: false,
            world,
            me,
        }
    }

    async fn work(mut self) {
        loop {
            if let Err(why) = self.publish().await {
                self.world.note(self.me, || format!("interrupted: {why}"));
                self.world.schedule.sleep(PAUSE).await;
            }
        }
    }

    async fn publish(&mut self) -> Result<(), Failed> {
        let epoch = self.world.head(LOG_WAIT).await?.epoch;
        match self.publish_life(epoch).await {
            Err(Stopped::Tail(error @ TailError::Contradicted(_))) => {
                let begin = |world: &World| world.log.borrow_mut().begin_epoch(epoch);
                if self.world.ask(Server::Log, LOG_WAIT, begin).await? {
                    self.world.count(|counts| counts.epochs_by_relay += 1);
                    self.world.note(self.me, || "begins a new epoch".into());
                }
                Err(error.to_string())
            }
            Err(Stopped::Tail(error)) => Err(error.to_string()),
            Err(Stopped::Failed(why)) => Err(why),
            Ok(()) => Ok(()),
        }
    }

    async fn publish_life(&mut self, epoch: Uuid) -> Result<(), Stopped> {
        let mut tail = self.tail(epoch).await?;
        tail.check(&self.life(epoch).await?)
            .now_or_never()
            .expect("it never waits")?;
        let mut last = self.resume().await?;
        let mut idle_since = self.world.now();
        loop {
            let before = self.core.before();
            // A mutant that resumed elsewhere has nothing to compare there.
            let before = if before.position == last {
                before
            } else {
                last.into()
            };
            let (after, limit) = tail.asks(before, self.batch);
            let page: LogPage = self.world.read_page(after, limit).await?;
            let page = tail.answered(before, page)?;
            if !self.world.has(Mutation::PublishAcrossLives) {
                self.core
                    .check_epoch(page.head.epoch)
                    .map_err(|stop| said(&stop))?;
            }
            if page.events.is_empty() {
                if self.world.now() - idle_since >= REASSURE {
                    return Ok(());
                }
                self.world.schedule.wait_until(self.world.now() + POLL).await;
                continue;
            }
            last = self.publish_batch(&page.events).await?;
            tail = tail.then(&page.events);
            idle_since = self.world.now();
        }
    }

    /// The last event in the stream, if it is of this epoch.
    async fn tail(&self, epoch: Uuid) -> Result<Tail, Failed> {
        let last = |world: &World| world.broker.borrow().last();
        let claim = self.world.ask(Server::Broker, NATS_WAIT, last).await?;
        let claim = claim.filter(|claim| claim.epoch == Some(epoch));
        Ok(Tail::of(claim.and_then(|claim| {
            claim.event.filter(|event| event.position.get() == claim.sequence)
        })))
    }

    /// The present log, if it is still in this epoch.
    async fn life(&self, epoch: Uuid) -> Result<Life, Failed> {
        let now = |world: &World| world.log.borrow().now().clone();
        let life = self.world.ask(Server::Log, LOG_WAIT, now).await?;
        if life.epoch == epoch {
            return Ok(life);
        }
        Err("the log began a new epoch".into())
    }

    /// Declares the stream and learns where it stands, one question after the other.
    async fn resume(&mut self) -> Result<Position, Failed> {
        self.core.interrupted();
        let world = Rc::clone(&self.world);
        let live = world.ask(Server::Broker, NATS_WAIT, |world| world.broker.borrow().live());
        let live = live.await?;
        let head = world.head(LOG_WAIT).await?;
        let last = match live {
            Some(live) if live.carries(head) || world.has(Mutation::KeepAnyStream) => live.last,
            found => self.replace(found, head).await?,
        };
        let last = match world.mutation {
            Some(Mutation::ResumeTooFar) if last < head.position => last.next(),
            Some(Mutation::ResumeTooNear) => Position::new(last.get().saturating_sub(1)),
            Some(Mutation::NeverAskTheStream) if self.knows_where_it_is => self.core.last(),
            _ => last,
        };
        let (previous, mark) = if world.has(Mutation::ForgetThePredecessors) {
            (PreviousPositions::default(), last.into())
        } else {
            let log = world.log.borrow();
            let found = PreviousPositions::load(log.now(), last).now_or_never();
            found
                .expect("the simulated log never waits")
                .map_err(|error| error.to_string())?
        };
        self.core.resumed(mark, head.epoch, previous);
        self.knows_where_it_is = true;
        world.note(self.me, || format!("resumes after {last} of {}", head.position));
        Ok(last)
    }

    async fn replace(&self, found: Option<LiveStream>, head: LogHead) -> Result<Position, Failed> {
        let world = &self.world;
        if let Some(found) = found {
            world.note(self.me, || {
                format!("deletes the stream, which stands at {}", found.last)
            });
            let delete = |_: &World| world.broker.borrow_mut().delete(world);
            world.ask(Server::Broker, NATS_WAIT, delete).await?;
        }
        let first = first_of_new_stream(head, self.backlog).get();
        let create = |world: &World| world.broker.borrow_mut().create(Some(head.epoch), first);
        world.ask(Server::Broker, NATS_WAIT, create).await??;
        world.count(|counts| counts.streams_created += 1);
        world.note(self.me, || format!("created a stream from {first}"));
        Ok(Position::new(first - 1))
    }

    async fn publish_batch(&mut self, events: &[RecordedEvent]) -> Result<Position, Failed> {
        let mut in_flight = VecDeque::new();
        let mut result = self.send_all(events, &mut in_flight).await;
        while result.is_ok() && !in_flight.is_empty() {
            result = self.take_ack(&mut in_flight).await;
        }
        if let Err(stop) = result {
            self.core.interrupted();
            let deadline = self.world.now() + ACK_WAIT;
            for number in in_flight {
                self.ack(number, deadline).await;
            }
            return Err(said(&stop));
        }
        Ok(self.core.last())
    }

    async fn send_all(
        &mut self,
        events: &[RecordedEvent],
        in_flight: &mut VecDeque<u64>,
    ) -> Result<(), Stop> {
        self.core.check_resumed()?;
        for event in events {
            while !self.core.has_room() {
                self.take_ack(in_flight).await?;
            }
            in_flight.push_back(self.send(event)?);
        }
        Ok(())
    }

    /// Puts it on the wire, where it goes on by itself whatever becomes of the sender.
    fn send(&mut self, event: &RecordedEvent) -> Result<u64, Stop> {
        let outgoing = self.core.send(event)?;
        self.sent += 1;
        let (number, world) = (self.sent, &self.world);
        let too_large = world.mishap(world.profile.oversized);
        let message = Message {
            world: Rc::clone(world),
            from: (self.me, world.schedule.current(), Rc::clone(&self.acks), number),
            expected: (!world.has(Mutation::PublishUnfenced)).then_some(outgoing.expected_last),
            claim: Claim {
                sequence: 0,
                epoch: Some(outgoing.epoch),
                previous_in_partition: Some(outgoing.previous_in_partition),
                previous: outgoing.previous,
                event: (!too_large).then(|| event.clone()),
            },
        };
        if !world.mishap(world.profile.lost_requests) {
            // In order, as on one connection, unless something reorders.
            let late = if world.mishap(world.profile.reordered) {
                world.latency()
            } else {
                0
            };
            let arrives = world.now() + 300 + late;
            world.schedule.at(arrives, move || message.arrive());
        }
        Ok(number)
    }

    async fn take_ack(&mut self, in_flight: &mut VecDeque<u64>) -> Result<(), Stop> {
        let Some(number) = in_flight.pop_front() else {
            return Ok(());
        };
        let deadline = self.world.now() + ACK_WAIT;
        let taken = match self.ack(number, deadline).await {
            Some(Ok(sequence)) => self.core.acknowledged(sequence),
            Some(Err(_)) if self.world.has(Mutation::IgnoreRefusals) => {
                self.core.acknowledged(self.core.last().next().get())
            }
            Some(Err(kind)) => Err(stop(kind)),
            None => Err(stop("timeout")),
        };
        let (believed, furthest) = (self.core.last(), self.world.broker.borrow().furthest());
        if believed.get() > furthest {
            let what = || {
                format!(
                    "the relay believes {believed} to be in the stream, which never came further than {furthest}"
                )
            };
            self.world.violated(what);
        }
        taken
    }

    async fn ack(&self, number: u64, deadline: Time) -> Option<Taken> {
        loop {
            if let Some(ack) = self.acks.borrow_mut().remove(&number) {
                return Some(ack);
            }
            if self.world.now() >= deadline {
                return None;
            }
            self.world.schedule.wait_until(deadline).await;
        }
    }
}

/// A message under way to the broker.
struct Message {
    world: Rc<World>,
    from: (Process, Task, Acks, u64),
    expected: Option<Position>,
    claim: Claim,
}

impl Message {
    fn arrive(self) {
        let (world, (me, task, acks, number)) = (self.world, self.from);
        if world.is_down(Server::Broker) {
            return;
        }
        let claim = self.claim.clone();
        let taken = world
            .broker
            .borrow_mut()
            .publish(&world, self.expected, self.claim);
        match taken {
            Ok(sequence) => {
                world.note(me, || format!("message stored at {sequence}"));
                check(&world, sequence, &claim);
            }
            Err(why) => {
                world.note(me, || format!("message refused after {:?}: {why}", self.expected));
                world.count(|counts| counts.refused += 1);
            }
        }
        if world.mishap(world.profile.lost_replies) {
            return;
        }
        let answered = world.now() + world.latency();
        let to = Rc::clone(&world);
        world.schedule.at(answered, move || {
            acks.borrow_mut().insert(number, taken);
            to.schedule.poke(task);
        });
    }
}

/// The stream never holds anything that a reader would accept but the event of that position in that epoch, and what
/// it says came before in the partition is so.
fn check(world: &World, sequence: u64, claim: &Claim) {
    let log = world.log.borrow();
    let epoch = claim.epoch.expect("the relay always says");
    world.count(|counts| {
        counts.published += 1;
        counts.alien_messages += u64::from(epoch != log.now().epoch);
    });
    let Some(event) = &claim.event else { return };
    let number = log.number(epoch);
    let Some(life) = log.branches(epoch).find(|life| life.at(sequence) == Some(event)) else {
        let position = event.position;
        world
            .violated(|| format!("stored at {sequence} what is not its event in epoch {number}: {position}"));
        return;
    };
    let previous = life.previous[usize::try_from(sequence - 1).unwrap()];
    if claim.previous_in_partition != Some(previous) {
        let claimed = claim.previous_in_partition;
        world.violated(|| {
            format!("{sequence} says that {claimed:?} is before it in its partition, not {previous}")
        });
    }
}

fn stop(kind: &'static str) -> Stop {
    let reason = String::new();
    Stop { kind, reason }
}

fn said(stop: &Stop) -> String {
    format!("{} {}", stop.kind, stop.reason)
}
