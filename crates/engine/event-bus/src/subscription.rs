//! One consumer on the stream, opened again whenever it fails.
//!
//! Not async-nats's own ordered consumer: that one recreates itself without bound and, before its first message, from the
//! beginning of the stream. Here [`crate::CatchUpSubscription`] decides, since it knows its last position. Like the ordered
//! consumer, this one keeps no state on the server that is worth preserving.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use envelope::Position;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until, timeout};

use crate::connect::Connection;
use crate::metrics;

/// Messages asked for at once, and so held in memory at most.
const PULL_MESSAGES: usize = 1_000;
/// How long the server holds one pull before it answers empty.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// How long opening may take.
const OPEN_WAIT: Duration = Duration::from_secs(3);
/// How long the server keeps a consumer without pulls.
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(30);

pub(crate) struct Subscription {
    bus: Connection,
    stream: String,
    name: Arc<str>,
    heartbeat: Duration,
    state: State,
    backoff: ExponentialBackoff,
    peeked: Option<jetstream::Message>,
    problem: Option<String>,
    failed: bool,
    opened: u64,
}

enum State {
    Closed { retry_at: Instant },
    Opening(BoxFuture<'static, Result<pull::Stream, String>>),
    Open(Box<pull::Stream>),
}

impl Subscription {
    pub(crate) fn new(bus: Connection, stream: String, name: Arc<str>, heartbeat: Duration) -> Self {
        Self {
            bus,
            stream,
            name,
            heartbeat,
            state: State::Closed {
                retry_at: Instant::now(),
            },
            backoff: backoff(),
            peeked: None,
            problem: Some("the stream has not been read yet".into()),
            failed: false,
            opened: 0,
        }
    }

    /// Whether the stream may be waited for: it is being read, or being opened for the first time.
    pub(crate) fn is_promising(&self) -> bool {
        match self.state {
            State::Open(_) => self.bus.is_connected(),
            State::Opening(_) | State::Closed { .. } => !self.failed,
        }
    }

    /// Why the stream isn't being read, if it isn't.
    pub(crate) fn problem(&self) -> Option<String> {
        // A refusal is the cause of the other problems.
        self.bus.problem().or_else(|| self.problem.clone())
    }

    /// How many consumers were opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    /// An arrived message; never waits. Also advances the opening of the consumer: a caller that reads much from the log
    /// must not prevent it.
    pub(crate) fn ready(&mut self, last: Position) -> Option<jetstream::Message> {
        // Unconstrained: the runtime's budget would end a run after 128 messages, however many are ready.
        tokio::task::unconstrained(self.changed(last)).now_or_never()?;
        self.peeked.take()
    }

    /// Waits until something happened: a message is [`Subscription::ready`], the consumer opened, or it closed.
    /// A consumer that is closed is opened again right after `last`, when its backoff is over. Nothing is lost when
    /// the wait is dropped.
    pub(crate) async fn changed(&mut self, last: Position) {
        if self.peeked.is_some() {
            return;
        }
        if let State::Closed { retry_at } = self.state {
            if retry_at > Instant::now() {
                sleep_until(retry_at).await;
            }
            self.state = State::Opening(self.open(last).boxed());
        }
        match &mut self.state {
            State::Closed { .. } => {}
            State::Opening(opening) => match opening.await {
                Ok(stream) => {
                    self.state = State::Open(Box::new(stream));
                    self.problem = None;
                    self.opened += 1;
                    ::metrics::counter!(metrics::FEED_CONSUMERS, "feed" => Arc::clone(&self.name))
                        .increment(1);
                }
                Err(problem) => self.close(problem),
            },
            State::Open(stream) => {
                let next = stream.next().await;
                self.peeked = self.take(next);
            }
        }
    }

    fn take(
        &mut self,
        next: Option<Result<jetstream::Message, pull::MessagesError>>,
    ) -> Option<jetstream::Message> {
        match next {
            Some(Ok(message)) => {
                self.backoff = backoff();
                return Some(message);
            }
            Some(Err(error)) => self.close(error.to_string()),
            None => self.close("the subscription ended".into()),
        }
        None
    }

    fn close(&mut self, problem: String) {
        tracing::debug!(stream = self.stream, problem, "consumer closed");
        self.problem = Some(problem);
        self.failed = true;
        let delay = self.backoff.next().unwrap_or(MAX_BACKOFF);
        self.state = State::Closed {
            retry_at: Instant::now() + delay,
        };
    }

    fn open(&self, last: Position) -> impl Future<Output = Result<pull::Stream, String>> + Send + use<> {
        let (context, stream, heartbeat) = (self.bus.clone(), self.stream.clone(), self.heartbeat);
        let config = pull::Config {
            description: Some(format!("subscription {}", self.name)),
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: last.next().get(),
            },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE_THRESHOLD,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        async move {
            let opening = async {
                let consumer = context
                    .create_consumer_on_stream(config, &stream)
                    .await
                    .map_err(|error| error.to_string())?;
                consumer
                    .stream()
                    .max_messages_per_batch(PULL_MESSAGES)
                    .expires(PULL_EXPIRES)
                    .heartbeat(heartbeat)
                    .messages()
                    .await
                    .map_err(|error| error.to_string())
            };
            timeout(OPEN_WAIT, opening)
                .await
                .unwrap_or_else(|_| Err("no answer from nats".into()))
        }
    }
}

const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// 50 ms, doubling to two seconds, with jitter; reset when a message arrives.
fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(MAX_BACKOFF)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}
