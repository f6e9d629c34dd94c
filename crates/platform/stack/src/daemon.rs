//! A program that should run: started, stopped, killed, paused, and restarted in place. [`Daemon::supervise`]
//! keeps it running.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::child::{Child, describe, signal_pid};
use crate::launch::Launch;
use crate::procfs;
use crate::progress::Progress;

/// How long a program may take to stop in good order. Our own programs stop in under 10 s.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// How long a program may take to be stopped by a signal. The signal arrives when its system call has ended.
const STILL_DEADLINE: Duration = Duration::from_secs(1);
/// How long the children of a killed program may take to end.
const FAMILY_DEADLINE: Duration = Duration::from_secs(10);

/// A program that has children (PostgreSQL, nginx).
#[derive(Clone, Debug)]
pub(crate) struct Family {
    /// The directory in which the program and all its children work.
    pub(crate) dir: PathBuf,
    /// The lock file that a killed program leaves there, and that stops its next start: the pid in it may by now belong to
    /// another process, or to a zombie.
    pub(crate) lock_file: PathBuf,
    /// Whether the children go on without the program. Such are killed after it.
    pub(crate) outlives: bool,
}

#[derive(Debug)]
pub(crate) struct Daemon {
    launch: Launch,
    family: Option<Family>,
    child: Mutex<Option<Child>>,
    wanted: watch::Sender<bool>,
    restarts: AtomicU64,
    /// Locked while starting and stopping, so that the supervisor never starts a program that is being stopped.
    transition: tokio::sync::Mutex<()>,
}

impl Daemon {
    pub(crate) fn new(launch: Launch, family: Option<Family>) -> Arc<Self> {
        Arc::new(Self {
            launch,
            family,
            child: Mutex::new(None),
            wanted: watch::Sender::new(false),
            restarts: AtomicU64::new(0),
            transition: tokio::sync::Mutex::new(()),
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.launch.name
    }

    pub(crate) fn launch(&self) -> &Launch {
        &self.launch
    }

    /// The pid, if it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.current().filter(Child::is_running).map(|child| child.pid())
    }

    /// How often the supervisor has restarted it.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Starts it unless it runs.
    pub(crate) async fn start(&self) -> anyhow::Result<u32> {
        let _transition = self.transition.lock().await;
        self.wanted.send_replace(true);
        self.launch_unless_running().await
    }

    /// Stops it in good order, by force after a deadline, and returns when nothing of it is left.
    pub(crate) async fn stop(&self) {
        let _transition = self.transition.lock().await;
        self.wanted.send_replace(false);
        if let Some(child) = self.current() {
            child.signal(self.launch.stop_signal);
            self.resume();
            if tokio::time::timeout(STOP_DEADLINE, child.exited()).await.is_err() {
                child.signal(Signal::SIGKILL);
                child.exited().await;
            }
        }
        self.family_gone().await;
        if let Some(path) = &self.launch.pid_file {
            let _ = std::fs::remove_file(path);
        }
    }

    /// SIGKILL, without a restart until [`Daemon::start`].
    pub(crate) async fn crash(&self) -> anyhow::Result<()> {
        let _transition = self.transition.lock().await;
        self.wanted.send_replace(false);
        self.end_by_force().await
    }

    /// SIGKILL; returns when the program and its children are gone. Only then may the supervisor restart it: this would wait
    /// for the children of the next one, too, and then kill them.
    pub(crate) async fn kill(&self) -> anyhow::Result<()> {
        let _transition = self.transition.lock().await;
        self.end_by_force().await
    }

    async fn end_by_force(&self) -> anyhow::Result<()> {
        let child = self.running()?;
        child.signal(Signal::SIGKILL);
        self.resume();
        child.exited().await;
        self.family_gone().await;
        Ok(())
    }

    /// Any signal, to itself alone.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.running()?.signal(signal);
        Ok(())
    }

