//! One run: the whole system under the faults of one seed, then calm, in which everything must come to rest.

use std::cell::Cell;
use std::rc::Rc;

use crate::mutation::Mutation;
use crate::schedule::{MS, Process, SECOND, Schedule, Task, Time};
use crate::world::{Counts, NATURE, PROCESSES, PROJECTORS, REBUILD, RELAYS, World};
use crate::{faults, projector, rebuild, relay};

/// How long everything may take to heal. The slowest: a stream that was wiped while no relay published, which the relay
/// looks at every ten seconds.
const HEALED_WITHIN: Time = 40 * SECOND;

/// What became of a run.
pub(crate) struct Outcome {
    pub(crate) violation: Option<String>,
    pub(crate) counts: Counts,
    /// The last steps, if they were asked for.
    pub(crate) trace: Vec<String>,
    /// Of all steps, if they were asked for.
    pub(crate) digest: u64,
}

pub(crate) fn run(seed: u64, mutation: Option<Mutation>, traced: bool) -> Outcome {
    let world = World::new(seed, mutation, traced);
    let processes = Rc::new(Processes::default());
    for process in RELAYS.into_iter().chain(PROJECTORS) {
        processes.start(&world, process);
    }
    let schedule = &world.schedule;
    schedule.spawn(NATURE, append(Rc::clone(&world)));
    schedule.spawn(NATURE, faults::rage(Rc::clone(&world), Rc::clone(&processes)));
    let mut calm_since = None;
    while world.violation().is_none() {
        if !schedule.step() {
            world.violated(|| "nothing is due any more".into());
        }
        world.count(|counts| counts.steps += 1);
        if !world.calm.get() {
            continue;
        }
        let since = *calm_since.get_or_insert(world.now());
        if let Some(unrest) = unrest(&world) {
            if world.now() - since > HEALED_WITHIN {
                world.violated(|| format!("not healed after {} s: {unrest}", HEALED_WITHIN / SECOND));
            }
        } else {
            world.count(|counts| counts.calm_ms = (world.now() - since) / MS);
            break;
        }
    }
    check_tables(&world);
    schedule.clear();
    let (trace, digest) = world.trace();
    Outcome {
        violation: world.violation(),
        counts: *world.counts.borrow(),
        trace,
        digest,
    }
}

/// What is not yet as it should be when all is well.
fn unrest(world: &World) -> Option<&'static str> {
    let log = world.log.borrow();
    let head = log.now().head();
    let read = world.read.borrow();
    let Some(live) = &read.live else {
        return Some("there are no rows");
    };
    if (live.epoch, live.position) != (head.epoch, head.position) {
        return Some("the rows are not at the head of the log");
    }
    if !live.is_replay_of(log.now()) {
        return Some("the rows are of events that the log does not hold any more");
    }
    match world.broker.borrow().live() {
        _ if world.profile.broker_is_lost => None,
        None => Some("there is no stream"),
        Some(stream) if !stream.carries(head) => Some("the stream is of another epoch"),
        Some(stream) if stream.last != head.position => Some("the stream is not at the head of the log"),
        Some(_) => None,
    }
}

fn check_tables(world: &World) {
    let read = world.read.borrow();
    let tables = [("live", &read.live), ("old", &read.old)];
    for (which, tables) in tables {
        if let Some(tables) = tables {
            tables.check(world, which);
        }
    }
}

/// Commands come in bursts, as long as there are faults and once more after.
async fn append(world: Rc<World>) {
    let profile = &world.profile;
    let pause = profile.faults_for * 2 / profile.events;
    let mut left = profile.events;
    while left > 0 && !world.calm.get() {
        let burst = world.rng.between(1..=8).min(left);
        left -= burst;
        grow(&world, burst);
        world.schedule.sleep(world.rng.between(1..=pause * burst)).await;
    }
    while !world.calm.get() {
        world.schedule.sleep(50 * MS).await;
    }
    grow(&world, 1);
    world.schedule.sleep(world.rng.between(1..=3 * SECOND)).await;
    grow(&world, 2);
}

pub(crate) fn grow(world: &World, count: u64) {
    for _ in 0..count {
        let aggregate = world.rng.between(0..=20);
        world.log.borrow_mut().append(aggregate);
    }
    let head = world.log.borrow().now().head().position;
    world.count(|counts| counts.events += count);
    world.note(NATURE, || format!("the log grows to {head}"));
    for head_watch in &world.hints {
        if !world.profile.silent && !world.mishap(world.profile.lost_hints) {
            head_watch.set(head);
        }
    }
}

/// Which processes run, and how they start again.
#[derive(Default)]
pub(crate) struct Processes {
    running: [Cell<Option<Task>>; PROCESSES],
}

impl Processes {
    fn start(self: &Rc<Self>, world: &Rc<World>, process: Process) {
        let to = Rc::clone(world);
        let task = if RELAYS.contains(&process) {
            world.schedule.spawn(process, relay::run(to, process))
        } else if process == REBUILD {
            world.schedule.spawn(process, rebuild::run(to))
        } else {
            world.schedule.spawn(process, projector::run(to, process))
        };
        self.running[process].set(Some(task));
    }

    fn runs(&self, schedule: &Schedule, process: Process) -> bool {
        self.running[process]
            .get()
            .is_some_and(|task| schedule.is_alive(task))
    }

    /// Kills a process, and starts it again after a while.
    pub(crate) fn crash(self: &Rc<Self>, world: &Rc<World>, process: Process) {
        if !self.runs(&world.schedule, process) {
            return;
        }
        world.schedule.crash(process);
        let (processes, to) = (Rc::clone(self), Rc::clone(world));
        let back = world.now() + world.rng.between(MS..=3 * SECOND);
        world.schedule.at(back, move || processes.start(&to, process));
    }

    pub(crate) fn rebuild(self: &Rc<Self>, world: &Rc<World>) {
        if !self.runs(&world.schedule, REBUILD) {
            self.start(world, REBUILD);
        }
    }

    pub(crate) fn unpause_all(&self, world: &World) {
        for process in 0..PROCESSES {
            world.schedule.pause(process, world.now());
            if let Some(task) = self.running[process].get() {
                world.schedule.poke(task);
            }
        }
    }
}
