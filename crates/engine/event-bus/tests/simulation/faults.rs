//! What goes wrong, drawn from the seed: which kinds of faults a run has, how often, and when.

use std::rc::Rc;

use envelope::{Fingerprint, Position};
use event_bus::decide::Claim;

use crate::log::event;
use crate::rng::Rng;
use crate::run::{Processes, grow};
use crate::schedule::{MS, SECOND, Time};
use crate::world::{NATURE, PROJECTORS, RELAYS, Server, World};

/// What one run has to go through. Each run has only some kinds of faults: all at once would hide what few do.
pub(crate) struct Profile {
    pub(crate) faults_for: Time,
    pub(crate) between_faults: Time,
    pub(crate) events: u64,
    kinds: Vec<Kind>,
    /// The broker does not come back when the faults stop: the log alone must do.
    pub(crate) broker_is_lost: bool,
    /// No notification of a new head ever arrives.
    pub(crate) silent: bool,
    // Times in a thousand:
    pub(crate) slow: u64,
    pub(crate) lost_requests: u64,
    pub(crate) lost_replies: u64,
    pub(crate) lost_hints: u64,
    pub(crate) dropped: u64,
    pub(crate) doubled: u64,
    pub(crate) reordered: u64,
    pub(crate) from_the_beginning: u64,
    pub(crate) oversized: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    PauseRelay,
    PauseProjector,
    CrashRelay,
    CrashProjector,
    RestoreTheLog,
    PromoteAStandby,
    LogDown,
    ReadDown,
    BrokerDown,
    BrokerRestart,
    LoseTail,
    Wipe,
    Purge,
    Recreate,
    ForeignMessage,
    Rebuild,
    PauseRebuild,
    CrashRebuild,
    RollBack,
}

const KINDS: [Kind; 19] = [
    Kind::PauseRelay,
    Kind::PauseProjector,
    Kind::CrashRelay,
    Kind::CrashProjector,
    Kind::RestoreTheLog,
    Kind::PromoteAStandby,
    Kind::LogDown,
    Kind::ReadDown,
    Kind::BrokerDown,
    Kind::BrokerRestart,
    Kind::LoseTail,
    Kind::Wipe,
    Kind::Purge,
    Kind::Recreate,
    Kind::ForeignMessage,
    Kind::Rebuild,
    Kind::PauseRebuild,
    Kind::CrashRebuild,
    Kind::RollBack,
];

impl Profile {
    pub(crate) fn draw(rng: &Rng) -> Self {
        let sometimes = |most: u64| {
            if rng.chance(400) { rng.between(1..=most) } else { 0 }
        };
        Self {
            faults_for: rng.between(2 * SECOND..=12 * SECOND),
            between_faults: rng.between(60 * MS..=SECOND),
            events: rng.between(10..=120),
            kinds: KINDS.into_iter().filter(|_| rng.chance(450)).collect(),
            broker_is_lost: rng.chance(50),
            silent: rng.chance(100),
            slow: sometimes(200),
            lost_requests: sometimes(60),
            lost_replies: sometimes(60),
            lost_hints: sometimes(500),
            dropped: sometimes(200),
            doubled: sometimes(200),
            reordered: sometimes(200),
            from_the_beginning: sometimes(500),
            oversized: sometimes(100),
        }
    }
}

/// Does damage until it is time to stop, then lets everything heal.
pub(crate) async fn rage(world: Rc<World>, processes: Rc<Processes>) {
    let until = world.profile.faults_for;
    while world.now() < until {
        let pause = world.rng.between(1..=2 * world.profile.between_faults);
        world.schedule.sleep(pause).await;
        if !world.profile.kinds.is_empty() {
            let kind = *world.rng.pick(&world.profile.kinds);
            world.note(NATURE, || format!("{kind:?}"));
            world.count(|counts| counts.faults += 1);
            strike(&world, &processes, kind);
        }
    }
    world.note(NATURE, || "no more faults".into());
    world.calm.set(true);
    for server in [Server::Log, Server::Broker, Server::Read] {
        world.take_down(server, 0);
    }
    if world.profile.broker_is_lost {
        world.take_down(Server::Broker, Time::MAX);
        world.broker.borrow_mut().delete(&world);
    }
    processes.unpause_all(&world);
}

