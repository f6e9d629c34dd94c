//! The user that runs servers which refuse to run as root.

use std::os::unix::fs::chown;
use std::path::Path;

use anyhow::{Context as _, bail};
use nix::unistd::{User, geteuid};

/// The user and group a child runs as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunAs {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Another user if this process is root, since PostgreSQL refuses to run as root.
pub(crate) fn run_as() -> anyhow::Result<Option<RunAs>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(RunAs {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            }));
        }
    }
    bail!("Postgres does not run as root, and there is neither a user `postgres` nor `nobody`");
}

/// Gives a file or directory to the user who runs the server.
pub(crate) fn hand_over(path: &Path, run_as: Option<RunAs>) -> anyhow::Result<()> {
    let Some(run_as) = run_as else {
        return Ok(());
    };
    chown(path, Some(run_as.uid), Some(run_as.gid))
        .with_context(|| format!("cannot hand {} to the server's user", path.display()))
}
