//! A reader of the log by way of the stream. It drives the real [`CatchUpCore`] as `CatchUpSubscription` does, over a subscription that
//! behaves as the one in `src/subscription.rs`.

use std::rc::Rc;

use envelope::{LogPage, Mark, Position, RecordedEvent};
use event_bus::CatchUpError;
use event_bus::decide::{CatchUpCore, Claim, Next};
use uuid::Uuid;

use crate::broker::{Inbox, Item};
use crate::mutation::{Mutation, judge};
use crate::schedule::{MS, Process, SECOND, Time};
use crate::world::{Server, World};

const GRACE: Time = 250 * MS;
const POLL: Time = SECOND;
const OPEN_WAIT: Time = 3 * SECOND;

pub(crate) struct Reader {
    world: Rc<World>,
    me: Process,
    core: CatchUpCore,
    subscription: Subscription,
    /// The last event handed out.
    newest: Option<RecordedEvent>,
}

impl Reader {
    pub(crate) fn new(world: &Rc<World>, me: Process, after: Mark, epoch: Uuid) -> Self {
        let (grace, poll) = (micros(GRACE), micros(POLL));
        let core = CatchUpCore::new(after, epoch, grace, poll, world.instant())
            .with_jitter_seed(world.rng.next())
            .judged_by(judge(world.mutation));
        Self {
            world: Rc::clone(world),
            me,
            core,
            subscription: Subscription::default(),
            newest: None,
        }
    }

    /// The next events, as `CatchUpSubscription::next_batch` gives them.
    pub(crate) async fn next_batch(&mut self, max: usize) -> Result<Vec<RecordedEvent>, CatchUpError> {
        let run = self.next_run(max).await?;
        self.newest = run.last().cloned();
        Ok(run)
    }

    async fn next_run(&mut self, max: usize) -> Result<Vec<RecordedEvent>, CatchUpError> {
        loop {
            self.drain_stream(max);
            if let Some(run) = self.core.take_run(self.world.instant()) {
                return Ok(run);
            }
            let head_watch = self.world.hints[self.me].get();
            self.core.note_head(Some(head_watch), self.world.instant());
            match self
                .core
                .next(self.subscription.is_promising(), max, self.world.instant())
            {
                Next::ReadLog { after, limit } => {
                    if let Some(run) = self.read_log(after, limit).await? {
                        return Ok(run);
                    }
                }
                Next::WaitUntil(due) => self.wait_until(self.world.time_of(due)).await,
            }
        }
    }

    fn drain_stream(&mut self, max: usize) {
        for _ in self.core.begin_run()..max {
            if !self.core.wants_message() {
                break;
            }
            let Some(claim) = self.subscription.ready(&self.world, self.me, self.core.last()) else {
                break;
            };
            self.take(claim);
        }
    }

    fn take(&mut self, mut claim: Claim) {
        let mut epoch = self.core.epoch();
        match self.world.mutation {
            Some(Mutation::TrustAnotherEpoch) => epoch = claim.epoch.unwrap_or(epoch),
            Some(Mutation::TrustAnyPlace) => {
                let place = claim.event.as_ref().map(|event| event.position.get());
                claim.sequence = place.unwrap_or(claim.sequence);
            }
            Some(Mutation::TrustAnyPredecessor) => {
                let mark = self.core.mark();
                claim.previous = mark.fingerprint.or(claim.previous);
            }
            _ => {}
        }
        self.core.message(claim.believe(epoch));
    }

    async fn read_log(
        &mut self,
        after: Position,
        limit: u32,
    ) -> Result<Option<Vec<RecordedEvent>>, CatchUpError> {
        match self.world.read_page(after, limit).await {
            Ok(mut page) => {
                if self.world.has(Mutation::SkipTheComparison) {
                    self.pretend(after, &mut page);
                }
                let promising = self.subscription.is_promising();
                self.core.log_answered(page, promising, self.world.instant())
            }
            Err(why) => {
                self.core.log_failed(why.into(), self.world.instant());
                Ok(None)
            }
        }
    }

