//! The simulated JetStream: a stream that takes a message only as the successor of its last one, when it is asked
//! to, and consumers that may get less, more or later than they should.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use envelope::Position;
use event_bus::decide::{Claim, LiveStream};
use uuid::Uuid;

use crate::schedule::{MS, SECOND, Task, Time};
use crate::world::{NATURE, World};

#[derive(Default)]
pub(crate) struct Broker {
    stream: Option<Stream>,
    consumers_created: u64,
    /// The last sequence that any stream ever had.
    furthest: u64,
}

struct Stream {
    epoch: Option<Uuid>,
    last: u64,
    messages: BTreeMap<u64, Claim>,
    consumers: Vec<Consumer>,
}

struct Consumer {
    number: u64,
    inbox: Weak<RefCell<VecDeque<Item>>>,
    task: Task,
    pulled: bool,
    next: u64,
    /// When the last delivery arrives: without faults none overtakes another.
    arrives: Time,
}

/// What a subscriber gets.
pub(crate) enum Item {
    /// The consumer asked for is there, or not.
    Opened(u64, Result<u64, &'static str>),
    Message(u64, Box<Claim>),
    /// It is no more, which took a while to notice.
    Gone(u64),
}

pub(crate) type Inbox = Rc<RefCell<VecDeque<Item>>>;

impl Broker {
    pub(crate) fn live(&self) -> Option<LiveStream> {
        self.stream.as_ref().map(|stream| LiveStream {
            epoch: stream.epoch,
            last: Position::new(stream.last),
        })
    }

    /// The last message, if there is one.
    pub(crate) fn last(&self) -> Option<Claim> {
        let stream = self.stream.as_ref()?;
        stream.messages.get(&stream.last).cloned()
    }

    pub(crate) fn furthest(&self) -> u64 {
        self.furthest
    }

    pub(crate) fn create(&mut self, epoch: Option<Uuid>, first: u64) -> Result<(), &'static str> {
        if self.stream.is_some() {
            return Err("there is a stream already");
        }
        self.furthest = self.furthest.max(first - 1);
        self.stream = Some(Stream {
            epoch,
            last: first - 1,
            messages: BTreeMap::new(),
            consumers: Vec::new(),
        });
        Ok(())
    }

    /// With its consumers, who will notice.
    pub(crate) fn delete(&mut self, world: &Rc<World>) {
        self.end_consumers(world);
        self.stream = None;
    }

    /// As a restart, or a broken connection: consumers live in memory.
    pub(crate) fn end_consumers(&mut self, world: &Rc<World>) {
        let Some(stream) = &mut self.stream else { return };
        for consumer in stream.consumers.drain(..) {
            let noticed = world.now() + world.rng.between(0..=6 * SECOND);
            send(world, noticed, &consumer, Item::Gone(consumer.number));
        }
    }

    /// As a power cut: the last messages were never on disk.
    pub(crate) fn lose_tail(&mut self, world: &Rc<World>, count: u64) {
        self.end_consumers(world);
        let Some(stream) = &mut self.stream else { return };
        let kept = stream.last.saturating_sub(count);
        // Not before what a new stream would begin with.
        let begin = stream
            .messages
            .keys()
            .next()
            .map_or(stream.last, |first| first - 1);
        stream.last = kept.max(begin);
        stream.messages.split_off(&(stream.last + 1));
    }

    pub(crate) fn purge(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.messages.clear();
        }
    }

    /// Takes a message as the successor of `expected`, or as the next whatever that is.
    pub(crate) fn publish(
        &mut self,
        world: &Rc<World>,
        expected: Option<Position>,
        mut claim: Claim,
    ) -> Result<u64, &'static str> {
        let stream = self.stream.as_mut().ok_or("no stream")?;
        if expected.is_some_and(|expected| expected.get() != stream.last) {
            return Err("wrong last sequence");
        }
        stream.last += 1;
        claim.sequence = stream.last;
        stream.messages.insert(stream.last, claim);
        let sequence = stream.last;
        self.furthest = self.furthest.max(sequence);
        for index in 0..stream.consumers.len() {
            deliver_all(world, stream, index);
        }
        Ok(sequence)
    }

    pub(crate) fn open_consumer(
        &mut self,
        world: &Rc<World>,
        inbox: &Inbox,
        task: Task,
        start: u64,
    ) -> Result<u64, &'static str> {
        let stream = self.stream.as_mut().ok_or("no stream")?;
        self.consumers_created += 1;
        // As a consumer that the client recreated before its first message: from the beginning again.
        let next = if world.mishap(world.profile.from_the_beginning) {
            1
        } else {
            start
        };
        stream.consumers.push(Consumer {
            number: self.consumers_created,
            inbox: Rc::downgrade(inbox),
            task,
            pulled: false,
            next,
            arrives: 0,
        });
        Ok(self.consumers_created)
    }

    /// From now on the consumer's messages are sent. One that is gone meanwhile shows that a little later.
    pub(crate) fn pull(&mut self, world: &Rc<World>, number: u64, inbox: &Inbox, task: Task) {
        let found = self.stream.as_mut().and_then(|stream| {
            let mut consumers = stream.consumers.iter();
            let index = consumers.position(|consumer| consumer.number == number)?;
            Some((stream, index))
        });
        if let Some((stream, index)) = found {
            stream.consumers[index].pulled = true;
            deliver_all(world, stream, index);
        } else {
            let (inbox, schedule) = (Rc::clone(inbox), Rc::clone(world));
            world.schedule.at(world.now() + SECOND, move || {
                inbox.borrow_mut().push_back(Item::Gone(number));
                schedule.schedule.poke(task);
            });
        }
    }
}

fn deliver_all(world: &Rc<World>, stream: &mut Stream, index: usize) {
    let consumer = &mut stream.consumers[index];
    if !consumer.pulled {
        return;
    }
    for (_, claim) in stream.messages.range(consumer.next..) {
        deliver(world, consumer, claim);
    }
    consumer.next = consumer.next.max(stream.last + 1);
}

fn deliver(world: &Rc<World>, consumer: &mut Consumer, claim: &Claim) {
    let profile = &world.profile;
    if world.mishap(profile.dropped) {
        world.note(NATURE, || format!("drops the delivery of {}", claim.sequence));
        return;
    }
    let arrives = consumer.arrives.max(world.now() + world.latency());
    consumer.arrives = arrives;
    let item = || Item::Message(consumer.number, Box::new(claim.clone()));
    let late = if world.mishap(profile.reordered) {
        world.rng.between(0..=300 * MS)
    } else {
        0
    };
    send(world, arrives + late, consumer, item());
    if world.mishap(profile.doubled) {
        let again = arrives + world.rng.between(0..=SECOND);
        send(world, again, consumer, item());
    }
}

fn send(world: &Rc<World>, arrives: Time, consumer: &Consumer, item: Item) {
    let (inbox, task, to) = (Weak::clone(&consumer.inbox), consumer.task, Rc::clone(world));
    world.schedule.at(arrives, move || {
        if let Some(inbox) = inbox.upgrade() {
            inbox.borrow_mut().push_back(item);
            to.schedule.poke(task);
        }
    });
}
