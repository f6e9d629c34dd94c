//! The log in contiguous runs, from the stream or from the log itself.

use std::sync::Arc;
use std::time::Instant;

use envelope::{LogPage, LogReader, Mark, Position, RecordedEvent};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::connect::Connection;
use crate::decide::{CatchUpCore, Next};
use crate::message::decode;
use crate::metrics;
use crate::stream::StreamConfig;
use crate::subscription::Subscription;

pub use report::{CatchUpCounts, CatchUpError, CatchUpOptions, CatchUpStatus};

mod report;

/// The log after some position, in contiguous runs.
///
/// Passes messages and answers to a [`CatchUpCore`] and executes its decisions.
pub struct CatchUpSubscription<L> {
    subscription: Subscription,
    log: L,
    head_watch: Option<watch::Receiver<Position>>,
    core: CatchUpCore,
    options: CatchUpOptions,
    /// What the metrics count already.
    counted: CatchUpCounts,
    status: watch::Sender<CatchUpStatus>,
}

impl<L: LogReader> CatchUpSubscription<L> {
    /// A subscription to everything after `after` in the epoch `epoch` of the log. `head_watch` gives the head of the log; it
    /// may lag, repeat or end.
    pub fn new(
        bus: Connection,
        stream: &StreamConfig,
        after: impl Into<Mark>,
        epoch: Uuid,
        log: L,
        head_watch: watch::Receiver<Position>,
        options: CatchUpOptions,
    ) -> Self {
        let subscription = Subscription::new(
            bus,
            stream.name.clone(),
            Arc::clone(&options.name),
            options.heartbeat,
        );
        // So that opening the stream is a change of the status.
        let status = CatchUpStatus {
            stream: subscription.problem(),
            ..CatchUpStatus::default()
        };
        // Counters begin at 0, so that a rate has a beginning.
        for counter in [
            metrics::FEED_GAPS_FOUND,
            metrics::FEED_GAPS,
            metrics::FEED_DROPPED,
            metrics::FEED_UNTRUSTED,
            metrics::FEED_CONSUMERS,
            metrics::FEED_UNLINKED,
        ] {
            ::metrics::counter!(counter, "feed" => Arc::clone(&options.name)).increment(0);
        }
        for source in ["stream", "log"] {
            ::metrics::counter!(metrics::FEED_EVENTS, "feed" => Arc::clone(&options.name), "source" => source)
                .increment(0);
        }
        let (grace, poll) = (options.stream_grace, options.poll);
        Self {
            subscription,
            log,
            head_watch: Some(head_watch),
            core: CatchUpCore::new(after.into(), epoch, grace, poll, Instant::now()),
            counted: CatchUpCounts::default(),
            status: watch::Sender::new(status),
            options,
        }
    }

    /// The last position handed out.
    pub fn last(&self) -> Position {
        self.core.last()
    }

    /// The last event handed out.
    pub fn mark(&self) -> Mark {
        self.core.mark()
    }

    /// What it has done so far.
    pub fn counts(&self) -> CatchUpCounts {
        CatchUpCounts {
            consumers_opened: self.subscription.opened(),
            ..self.core.counts()
        }
    }

    /// Its problems, as they change.
    pub fn status(&self) -> watch::Receiver<CatchUpStatus> {
        self.status.subscribe()
    }

    /// The next events, at least one and at most `max`, directly after [`CatchUpSubscription::last`] and without a hole.
    ///
    /// Returns what has arrived at once, so the size of a run follows the load. Waits while the log has no new event, or
    /// while neither stream nor log can be read; [`CatchUpSubscription::status`] has the reasons. Dropping the wait loses
    /// nothing.
    pub async fn next_batch(
        &mut self,
        max: usize,
        shutdown: &CancellationToken,
    ) -> Result<Vec<RecordedEvent>, CatchUpError> {
        loop {
            if shutdown.is_cancelled() {
                return Err(CatchUpError::Stopped);
            }
            self.drain_stream(max);
            let mut run = self.core.take_run(Instant::now());
            if run.is_none() {
                let head_watch = self
                    .head_watch
                    .as_mut()
                    .map(|head_watch| *head_watch.borrow_and_update());
                self.core.note_head(head_watch, Instant::now());
                if let Next::ReadLog { after, limit } = self.next(max) {
                    run = self.read_log(after, limit).await?;
                }
            }
            self.report();
            if let Some(run) = run {
                return Ok(run);
            }
            self.wait(max, shutdown).await?;
        }
    }

