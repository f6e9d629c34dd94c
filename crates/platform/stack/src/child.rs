//! One running child process: its pid, its end, and signals that never reach another process.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::sync::watch;

/// A child whose exit is awaited by a thread of its own, so that it can be watched from any async runtime.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pid: u32,
    started: Instant,
    /// Locked while the child is reaped and while it is signalled: another process may get a reaped pid.
    reaped: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    pub(crate) fn watch(mut process: std::process::Child) -> Self {
        let pid = process.id();
        let reaped = Arc::new(Mutex::new(false));
        let (report, exit) = watch::channel(None);
        let child = Self {
            pid,
            started: Instant::now(),
            reaped: Arc::clone(&reaped),
            exit,
        };
        std::thread::spawn(move || {
            let _ = waitid(Id::Pid(nix_pid(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            let mut reaped = lock(&reaped);
            let status = process.wait().unwrap_or_else(|_| ExitStatus::from_raw(0));
            *reaped = true;
            drop(reaped);
            report.send_replace(Some(status));
        });
        child
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn is_running(&self) -> bool {
        !*lock(&self.reaped)
    }

    /// Sends a signal; does nothing when the child has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        let reaped = lock(&self.reaped);
        if !*reaped {
            let _ = kill(nix_pid(self.pid), signal);
        }
    }

    /// Waits until the child has ended.
    pub(crate) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        // The waiting thread always sends the status before it ends, so a closed channel means that the child is gone.
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_else(|| ExitStatus::from_raw(0)),
            Err(_) => ExitStatus::from_raw(0),
        }
    }
}

/// `signal 9` or `exit code 1`.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}

/// Signals any process, by pid.
pub(crate) fn signal_pid(pid: u32, signal: Signal) {
    let _ = kill(nix_pid(pid), signal);
}

/// Kernel pids are positive and below 2^22, so the conversion cannot fail; the fallback is a pid that never is.
fn nix_pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX))
}

fn lock(mutex: &Mutex<bool>) -> MutexGuard<'_, bool> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
