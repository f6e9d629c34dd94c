//! A clock that stands still while a task works, and the tasks that wait for it. One thread, no real time.
//!
//! Tasks are futures, so that the simulated processes read like the real ones; their order depends on nothing but the
//! times at which they wait and the order in which they began to.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Microseconds since the run began.
pub(crate) type Time = u64;

pub(crate) const MS: Time = 1_000;
pub(crate) const SECOND: Time = 1_000 * MS;

/// Which process a task belongs to: processes are paused and killed as a whole.
pub(crate) type Process = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Task(usize);

type Work = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Default)]
pub(crate) struct Schedule {
    now: Cell<Time>,
    order: Cell<u64>,
    due: RefCell<BinaryHeap<Entry>>,
    tasks: RefCell<Vec<Slot>>,
    current: Cell<usize>,
    paused_until: RefCell<Vec<Time>>,
}

struct Slot {
    /// Not here while it runs, or when it ended or was killed.
    work: Option<Work>,
    process: Process,
    alive: bool,
    poked: bool,
}

struct Entry {
    at: Time,
    order: u64,
    what: What,
}

enum What {
    Poll(usize),
    Call(Box<dyn FnOnce()>),
}

impl Schedule {
    pub(crate) fn now(&self) -> Time {
        self.now.get()
    }

    pub(crate) fn current(&self) -> Task {
        Task(self.current.get())
    }

    /// Does something at a time, whatever becomes of who asked for it: a message under way.
    pub(crate) fn at(&self, at: Time, call: impl FnOnce() + 'static) {
        self.push(at, What::Call(Box::new(call)));
    }

    pub(crate) fn spawn(&self, process: Process, work: impl Future<Output = ()> + 'static) -> Task {
        let mut tasks = self.tasks.borrow_mut();
        tasks.push(Slot {
            work: Some(Box::pin(work)),
            process,
            alive: true,
            poked: false,
        });
        let task = tasks.len() - 1;
        self.push(self.now(), What::Poll(task));
        Task(task)
    }

    pub(crate) fn kill(&self, Task(task): Task) {
        let mut tasks = self.tasks.borrow_mut();
        tasks[task].alive = false;
        let work = tasks[task].work.take();
        drop(tasks);
        drop(work);
    }

    pub(crate) fn is_alive(&self, Task(task): Task) -> bool {
        self.tasks.borrow()[task].alive
    }

    /// Ends all tasks of a process, wherever they wait.
    pub(crate) fn crash(&self, process: Process) {
        let of_process: Vec<usize> = {
            let tasks = self.tasks.borrow();
            let alive = tasks.iter().enumerate();
            let alive = alive.filter(|(_, slot)| slot.alive && slot.process == process);
            alive.map(|(task, _)| task).collect()
        };
        for task in of_process {
            self.kill(Task(task));
        }
        self.pause(process, 0);
    }

    /// As `SIGSTOP` until then. Time goes on meanwhile.
    pub(crate) fn pause(&self, process: Process, until: Time) {
        let mut paused = self.paused_until.borrow_mut();
        if paused.len() <= process {
            paused.resize(process + 1, 0);
        }
        paused[process] = until;
    }

    /// Something happened that the task may wait for.
    pub(crate) fn poke(&self, Task(task): Task) {
        self.tasks.borrow_mut()[task].poked = true;
        self.push(self.now(), What::Poll(task));
    }

    pub(crate) async fn sleep(&self, for_long: Time) {
        self.sleep_until(self.now() + for_long).await;
    }

    pub(crate) async fn sleep_until(&self, until: Time) {
        self.push(until, What::Poll(self.current.get()));
        poll_fn(|_| ready(self.now() >= until)).await;
    }

    /// Until then, or until another task wakes this one.
    pub(crate) async fn wait_until(&self, until: Time) {
        let task = self.current.get();
        self.push(until, What::Poll(task));
        poll_fn(|_| {
            let poked = std::mem::take(&mut self.tasks.borrow_mut()[task].poked);
            ready(poked || self.now() >= until)
        })
        .await;
    }

    /// Goes on to what is due next; false if nothing is.
    pub(crate) fn step(&self) -> bool {
        let Some(entry) = self.due.borrow_mut().pop() else {
            return false;
        };
        self.now.set(self.now().max(entry.at));
        match entry.what {
            What::Call(call) => call(),
            What::Poll(task) => self.poll(task),
        }
        true
    }

    /// Forgets everything that waits: who waits holds the world that holds the schedule.
    pub(crate) fn clear(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        let due = std::mem::take(&mut *self.due.borrow_mut());
        drop((tasks, due));
    }

    fn poll(&self, task: usize) {
        let mut work = {
            let mut tasks = self.tasks.borrow_mut();
            let slot = &mut tasks[task];
            let paused = self.paused_until.borrow();
            let until = paused.get(slot.process).copied().unwrap_or_default();
            if until > self.now() && slot.alive {
                self.push(until, What::Poll(task));
                return;
            }
            let Some(work) = slot.work.take() else { return };
            work
        };
        self.current.set(task);
        let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let slot = &mut self.tasks.borrow_mut()[task];
        match polled {
            Poll::Ready(()) => slot.alive = false,
            Poll::Pending if slot.alive => slot.work = Some(work),
            Poll::Pending => {}
        }
    }

    fn push(&self, at: Time, what: What) {
        let order = self.order.get();
        self.order.set(order + 1);
        self.due.borrow_mut().push(Entry { at, order, what });
    }
}

fn ready(is_ready: bool) -> Poll<()> {
    if is_ready { Poll::Ready(()) } else { Poll::Pending }
}

impl Ord for Entry {
    /// The earliest is the greatest, as the heap needs it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
