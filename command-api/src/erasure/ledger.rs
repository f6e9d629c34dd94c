//! The ledger of erasures: a file of JSON lines outside the database, which is only ever appended to. It holds ids, and no names.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use envelope::{Position, RecordedEvent};
use events::{ErasureGround, PersonErased};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(PathBuf);

/// One erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) erasure_id: Uuid,
    pub(crate) person_id: Uuid,
    pub(crate) ground: ErasureGround,
    /// Where it was recorded.
    pub(crate) position: Position,
    pub(crate) recorded_at: DateTime<Utc>,
}

impl Entry {
    pub(super) const fn of(recorded: &RecordedEvent, erased: &PersonErased) -> Self {
        Self {
            erasure_id: erased.erasure_id,
            person_id: recorded.aggregate_id,
            ground: erased.ground,
            position: recorded.position,
            recorded_at: recorded.recorded_at,
        }
    }
}

impl Ledger {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Appends an erasure, unless it is there, and waits for the disk.
    pub(super) async fn write_down(&self, entry: Entry) -> io::Result<()> {
        let path = self.0.clone();
        blocking(move || write_down(&path, &entry)).await
    }

    /// All erasures; none if there is no file yet.
    pub(crate) async fn read(&self) -> io::Result<Vec<Entry>> {
        let path = self.0.clone();
        blocking(move || match File::open(&path) {
            Ok(mut file) => {
                file.lock_shared()?;
                Ok(entries(&mut file)?.0)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

fn write_down(path: &Path, entry: &Entry) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)?;
    file.lock()?;
    let (known, end) = entries(&mut file)?;
    if known.iter().any(|one| one.erasure_id == entry.erasure_id) {
        return Ok(());
    }
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    // Half a line is of a crash while it was written: its erasure is written now, or comes again.
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    file.write_all(&line)?;
    file.sync_all()?;
    // The name, too, if the file is new.
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// The whole lines, and where they end.
fn entries(file: &mut File) -> io::Result<(Vec<Entry>, u64)> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    let end = text
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let lines = text[..end]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let entries = lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from));
    Ok((entries.collect::<io::Result<_>>()?, end as u64))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use envelope::Position;
    use events::ErasureGround;
    use uuid::Uuid;

    use super::{Entry, Ledger};

    fn entry(number: u128) -> Entry {
        Entry {
            erasure_id: Uuid::from_u128(number),
            person_id: Uuid::from_u128(100 + number),
            ground: ErasureGround::Requested,
            position: Position::new(7),
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn each_erasure_is_there_once_and_half_a_line_is_none() {
        let path = std::env::temp_dir().join(format!("ledger-{}", Uuid::now_v7()));
        let ledger = Ledger::new(path.clone());
        assert_eq!(ledger.read().await.unwrap(), []);
        for number in [1, 2, 1] {
            ledger.write_down(entry(number)).await.unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!(ledger.read().await.unwrap(), [entry(1)]);
        ledger.write_down(entry(2)).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        std::fs::write(&path, "not an erasure\n").unwrap();
        assert!(
            ledger.read().await.is_err(),
            "a damaged ledger is not an empty one"
        );
        std::fs::remove_file(&path).unwrap();
    }
}
