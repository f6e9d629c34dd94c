//! The seals outside the database: a file of JSON lines that is only ever appended to.
//!
//! Every line follows from its seal alone, so the file is right exactly if its bytes are the beginning of the lines that
//! the table gives. Missing bytes, half a line after a crash included, are appended; nothing else is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::record::{GENESIS, Seal};
use super::table::Table;
use super::{Error, merkle};

/// Seals compared at a time.
const PAGE: i64 = 512;
/// How long another sealer may keep the file locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file, and the end of the part that was compared with the table.
pub(crate) struct SealFile {
    path: PathBuf,
    checked: Checked,
}

#[derive(Clone, Copy)]
struct Checked {
    bytes: u64,
    first: i64,
    last: i64,
    hash: merkle::Hash,
}

impl SealFile {
    pub(crate) const fn new(path: PathBuf) -> Self {
        let checked = Checked {
            bytes: 0,
            first: 0,
            last: 0,
            hash: GENESIS,
        };
        Self { path, checked }
    }

    /// Compares the rest of the file with the table, then appends and syncs the seals that only the table has.
    pub(crate) async fn catch_up(&mut self, table: &Table) -> Result<(), Error> {
        let mut ahead = false;
        loop {
            let seals = table.seals_after(self.checked.first, PAGE).await?;
            if ahead && seals.is_empty() {
                // What is in the file was in the table first, and the table was read after the file.
                return Err(Error::Contradiction(format!(
                    "{} goes on after position {}, where the database's seals end",
                    self.path.display(),
                    self.checked.last
                )));
            }
            let (next, text) = self.after(&seals)?;
            let (path, from) = (self.path.clone(), self.checked);
            let extended = tokio::task::spawn_blocking(move || extend(&path, from, &text)).await;
            ahead = extended.map_err(|error| Error::file(&self.path, std::io::Error::other(error)))??;
            self.checked = next;
            if seals.is_empty() && !ahead {
                return Ok(());
            }
        }
    }

    /// The seals' lines, and where the file ends with them. Nothing that breaks the chain gets into the file.
    fn after(&self, seals: &[Seal]) -> Result<(Checked, Vec<u8>), Error> {
        let (mut end, mut text) = (self.checked, Vec::new());
        for seal in seals {
            if seal.first != end.last + 1 || seal.previous_seal_hash != end.hash {
                return Err(Error::Contradiction(format!(
                    "the database's seal of positions {}-{} does not follow the seal before it",
                    seal.first, seal.last
                )));
            }
            let line = seal
                .line()
                .map_err(|error| Error::Contradiction(error.to_string()))?;
            text.extend_from_slice(line.as_bytes());
            end = Checked {
                bytes: end.bytes + line.len() as u64,
                first: seal.first,
                last: seal.last,
                hash: seal.hash(),
            };
        }
        Ok((end, text))
    }
}

/// Writes `text` behind the checked part of the file. Returns whether the file has more after it.
fn extend(path: &Path, from: Checked, text: &[u8]) -> Result<bool, Error> {
    let contradiction =
        |what: &str| Error::Contradiction(format!("{} {what} after position {}", path.display(), from.last));
    let failed = |error| Error::file(path, error);
    let mut file = open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let end = from.bytes + text.len() as u64;
    if length < from.bytes {
        return Err(contradiction("lost what it held up to and"));
    }
    file.seek(SeekFrom::Start(from.bytes)).map_err(failed)?;
    let mut there = Vec::new();
    (&mut file)
        .take(text.len() as u64)
        .read_to_end(&mut there)
        .map_err(failed)?;
    let Some(missing) = text.strip_prefix(there.as_slice()) else {
        return Err(contradiction("differs from the database's seals"));
    };
    if !missing.is_empty() {
        file.write_all(missing).map_err(failed)?;
    }
    if !text.is_empty() {
        // Also for lines that an earlier process wrote and may not have synced.
        file.sync_all().map_err(failed)?;
    }
    Ok(length > end)
}

/// Opens or creates the file for this sealer alone: the lock ends with the handle.
fn open(path: &Path) -> std::io::Result<File> {
    let made = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    if made && let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    "locked by another sealer",
                ));
            }
        }
    }
}
