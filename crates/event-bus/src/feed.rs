//! The log, in contiguous runs, from wherever it can be had.

use async_nats::jetstream;
use envelope::{Position, RecordedEvent};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::connect::Connection;
use crate::continuity::{Continuity, Verdict};
use crate::message::decode;
use crate::metrics;
use crate::stream::StreamConfig;
use crate::subscription::Subscription;
use envelope::{LogError, LogHead, LogReader};
use patience::{Patience, Situation};

pub use report::{FeedCounts, FeedError, FeedOptions, FeedStatus};

mod patience;
mod report;

/// The log after some position, in contiguous runs.
pub struct Feed<L> {
    subscription: Subscription,
    log: L,
    hint: Option<watch::Receiver<Position>>,
    epoch: Uuid,
    seen: Continuity,
    options: FeedOptions,
    /// An event that came before its predecessors.
    early: Option<RecordedEvent>,
    /// A message was not what the log would have sent, so the log is asked.
    mistrust: bool,
    head: Position,
    patience: Patience,
    log_problem: Option<String>,
    counts: FeedCounts,
    status: watch::Sender<FeedStatus>,
}

impl<L: LogReader> Feed<L> {
    /// A feed of everything after `after` in the life `epoch` of the log. `hint` says how far the log has come, when
    /// somebody knows; it may lag, repeat or fall silent.
    pub fn new(
        bus: Connection,
        stream: &StreamConfig,
        after: Position,
        epoch: Uuid,
        log: L,
        hint: watch::Receiver<Position>,
        options: FeedOptions,
    ) -> Self {
        let subscription = Subscription::new(bus, stream.name.clone(), options.name, options.heartbeat);
        // The stream may be open before the first look at it is over: that, too, is then a change.
        let status = FeedStatus {
            stream: subscription.problem(),
            ..FeedStatus::default()
        };
        // From the start at 0, so that a rate has a beginning, and who looks sees that there was none.
        for counter in [
            metrics::FEED_GAPS_FOUND,
            metrics::FEED_GAPS,
            metrics::FEED_DROPPED,
            metrics::FEED_UNTRUSTED,
        ] {
            ::metrics::counter!(counter, "feed" => options.name).increment(0);
        }
        Self {
            subscription,
            log,
            hint: Some(hint),
            epoch,
            seen: Continuity::after(after),
            early: None,
            mistrust: false,
            head: after,
            patience: Patience::new(options.stream_grace, options.poll, Instant::now()),
            log_problem: None,
            counts: FeedCounts::default(),
            status: watch::Sender::new(status),
            options,
        }
    }

    /// The last position handed out.
    pub fn last(&self) -> Position {
        self.seen.last()
    }

    /// What it has done so far.
    pub fn counts(&self) -> FeedCounts {
        FeedCounts {
            consumers_opened: self.subscription.opened(),
            ..self.counts
        }
    }

    /// What stands in its way, as it changes.
    pub fn status(&self) -> watch::Receiver<FeedStatus> {
        self.status.subscribe()
    }

    /// The next events, at least one and at most `max`, directly after [`Feed::last`] and without a hole.
    ///
    /// Gives what is here at once, so the size of a run follows the load. Waits only while the log has nothing new,
    /// or neither the stream nor the log can be read; both are tried again and again, and [`Feed::status`] says why.
    /// May be dropped while it waits: nothing is lost.
    pub async fn next_batch(
        &mut self,
        max: usize,
        shutdown: &CancellationToken,
    ) -> Result<Vec<RecordedEvent>, FeedError> {
        loop {
            if shutdown.is_cancelled() {
                return Err(FeedError::Stopped);
            }
            let run = self.drain_stream(max);
            if !run.is_empty() {
                self.patience.stream_delivered();
                self.counts.from_stream += run.len() as u64;
                return Ok(self.hand_out(run, "stream"));
            }
            self.note_head();
            if self.log_due_at().is_none_or(|due| due <= Instant::now()) {
                let run = self.read_log(max).await?;
                if !run.is_empty() {
                    self.counts.from_log += run.len() as u64;
                    return Ok(self.hand_out(run, "log"));
                }
            }
            self.publish_status();
            self.wait(shutdown).await?;
        }
    }

    fn hand_out(&mut self, run: Vec<RecordedEvent>, source: &'static str) -> Vec<RecordedEvent> {
        self.head = self.head.max(self.last());
        self.patience.progressed(self.head > self.last(), Instant::now());
        ::metrics::counter!(metrics::FEED_EVENTS, "feed" => self.options.name, "source" => source)
            .increment(run.len() as u64);
        self.publish_status();
        run
    }

    /// The run that is here already. Looks at no more than `max` messages.
    fn drain_stream(&mut self, max: usize) -> Vec<RecordedEvent> {
        let mut run = Vec::new();
        if let Some(event) = self.early.take() {
            self.admit(event, &mut run);
        }
        for _ in run.len()..max {
            if self.early.is_some() {
                break;
            }
            let Some(message) = self.subscription.ready(self.seen.last()) else {
                break;
            };
            self.admit_message(&message, &mut run);
        }
        run
    }

