//! A disk small enough to fill: a file system in memory, mounted on a server's data directory.
//!
//! Mounting needs root. The process should have its own mount namespace (`unshare --mount`), whose end unmounts the disks.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::checkout::create_dir;
use crate::scratch::Scratch;

/// Bytes written at once while filling.
const CHUNK: usize = 1 << 20;

/// How large the disks of PostgreSQL and NATS are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSizes {
    /// PostgreSQL's: data, write-ahead log and all.
    pub postgres_mb: u32,
    /// JetStream's.
    pub nats_mb: u32,
}

/// One mounted disk. Unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Whether disks can be mounted here, or why not.
    pub fn possible() -> anyhow::Result<()> {
        let scratch = Scratch::create()?;
        Self::mount(&scratch.path().join("disk"), 1).map(drop)
    }

    /// Mounts an empty disk on `path`, which is created.
    pub(crate) fn mount(path: &Path, megabytes: u32) -> anyhow::Result<Self> {
        create_dir(path, 0o711)?;
        run(Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={megabytes}m,mode=0711"),
                "tmpfs",
            ])
            .arg(path))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Takes all space that is left, and says how many bytes that was.
    pub fn fill(&self) -> anyhow::Result<u64> {
        let mut filler = File::create(self.filler()).context("cannot create the filler")?;
        let chunk = vec![0; CHUNK];
        let mut size = CHUNK;
        let mut taken = 0;
        // Down to the last page, so that every further write fails.
        while size > 0 {
            match filler.write(&chunk[..size]) {
                Ok(written) => taken += written as u64,
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => size /= 2,
                Err(error) => return Err(error).context("cannot fill the disk"),
            }
        }
        Ok(taken)
    }

    /// Gives the space back.
    pub fn free(&self) -> anyhow::Result<()> {
        std::fs::remove_file(self.filler()).context("cannot remove the filler")
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still use the disk.
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.path));
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::SmallDisk;
    use crate::scratch::Scratch;

    #[test]
    fn a_full_disk_takes_nothing_until_it_has_space_again() {
        if let Err(error) = SmallDisk::possible() {
            assert!(!nix::unistd::geteuid().is_root(), "{error:#}");
            return;
        }
        let scratch = Scratch::create().unwrap();
        let path = scratch.path().join("disk");
        let disk = SmallDisk::mount(&path, 2).unwrap();
        assert!(disk.fill().unwrap() > 1 << 20);
        let refused = std::fs::write(path.join("file"), "text").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
        disk.free().unwrap();
        std::fs::write(path.join("file"), "text").unwrap();
        drop(disk);
        assert!(!path.join("file").exists(), "it is still mounted");
    }
}
