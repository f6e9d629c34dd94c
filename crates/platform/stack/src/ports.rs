//! TCP ports that no two stacks share. Binding port 0 and passing the number to a child leaves a window in which another
//! process may take it, and a restart needs the same port again. So a port is reserved by a lock on a file with its
//! number, held until this process ends, and then tried.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::checkout::create_own_dir;

/// Below the kernel's ephemeral range (32768 and up), so no outgoing connection takes one.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// A port that stays reserved for this process until dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Any free port.
    pub fn any() -> anyhow::Result<Self> {
        let count = LAST - FIRST + 1;
        let start = u16::try_from(RandomState::new().build_hasher().finish() % u64::from(count))?;
        for step in 0..count {
            // Both are below 12,000, so the sum fits.
            let number = FIRST + (start + step) % count;
            if let Some(port) = Self::reserve(number)? {
                return Ok(port);
            }
        }
        bail!("no free port between {FIRST} and {LAST}");
    }

    /// That port if it is free, else any.
    pub fn prefer(number: u16) -> anyhow::Result<Self> {
        match Self::reserve(number)? {
            Some(port) => Ok(port),
            None => Self::any(),
        }
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:<number>`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }

    /// `http://127.0.0.1:<number>`.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.number)
    }

    fn reserve(number: u16) -> anyhow::Result<Option<Self>> {
        let dir = lock_dir()?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(number.to_string()))
            .with_context(|| format!("cannot open a port lock in {}", dir.display()))?;
        let free = lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok();
        Ok(free.then_some(Self { number, _lock: lock }))
    }
}

/// One directory per user: a sticky world-writable directory would refuse other users' files.
fn lock_dir() -> anyhow::Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("bilsport-ports-{}", nix::unistd::geteuid()));
    create_own_dir(&dir, 0o700)?;
    Ok(dir)
}