fn strike(world: &Rc<World>, processes: &Rc<Processes>, kind: Kind) {
    let rng = &world.rng;
    let a_while = || world.now() + rng.between(20 * MS..=5 * SECOND);
    match kind {
        Kind::PauseRelay => world.schedule.pause(*rng.pick(&RELAYS), a_while()),
        Kind::PauseProjector => world.schedule.pause(*rng.pick(&PROJECTORS), a_while()),
        Kind::CrashRelay => processes.crash(world, *rng.pick(&RELAYS)),
        Kind::CrashProjector => processes.crash(world, *rng.pick(&PROJECTORS)),
        Kind::RestoreTheLog => restore(world),
        Kind::PromoteAStandby => promote_a_standby(world),
        Kind::LogDown => world.take_down(Server::Log, a_while()),
        Kind::ReadDown => world.take_down(Server::Read, a_while()),
        Kind::BrokerDown => {
            world.take_down(Server::Broker, a_while());
            world.broker.borrow_mut().end_consumers(world);
        }
        Kind::BrokerRestart => world.broker.borrow_mut().end_consumers(world),
        Kind::LoseTail => world.broker.borrow_mut().lose_tail(world, rng.between(1..=20)),
        Kind::Wipe => world.broker.borrow_mut().delete(world),
        Kind::Purge => world.broker.borrow_mut().purge(),
        Kind::Recreate => recreate(world),
        Kind::ForeignMessage => foreign_message(world),
        Kind::Rebuild => processes.rebuild(world),
        Kind::PauseRebuild => world.schedule.pause(crate::world::REBUILD, a_while()),
        Kind::CrashRebuild => world.schedule.crash(crate::world::REBUILD),
        Kind::RollBack => {
            if !world.fenced.get() {
                world.read.borrow_mut().roll_back(world);
            }
        }
    }
}

/// To an earlier point, in a new epoch; often so fast that no connection breaks.
fn restore(world: &World) {
    let mut log = world.log.borrow_mut();
    let head = log.now().head().position.get();
    let most = if world.rng.chance(500) { 3 } else { 20 };
    let to = head.saturating_sub(world.rng.between(0..=most));
    log.restore(to);
    world.note(NATURE, || format!("the log is cut back from {head} to {to}"));
    if world.rng.chance(300) {
        world.take_down(Server::Log, world.now() + world.rng.between(MS..=2 * SECOND));
    }
}

/// To a standby that lacks the last events, in the same epoch; often other events come before any reader has looked.
fn promote_a_standby(world: &World) {
    let head = world.log.borrow().now().head().position.get();
    let most = if world.rng.chance(700) { 4 } else { 20 };
    let to = head.saturating_sub(world.rng.between(1..=most));
    world.log.borrow_mut().step_back(to);
    world.note(NATURE, || {
        format!("a standby is promoted that ends at {to}, not {head}")
    });
    if world.rng.chance(500) {
        let lost = head - to;
        let least = if world.rng.chance(500) { 1 } else { lost.max(1) };
        grow(world, world.rng.between(least..=lost + 3));
    }
    if world.rng.chance(300) {
        world.take_down(Server::Log, world.now() + world.rng.between(MS..=2 * SECOND));
    }
}

/// By hand: somewhere else, and perhaps without saying whose it is.
fn recreate(world: &Rc<World>) {
    let head = world.log.borrow().now().head();
    let epoch = world.rng.chance(500).then_some(head.epoch);
    let first = world.rng.between(1..=head.position.get() + 5);
    let mut broker = world.broker.borrow_mut();
    broker.delete(world);
    broker.create(epoch, first).expect("it was deleted just now");
}

/// A foreign client publishes: no event, or one that never was, at a place that is not its own.
fn foreign_message(world: &Rc<World>) {
    let mut broker = world.broker.borrow_mut();
    let Some(live) = broker.live() else { return };
    let place = live.last.get() + 1 + world.rng.between(1..=3);
    let never_was = event(place, world.rng.between(0..=20), u64::MAX);
    // Made to fit there, by a client that can read the log.
    let previous = world.log.borrow().now().at(place - 1).map(Fingerprint::of);
    let claim = Claim {
        sequence: 0,
        epoch: Some(world.log.borrow().now().epoch),
        previous_in_partition: Some(Position::START),
        previous,
        event: world.rng.chance(700).then_some(never_was),
    };
    // Nothing has to come of it.
    broker.publish(world, None, claim).ok();
}