    /// As if the log still held what was taken from it.
    fn pretend(&self, after: Position, page: &mut LogPage) {
        let last = self.core.last();
        page.head.position = page.head.position.max(last);
        if after < last
            && let Some(newest) = self.newest.as_ref().filter(|newest| newest.position == last)
        {
            page.events.retain(|event| event.position > last);
            page.events.insert(0, newest.clone());
        }
    }

    async fn wait_until(&mut self, due: Time) {
        let opens = match self.subscription.state {
            State::Closed { retry_at } if self.core.wants_message() => retry_at,
            _ => Time::MAX,
        };
        // Rounded up: the clock of the simulation is coarser than the instant waited for.
        let until = (due + 1).min(opens).max(self.world.now() + 1);
        self.world.schedule.wait_until(until).await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let counts = self.core.counts();
        self.world.count(|total| {
            total.from_stream += counts.from_stream;
            total.from_log += counts.from_log;
            total.gaps_refilled += counts.gaps_refilled;
            total.dropped_old += counts.dropped_old;
            total.untrusted += counts.untrusted;
        });
    }
}

struct Subscription {
    state: State,
    inbox: Inbox,
    attempts: u64,
    failed: bool,
    failures: u32,
}

enum State {
    Closed { retry_at: Time },
    Opening,
    Open { consumer: u64 },
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            state: State::Closed { retry_at: 0 },
            inbox: Inbox::default(),
            attempts: 0,
            failed: false,
            failures: 0,
        }
    }
}

impl Subscription {
    fn is_promising(&self) -> bool {
        matches!(self.state, State::Open { .. }) || !self.failed
    }

    /// A message that is here. Opens the consumer again, right after `last`, when it is time.
    fn ready(&mut self, world: &Rc<World>, me: Process, last: Position) -> Option<Claim> {
        if matches!(self.state, State::Closed { retry_at } if retry_at <= world.now()) {
            self.state = State::Opening;
            self.attempts += 1;
            self.open(world, me, last);
        }
        loop {
            let item = self.inbox.borrow_mut().pop_front()?;
            match (item, &self.state) {
                (Item::Opened(attempt, Ok(consumer)), State::Opening) if attempt == self.attempts => {
                    self.state = State::Open { consumer };
                    let task = world.schedule.current();
                    world.broker.borrow_mut().pull(world, consumer, &self.inbox, task);
                }
                (Item::Opened(attempt, Err(_)), State::Opening) if attempt == self.attempts => {
                    self.close(world);
                }
                (Item::Message(from, claim), State::Open { consumer }) if from == *consumer => {
                    self.failures = 0;
                    return Some(*claim);
                }
                (Item::Gone(gone), State::Open { consumer }) if gone == *consumer => self.close(world),
                // Of a consumer that is not ours any more.
                _ => {}
            }
        }
    }

    fn open(&self, world: &Rc<World>, me: Process, last: Position) {
        let (task, attempt, start) = (world.schedule.current(), self.attempts, last.next().get());
        let (world, inbox) = (Rc::clone(world), Rc::clone(&self.inbox));
        let schedule = Rc::clone(&world);
        schedule.schedule.spawn(me, async move {
            let open = |_: &World| {
                world
                    .broker
                    .borrow_mut()
                    .open_consumer(&world, &inbox, task, start)
            };
            let opened = world.ask(Server::Broker, OPEN_WAIT, open).await.flatten();
            inbox.borrow_mut().push_back(Item::Opened(attempt, opened));
            world.schedule.poke(task);
        });
    }

    /// 50 ms, doubling to two seconds, with jitter.
    fn close(&mut self, world: &World) {
        self.failed = true;
        let delay = ((50 * MS) << self.failures.min(6)).min(2 * SECOND);
        self.failures += 1;
        let retry_at = world.now() + world.rng.between(delay..=2 * delay);
        self.state = State::Closed { retry_at };
    }
}

fn micros(time: Time) -> std::time::Duration {
    std::time::Duration::from_micros(time)
}