    fn admit_message(&mut self, message: &jetstream::Message, run: &mut Vec<RecordedEvent>) {
        match decode(message, self.epoch) {
            Ok(arrived) => {
                self.admit(arrived.event, run);
                // Nothing was early before: a message is only looked at then.
                if self.early.is_some() {
                    self.counts.gaps_found += 1;
                    ::metrics::counter!(metrics::FEED_GAPS_FOUND, "feed" => self.options.name).increment(1);
                }
            }
            Err(reason) => {
                tracing::warn!(feed = self.options.name, %reason, "message is not from the log, reading the log instead");
                self.counts.untrusted += 1;
                ::metrics::counter!(metrics::FEED_UNTRUSTED, "feed" => self.options.name).increment(1);
                self.mistrust = true;
            }
        }
    }

    fn admit(&mut self, event: RecordedEvent, run: &mut Vec<RecordedEvent>) {
        match self.seen.check(event.position) {
            Verdict::Next => run.push(event),
            Verdict::Old => {
                self.patience.stream_delivered();
                self.counts.dropped_old += 1;
                ::metrics::counter!(metrics::FEED_DROPPED, "feed" => self.options.name).increment(1);
            }
            Verdict::Gap => self.early = Some(event),
        }
    }

    fn note_head(&mut self) {
        if let Some(hint) = &mut self.hint {
            self.head = self.head.max(*hint.borrow_and_update());
        }
        self.patience.note(self.head > self.last(), Instant::now());
    }

    /// When the log should be read, if the stream gives nothing before; `None` is now.
    fn log_due_at(&self) -> Option<Instant> {
        let needs_log = self.early.is_some() || self.mistrust;
        self.patience.due_at(Situation {
            needs_log,
            stream_is_promising: self.subscription.is_promising(),
        })
    }

    async fn read_log(&mut self, max: usize) -> Result<Vec<RecordedEvent>, FeedError> {
        let last = self.last();
        let through_early = self.early.as_ref().map(|event| event.position.since(last) - 1);
        let limit = through_early.map_or(max, |count| {
            usize::try_from(count).map_or(max, |count| count.min(max))
        });
        let reading = read(&self.log, last, u32::try_from(limit).unwrap_or(u32::MAX));
        let read = timeout(self.options.log_wait, reading)
            .await
            .unwrap_or_else(|_| Err("timed out".into()));
        let (head, run) = match read {
            Ok((head, _)) if head.epoch != self.epoch => {
                return Err(FeedError::EpochChanged {
                    expected: self.epoch,
                    found: head.epoch,
                });
            }
            Ok((head, _)) if head.position < last => {
                // A lagging replica, or a log restored without a new epoch: wait, and say so.
                self.log_failed(format!("log head {} is behind position {last}", head.position));
                return Ok(Vec::new());
            }
            Ok(page) => page,
            Err(error) => {
                self.log_failed(error.to_string());
                return Ok(Vec::new());
            }
        };
        for event in &run {
            let missing = self.last().next();
            if self.seen.check(event.position) != Verdict::Next {
                self.seen = Continuity::after(last);
                return Err(FeedError::LogBroken {
                    missing,
                    found: event.position,
                });
            }
        }
        self.log_answered(head, &run);
        Ok(run)
    }

    fn log_answered(&mut self, head: LogHead, run: &[RecordedEvent]) {
        self.log_problem = None;
        self.head = self.head.max(head.position);
        let needed = self.early.is_some() || self.mistrust;
        if run.is_empty() {
            self.patience
                .log_had_nothing(needed || self.head > self.last(), Instant::now());
        } else {
            self.patience
                .log_gave(self.subscription.is_promising() && !needed);
        }
        if let Some(early) = &self.early
            && !run.is_empty()
            && early.position <= self.last().next()
        {
            self.counts.gaps_refilled += 1;
            ::metrics::counter!(metrics::FEED_GAPS, "feed" => self.options.name).increment(1);
        }
        self.mistrust = false;
    }

    fn log_failed(&mut self, problem: String) {
        if self.log_problem.is_none() {
            tracing::warn!(feed = self.options.name, problem, "log can't be read");
        }
        self.log_problem = Some(problem);
        self.patience.log_failed(Instant::now());
    }

    async fn wait(&mut self, shutdown: &CancellationToken) -> Result<(), FeedError> {
        let log_due_at = self.log_due_at().unwrap_or_else(Instant::now);
        let last = self.last();
        tokio::select! {
            () = shutdown.cancelled() => return Err(FeedError::Stopped),
            // Not while an early event waits: what comes after it can't be taken before it.
            () = self.subscription.changed(last), if self.early.is_none() => {}
            gone = hinted(&mut self.hint) => if gone { self.hint = None },
            () = sleep_until(log_due_at) => {}
        }
        Ok(())
    }

    fn publish_status(&self) {
        let stream = self.subscription.problem();
        self.status.send_if_modified(|status| {
            let same = status.stream == stream && status.log == self.log_problem && status.head == self.head;
            if !same {
                *status = FeedStatus {
                    stream,
                    log: self.log_problem.clone(),
                    head: self.head,
                };
            }
            !same
        });
    }
}

async fn read<L: LogReader>(
    log: &L,
    after: Position,
    limit: u32,
) -> Result<(LogHead, Vec<RecordedEvent>), LogError> {
    // The head first: it can't then be behind the events.
    let head = log.head().await?;
    let run = if head.position > after {
        log.read_after(after, limit).await?
    } else {
        Vec::new()
    };
    Ok((head, run))
}

/// Waits for another hint; true when none will come any more.
async fn hinted(hint: &mut Option<watch::Receiver<Position>>) -> bool {
    match hint {
        Some(hint) => hint.changed().await.is_err(),
        None => std::future::pending().await,
    }
}
