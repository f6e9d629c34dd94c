//! The letters on disk: a file each, with the envelope as its first line. A file has its name when all of it is on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, bail};

use super::letter::{Envelope, heading};
use crate::checkout::{create_dir, write_private};

/// Above either bound, the oldest letters are deleted.
const MAX_LETTERS: usize = 10_000;
const MAX_BYTES: u64 = 1 << 30;

pub(super) struct Store {
    dir: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last: u64,
    /// Each letter's envelope and the size of its file.
    letters: BTreeMap<u64, (Envelope, u64)>,
    bytes: u64,
}

impl Store {
    /// Opens the directory with the letters of earlier runs.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        create_dir(dir, 0o700)?;
        let mut kept = Kept::default();
        let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            match name.strip_suffix(".letter").map(str::parse) {
                Some(Ok(n)) => {
                    let (envelope, _) = open(&path)?;
                    kept.add(n, envelope, path.metadata()?.len());
                }
                // A letter that was cut off while it was written has no answer, and its sender repeats it.
                _ if name.contains(".new-") => std::fs::remove_file(&path)?,
                _ => bail!("{} is not a letter: remove it", path.display()),
            }
        }
        let store = Self {
            dir: dir.to_owned(),
            kept: Mutex::new(kept),
        };
        store.prune();
        Ok(store)
    }

    /// Keeps a letter and returns its number, once it is flushed to disk.
    pub(super) async fn keep(self: &Arc<Self>, envelope: Envelope, letter: Vec<u8>) -> anyhow::Result<u64> {
        let store = Arc::clone(self);
        tokio::task::spawn_blocking(move || store.write(envelope, &letter)).await?
    }

    fn write(&self, mut envelope: Envelope, letter: &[u8]) -> anyhow::Result<u64> {
        (envelope.subject, envelope.message_id) = heading(letter);
        let mut file = serde_json::to_vec(&envelope)?;
        file.push(b'\n');
        file.extend_from_slice(letter);
        let n = {
            let mut kept = self.lock();
            kept.last += 1;
            kept.last
        };
        write_private(&self.path(n), &file)?;
        self.lock().add(n, envelope, file.len() as u64);
        self.prune();
        Ok(n)
    }

    /// The envelopes, newest first.
    pub(super) fn list(&self) -> Vec<(u64, Envelope)> {
        let kept = self.lock();
        let newest_first = kept.letters.iter().rev();
        newest_first
            .map(|(n, (envelope, _))| (*n, envelope.clone()))
            .collect()
    }

    /// A letter with its envelope; `None` if it is not kept, or no longer.
    pub(super) async fn read(self: &Arc<Self>, n: u64) -> anyhow::Result<Option<(Envelope, Vec<u8>)>> {
        if !self.lock().letters.contains_key(&n) {
            return Ok(None);
        }
        let path = self.path(n);
        let read = move || {
            // It may have become too old since.
            if !path.exists() {
                return Ok(None);
            }
            let (envelope, mut rest) = open(&path)?;
            let mut letter = Vec::new();
            rest.read_to_end(&mut letter)?;
            Ok(Some((envelope, letter)))
        };
        tokio::task::spawn_blocking(read).await?
    }

    fn path(&self, n: u64) -> PathBuf {
        self.dir.join(format!("{n}.letter"))
    }

    fn prune(&self) {
        let mut kept = self.lock();
        while kept.letters.len() > MAX_LETTERS || kept.bytes > MAX_BYTES {
            let Some((n, (_, bytes))) = kept.letters.pop_first() else {
                return;
            };
            kept.bytes -= bytes;
            // One that stays is deleted at the next start.
            let _ = std::fs::remove_file(self.path(n));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn add(&mut self, n: u64, envelope: Envelope, bytes: u64) {
        self.last = self.last.max(n);
        self.bytes += bytes;
        self.letters.insert(n, (envelope, bytes));
    }
}

/// The envelope of a file, and the letter after it.
fn open(path: &Path) -> anyhow::Result<(Envelope, BufReader<File>)> {
    let mut file =
        BufReader::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?);
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)?;
    let envelope =
        serde_json::from_slice(&line).with_context(|| format!("{} is damaged: remove it", path.display()))?;
    Ok((envelope, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[tokio::test]
    async fn the_oldest_letters_go_and_numbers_are_never_used_again() {
        let scratch = Scratch::create().unwrap();
        let dir = scratch.path().join("letters");
        let store = Arc::new(Store::open(&dir).unwrap());
        for _ in 0..3 {
            let envelope = Envelope::new("a@b.no".to_owned(), vec!["c@d.no".to_owned()]);
            store
                .keep(envelope, b"Subject: x\r\n\r\ntext\r\n".to_vec())
                .await
                .unwrap();
        }
        store.lock().bytes += MAX_BYTES;
        store.prune();
        assert_eq!(store.list().len(), 0);
        assert!(store.read(1).await.unwrap().is_none());
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        let envelope = Envelope::new(String::new(), Vec::new());
        store.lock().bytes = 0;
        assert_eq!(store.keep(envelope, Vec::new()).await.unwrap(), 4);
        std::fs::write(dir.join("5.new-4711"), "cut").unwrap();
        let again = Arc::new(Store::open(&dir).unwrap());
        assert_eq!(again.list().len(), 1);
        assert!(!dir.join("5.new-4711").exists());
        std::fs::write(dir.join("5.letter"), "{").unwrap();
        let error = Store::open(&dir).err().unwrap();
        assert!(format!("{error:#}").contains("5.letter is damaged"), "{error:#}");
    }
}