    /// The events that have arrived over the stream, at most `max`, directly after [`CatchUpSubscription::last`]; often none.
    /// Neither waits nor reads the log.
    pub fn take_ready(&mut self, max: usize) -> Vec<RecordedEvent> {
        self.drain_stream(max);
        let run = self.core.take_run(Instant::now());
        self.report();
        run.unwrap_or_default()
    }

    /// Takes arrived messages, at most `max`.
    fn drain_stream(&mut self, max: usize) {
        for _ in self.core.begin_run()..max {
            if !self.core.wants_message() {
                break;
            }
            let Some(message) = self.subscription.ready(self.core.last()) else {
                break;
            };
            let arrived = decode(&message, self.core.epoch());
            if let Err(reason) = &arrived {
                tracing::warn!(reader = &*self.options.name, %reason, "message is not from the log, reading the log instead");
            }
            self.core.message(arrived);
        }
    }

    fn next(&self, max: usize) -> Next {
        self.core
            .next(self.subscription.is_promising(), max, Instant::now())
    }

    async fn read_log(
        &mut self,
        after: Position,
        limit: u32,
    ) -> Result<Option<Vec<RecordedEvent>>, CatchUpError> {
        let reading = self.log.read_page(after, limit);
        let read = timeout(self.options.log_wait, reading)
            .await
            .unwrap_or_else(|_| Err("timed out".into()));
        match read {
            Ok(page) => self.log_answered(page),
            Err(error) => {
                self.log_failed(error.to_string());
                Ok(None)
            }
        }
    }

    fn log_answered(&mut self, page: LogPage) -> Result<Option<Vec<RecordedEvent>>, CatchUpError> {
        let was_well = self.core.log_problem().is_none();
        let promising = self.subscription.is_promising();
        let run = self.core.log_answered(page, promising, Instant::now())?;
        self.warn_of_log(was_well);
        Ok(run)
    }

    fn log_failed(&mut self, problem: String) {
        let was_well = self.core.log_problem().is_none();
        self.core.log_failed(problem, Instant::now());
        self.warn_of_log(was_well);
    }

    fn warn_of_log(&self, was_well: bool) {
        if let Some(problem) = self.core.log_problem().filter(|_| was_well) {
            tracing::warn!(reader = &*self.options.name, problem, "log can't be read");
        }
    }

    async fn wait(&mut self, max: usize, shutdown: &CancellationToken) -> Result<(), CatchUpError> {
        let until = match self.next(max) {
            Next::WaitUntil(due) => due,
            Next::ReadLog { .. } => return Ok(()),
        };
        let last = self.last();
        tokio::select! {
            () = shutdown.cancelled() => return Err(CatchUpError::Stopped),
            () = self.subscription.changed(last), if self.core.wants_message() => {}
            gone = head_moved(&mut self.head_watch) => if gone { self.head_watch = None },
            () = sleep_until(until.into()) => {}
        }
        Ok(())
    }

    /// Updates metrics and status.
    fn report(&mut self) {
        self.count();
        let stream = self.subscription.problem();
        let (log, head) = (self.core.log_problem(), self.core.head());
        self.status.send_if_modified(|status| {
            let same = status.stream == stream && status.log.as_deref() == log && status.head == head;
            if !same {
                *status = CatchUpStatus {
                    stream,
                    log: log.map(Into::into),
                    head,
                };
            }
            !same
        });
    }

    fn count(&mut self) {
        let counts = self.core.counts();
        let counted = std::mem::replace(&mut self.counted, counts);
        let name = || Arc::clone(&self.options.name);
        let sources = [
            ("stream", counts.from_stream - counted.from_stream),
            ("log", counts.from_log - counted.from_log),
        ];
        for (source, more) in sources.into_iter().filter(|(_, more)| *more > 0) {
            ::metrics::counter!(metrics::FEED_EVENTS, "feed" => name(), "source" => source).increment(more);
        }
        let others = [
            (metrics::FEED_GAPS_FOUND, counts.gaps_found - counted.gaps_found),
            (metrics::FEED_GAPS, counts.gaps_refilled - counted.gaps_refilled),
            (metrics::FEED_DROPPED, counts.dropped_old - counted.dropped_old),
            (metrics::FEED_UNTRUSTED, counts.untrusted - counted.untrusted),
            (metrics::FEED_UNLINKED, counts.unlinked - counted.unlinked),
        ];
        for (counter, more) in others.into_iter().filter(|(_, more)| *more > 0) {
            ::metrics::counter!(counter, "feed" => name()).increment(more);
        }
    }
}

/// Waits for another head; true when the head watch has ended.
async fn head_moved(head_watch: &mut Option<watch::Receiver<Position>>) -> bool {
    match head_watch {
        Some(head_watch) => head_watch.changed().await.is_err(),
        None => std::future::pending().await,
    }
}