    /// SIGSTOP for it and its children: it keeps its connections and answers nothing.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        let child = self.running()?;
        child.signal(Signal::SIGSTOP);
        // Until the signal has arrived the program may fork another child, which would not be stopped.
        let begun = Instant::now();
        while !procfs::is_stopped(child.pid()) && begun.elapsed() < STILL_DEADLINE {
            std::thread::sleep(Duration::from_micros(200));
        }
        for pid in self.family() {
            signal_pid(pid, Signal::SIGSTOP);
        }
        Ok(())
    }

    /// SIGCONT for it and its children.
    pub(crate) fn resume(&self) {
        for pid in self.family() {
            signal_pid(pid, Signal::SIGCONT);
        }
        if let Some(child) = self.current() {
            child.signal(Signal::SIGCONT);
        }
    }

    /// Keeps the program running until `shutdown`: restarts it when it ends without having been stopped.
    pub(crate) async fn supervise(self: Arc<Self>, progress: Progress, shutdown: CancellationToken) {
        let mut backoff = Backoff::default();
        while let Some(child) = self.current() {
            let status = tokio::select! {
                () = shutdown.cancelled() => return,
                status = child.exited() => status,
            };
            if *self.wanted.borrow() {
                let wait = backoff.after(child.started().elapsed());
                if !wait.is_zero() {
                    progress.line(&format!(
                        "{} died ({}) again, restarting it in {} ms; see {}",
                        self.name(),
                        describe(status),
                        wait.as_millis(),
                        self.launch.log.display()
                    ));
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                self.restart_dead(&child, &describe(status), progress).await;
            } else {
                let mut wanted = self.wanted.subscribe();
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    _ = wanted.wait_for(|wanted| *wanted) => {}
                }
                // `start` launches it under the lock that it also holds while it sets `wanted`.
                drop(self.transition.lock().await);
            }
        }
    }

    async fn restart_dead(&self, dead: &Child, how: &str, progress: Progress) {
        let _transition = self.transition.lock().await;
        let same = self.current().is_some_and(|child| child.pid() == dead.pid());
        if !*self.wanted.borrow() || !same {
            return;
        }
        match self.launch_unless_running().await {
            Ok(pid) => {
                self.restarts.fetch_add(1, Ordering::Relaxed);
                progress.line(&format!("{} died ({how}), restarted as pid {pid}", self.name()));
            }
            Err(error) => progress.line(&format!(
                "{} died ({how}), cannot restart it: {error:#}",
                self.name()
            )),
        }
    }

    async fn launch_unless_running(&self) -> anyhow::Result<u32> {
        if let Some(pid) = self.pid() {
            return Ok(pid);
        }
        self.family_gone().await;
        if let Some(family) = &self.family {
            let _ = std::fs::remove_file(&family.lock_file);
        }
        let child = Child::watch(self.launch.spawn()?);
        let pid = child.pid();
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        if let Some(path) = &self.launch.pid_file {
            std::fs::write(path, format!("{pid}\n"))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(pid)
    }

    /// Waits until no process works in the family's directory, and kills those that stay too long.
    async fn family_gone(&self) {
        let begun = Instant::now();
        let outlives = self.family.as_ref().is_some_and(|family| family.outlives);
        while !self.family().is_empty() {
            if outlives || begun.elapsed() > FAMILY_DEADLINE {
                for pid in self.family() {
                    signal_pid(pid, Signal::SIGKILL);
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn family(&self) -> Vec<u32> {
        let Some(family) = &self.family else {
            return Vec::new();
        };
        let program = self.launch.program.file_name().and_then(|name| name.to_str());
        // The program is compared as well, since a shell may have that working directory. A process that is ending has no
        // program any more, and may still hold the shared memory that stops the next start.
        procfs::working_in(&family.dir)
            .into_iter()
            .filter(|pid| procfs::program(*pid).is_none_or(|other| Some(other.as_str()) == program))
            .collect()
    }

    fn current(&self) -> Option<Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn running(&self) -> anyhow::Result<Child> {
        match self.current() {
            Some(child) if child.is_running() => Ok(child),
            _ => bail!("{} is not running", self.name()),
        }
    }

    /// The last lines of its log, for an error message.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read(&self.launch.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n    ");
        format!("last lines of {}:\n    {tail}", self.launch.log.display())
    }
}

impl Drop for Daemon {
    /// For a test that fails before it stops its servers.
    fn drop(&mut self) {
        if let Some(child) = self.current() {
            child.signal(Signal::SIGKILL);
        }
        // Paused children would not end with their parent.
        for pid in self.family() {
            signal_pid(pid, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn sleeper(scratch: &Scratch, seconds: &str) -> Arc<Daemon> {
        Daemon::new(
            Launch {
                name: "sleeper",
                program: PathBuf::from("sleep"),
                args: vec![seconds.to_owned()],
                env: Vec::new(),
                dir: scratch.path().to_owned(),
                log: scratch.path().join("log"),
                pid_file: Some(scratch.path().join("pid")),
                run_as: None,
                stop_signal: Signal::SIGTERM,
            },
            None,
        )
    }

    async fn until(condition: impl Fn() -> bool) {
        let begun = Instant::now();
        while !condition() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it did not happen within 30 s"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn killed_process_is_restarted_and_a_stopped_one_is_not() {
        let scratch = Scratch::create().unwrap();
        let daemon = sleeper(&scratch, "600");
        let first = daemon.start().await.unwrap();
        let shutdown = CancellationToken::new();
        let supervisor = tokio::spawn(Arc::clone(&daemon).supervise(Progress::silent(), shutdown.clone()));

        daemon.kill().await.unwrap();
        until(|| daemon.pid().is_some_and(|pid| pid != first)).await;
        assert_eq!(daemon.restarts(), 1);
        let written = std::fs::read_to_string(scratch.path().join("pid")).unwrap();
        until(|| daemon.pid().is_some_and(|pid| format!("{pid}\n") == written)).await;

        daemon.stop().await;
        assert_eq!(daemon.pid(), None);
        assert!(!scratch.path().join("pid").exists());
        let again = daemon.start().await.unwrap();
        daemon.kill().await.unwrap();
        until(|| daemon.pid().is_some_and(|pid| pid != again)).await;
        assert_eq!(daemon.restarts(), 2, "supervision went on after the stop");

        daemon.crash().await.unwrap();
        assert_eq!(daemon.pid(), None);
        daemon.start().await.unwrap();
        daemon.kill().await.unwrap();
        until(|| daemon.pid().is_some()).await;
        assert_eq!(
            daemon.restarts(),
            3,
            "a crash is no death that is mended, the next one is"
        );

        shutdown.cancel();
        supervisor.await.unwrap();
        daemon.stop().await;
        assert_eq!(procfs::working_in(scratch.path()), Vec::<u32>::new());
    }

    #[tokio::test]
    async fn process_that_ends_by_itself_is_restarted_again_and_again() {
        let scratch = Scratch::create().unwrap();
        let daemon = sleeper(&scratch, "0");
        daemon.start().await.unwrap();
        let shutdown = CancellationToken::new();
        let supervisor = tokio::spawn(Arc::clone(&daemon).supervise(Progress::silent(), shutdown.clone()));
        until(|| daemon.restarts() >= 3).await;
        shutdown.cancel();
        supervisor.await.unwrap();
        daemon.stop().await;
        assert_eq!(daemon.pid(), None);
    }

    /// As nginx, whose workers go on when it is killed.
    #[tokio::test]
    async fn children_that_outlive_a_killed_program_are_ended_also_when_their_directory_is_gone() {
        let scratch = Scratch::create().unwrap();
        let dir = scratch.path().join("of-the-family");
        std::fs::create_dir(&dir).unwrap();
        let mut launch = sleeper(&scratch, "600").launch.clone();
        // Shells count as the program, and `sleep` does not.
        launch.program = std::fs::canonicalize("/bin/sh").unwrap();
        launch.args = ["-c", "sh -c 'sleep 600; exit' & sleep 600; exit"]
            .map(str::to_owned)
            .to_vec();
        launch.dir.clone_from(&dir);
        let family = Family {
            dir: dir.clone(),
            lock_file: dir.join("lock"),
            outlives: true,
        };
        let daemon = Daemon::new(launch, Some(family));
        daemon.start().await.unwrap();
        until(|| daemon.family().len() == 2).await;
        let begun = Instant::now();
        daemon.kill().await.unwrap();
        assert_eq!(daemon.family(), Vec::<u32>::new());
        assert!(begun.elapsed() < FAMILY_DEADLINE, "at once");

        daemon.start().await.unwrap();
        until(|| daemon.family().len() == 2).await;
        std::fs::remove_dir_all(&dir).unwrap();
        let family = daemon.family();
        assert_eq!(family.len(), 2, "found in a directory that is gone");
        drop(daemon);
        until(|| family.iter().all(|pid| !procfs::works_in(*pid, &dir))).await;
        for pid in procfs::working_in(&dir) {
            signal_pid(pid, Signal::SIGKILL);
        }
    }

    #[tokio::test]
    async fn program_that_cannot_start_is_an_error_that_names_it() {
        let scratch = Scratch::create().unwrap();
        let daemon = sleeper(&scratch, "1");
        let mut launch = daemon.launch.clone();
        launch.dir = PathBuf::from("/nonexistent");
        let error = Daemon::new(launch, None).start().await.unwrap_err();
        assert!(format!("{error:#}").contains("cannot start sleeper"), "{error:#}");
    }
}
