//! The user that servers run as where they refuse to run as root.

use std::os::unix::fs::chown;
use std::path::Path;

use anyhow::{Context as _, bail};
use nix::unistd::{User, geteuid};

use crate::launch::RunAs;

/// The user, if this process runs as root: Postgres refuses to run as root.
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

/// Gives a file or directory to the user of a server.
pub(crate) fn hand_over(path: &Path, run_as: Option<RunAs>) -> anyhow::Result<()> {
    let Some(run_as) = run_as else {
        return Ok(());
    };
    chown(path, Some(run_as.uid), Some(run_as.gid))
        .with_context(|| format!("cannot hand {} to the server's user", path.display()))
}
