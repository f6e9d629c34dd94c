//! The checkout, and the layout of its `.local` directory. `make up` keeps everything there: data, logs, pid files,
//! secrets and `stack.env`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use aws_lc_rs::digest::{SHA256, digest};

use crate::hex::hex;
use crate::run_as::run_as;

/// A checkout of this project, by its root directory.
#[derive(Clone, Debug)]
pub struct Checkout {
    root: PathBuf,
}

/// The lock of `make up` and `make clean-data` on a checkout. The kernel releases it when the process ends.
#[derive(Debug)]
pub struct UpLock {
    _file: File,
}

impl Checkout {
    /// The checkout around the current directory: the nearest one above with our `nats/server.conf`.
    pub fn find() -> Option<Self> {
        let here = std::env::current_dir().ok()?;
        let root = here
            .ancestors()
            .find(|dir| dir.join("nats/server.conf").is_file())?;
        Some(Self {
            root: root.to_owned(),
        })
    }

    /// Like [`Checkout::find`], with an error that says what to do.
    pub fn here() -> anyhow::Result<Self> {
        Self::find().context("this is not a checkout of the project; run it from the project's directory")
    }

    /// `.local`, created when missing.
    pub fn local(&self) -> anyhow::Result<PathBuf> {
        self.dir(".local", 0o755)
    }

    /// The directory of the servers' data, which the next `make up` uses again.
    pub fn data(&self) -> anyhow::Result<PathBuf> {
        self.dir(".local/data", 0o755)
    }

    /// One log file per process.
    pub fn logs(&self) -> anyhow::Result<PathBuf> {
        self.dir(".local/logs", 0o755)
    }

    /// One pid file per running process.
    pub fn pids(&self) -> anyhow::Result<PathBuf> {
        self.dir(".local/pids", 0o755)
    }

    /// `.local/stack.env`: the addresses of the running system.
    pub fn stack_env(&self) -> PathBuf {
        self.root.join(".local/stack.env")
    }

    /// Where a nats-server that we installed is.
    pub(crate) fn nats_server(&self) -> PathBuf {
        self.root.join(".local/bin/nats-server")
    }

    /// Where Postgres may keep its data if its user cannot enter the checkout.
    pub(crate) fn data_outside(&self) -> PathBuf {
        Path::new("/var/tmp").join(format!("bilsport-{}", self.id()))
    }

    /// The data directory of programs that run as another user, who may be unable to enter the checkout.
    pub(crate) fn reachable_data(&self) -> anyhow::Result<PathBuf> {
        let data = self.data()?;
        if run_as()?.is_none() || reachable_by_others(&data) {
            return Ok(data);
        }
        let outside = self.data_outside();
        create_own_dir(&outside, 0o711)?;
        Ok(outside)
    }

    /// The same for each run, and different for each checkout.
    pub(crate) fn id(&self) -> String {
        let hash = digest(&SHA256, self.root.as_os_str().as_encoded_bytes());
        hex(&hash.as_ref()[..6])
    }

    /// The key of the local token issuer.
    pub(crate) fn issuer_key(&self) -> anyhow::Result<PathBuf> {
        Ok(self.data()?.join("issuer.key"))
    }

    /// Takes the lock that only one `make up` per checkout can have.
    pub fn lock(&self) -> anyhow::Result<UpLock> {
        let path = self.local()?.join("up.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = std::fs::read_to_string(&path).unwrap_or_default();
                bail!(
                    "the stack of this checkout is already running (pid {}); stop it first with Ctrl-C",
                    pid.trim()
                )
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock .local/up.lock"),
        }
        file.set_len(0)?;
        (&file).write_all(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(UpLock { _file: file })
    }

    fn dir(&self, name: &str, mode: u32) -> anyhow::Result<PathBuf> {
        let dir = self.root.join(name);
        create_dir(&dir, mode)?;
        Ok(dir)
    }
}

/// Creates a directory (and those above it) with a mode.
pub(crate) fn create_dir(dir: &Path, mode: u32) -> anyhow::Result<()> {
    let create = || {
        std::fs::create_dir_all(dir)?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode))
    };
    create().with_context(|| format!("cannot create {}", dir.display()))
}

/// Creates a directory at a place where others may create things too, and refuses one that is not ours.
pub(crate) fn create_own_dir(dir: &Path, mode: u32) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let data = std::fs::symlink_metadata(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    if !data.is_dir() || data.uid() != nix::unistd::geteuid().as_raw() {
        bail!("{} belongs to another user: remove it", dir.display());
    }
    create_dir(dir, mode)
}

/// Writes a whole file that only its owner can read, so that a reader sees either the old or the new text.
pub(crate) fn write_private(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(text)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Whether a user who owns nothing here can get into the directory.
pub(crate) fn reachable_by_others(dir: &Path) -> bool {
    dir.ancestors()
        .all(|dir| std::fs::metadata(dir).is_ok_and(|data| data.permissions().mode() & 0o001 != 0))
}
