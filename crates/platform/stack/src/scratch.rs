//! A directory for the servers of one test run. It is removed when dropped. A killed process leaves its directory behind,
//! and the next one removes it, because no process holds its lock.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::sys::signal::Signal;
use uuid::Uuid;

use crate::checkout::{create_dir, create_own_dir, reachable_by_others};
use crate::child::signal_pid;
use crate::process::Process;
use crate::procfs;

/// A directory of our own, and its lock.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Scratch {
    pub(crate) fn create() -> anyhow::Result<Self> {
        let temporary = std::env::temp_dir();
        let temporary = if reachable_by_others(&temporary) {
            temporary
        } else {
            PathBuf::from("/var/tmp")
        };
        let base = temporary.join(format!("bilsport-stack-{}", nix::unistd::geteuid()));
        // Other users may enter but not list: PostgreSQL runs as another user when we are root.
        create_own_dir(&base, 0o711)?;
        sweep(&base);
        let path = base.join(Uuid::new_v4().simple().to_string());
        let lock_path = path.with_extension("lock");
        let lock = lock_file(&lock_path).context("cannot create a lock file")?;
        lock.lock().context("cannot lock a new file")?;
        create_dir(&path, 0o711)?;
        Ok(Self {
            path,
            lock_path,
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else {
        return;
    };
    for lock_path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if lock_path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let dir = lock_path.with_extension("");
        // A lock without a directory may belong to a process that is just about to create it.
        let abandoned = dir.exists() && lock_file(&lock_path).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            // A process that was paused when its supervisor died still runs.
            for pid in procfs::working_in(&dir) {
                let ours = |process: Process| procfs::program(pid).as_deref() == Some(process.program());
                if Process::in_a_checkout().any(ours) {
                    signal_pid(pid, Signal::SIGKILL);
                }
            }
            let _ = std::fs::remove_dir_all(&dir);
            let _ = std::fs::remove_file(&lock_path);
        }
    }
}

fn lock_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}
