//! How long a request's head may take, and how long a connection may idle before the next one.
//!
//! hyper has one time limit for both, which begins when hyper is ready for a head. A load balancer keeps idle connections
//! for about a minute, and a request that it sends on a connection that we have just closed is lost. So the limit for
//! idle connections must be longer than a minute, and the limit for a head much shorter. hyper's timer knows both cases.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;

/// When the first byte of the present head arrived. Shared by the reads of a connection and its timer.
#[derive(Clone, Default)]
pub(super) struct FirstByte(Arc<Mutex<Option<Instant>>>);

impl FirstByte {
    /// Bytes have arrived.
    pub(super) fn came(&self) {
        self.with(|first| {
            first.get_or_insert_with(Instant::now);
        });
    }

    fn get(&self) -> Option<Instant> {
        self.with(|first| *first)
    }

    fn forget(&self) {
        self.with(|first| *first = None);
    }

    /// An instant is never left half-written, so a panic while it was locked leaves it usable.
    fn with<R>(&self, act: impl FnOnce(&mut Option<Instant>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The timer of one connection. hyper creates a sleep with it each time it starts to wait for a head.
pub(super) struct HeadTimer {
    pub(super) first_byte: FirstByte,
    /// Limit for a head, from its first byte; also for a new connection until that byte.
    pub(super) head_timeout: Duration,
    /// From an answer to the first byte of the next head.
    pub(super) idle_timeout: Duration,
    asked: AtomicBool,
}

impl HeadTimer {
    pub(super) fn new(first_byte: FirstByte, head_timeout: Duration, idle_timeout: Duration) -> Self {
        Self {
            first_byte,
            head_timeout,
            idle_timeout,
            asked: AtomicBool::new(false),
        }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, _deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.first_byte.forget();
        let is_first_head = !self.asked.swap(true, Ordering::Relaxed);
        let quiet = if is_first_head {
            self.head_timeout
        } else {
            self.idle_timeout
        };
        let deadline = Instant::now() + quiet;
        Box::pin(HeadSleep {
            first_byte: self.first_byte.clone(),
            head_timeout: self.head_timeout,
            deadline,
            sleep: TokioTimer::new().sleep_until(deadline),
        })
    }
}

struct HeadSleep {
    first_byte: FirstByte,
    head_timeout: Duration,
    deadline: Instant,
    sleep: Pin<Box<dyn Sleep>>,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    /// hyper polls this after every read that did not complete the head.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(first) = self.first_byte.get() {
            let deadline = first + self.head_timeout;
            if deadline != self.deadline {
                self.deadline = deadline;
                self.sleep = TokioTimer::new().sleep_until(deadline);
            }
        }
        self.sleep.as_mut().poll(context)
    }
}
