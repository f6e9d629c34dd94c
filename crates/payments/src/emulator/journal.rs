//! The emulator's store on disk: an append-only file of JSON lines. A change is flushed before any client sees it.
//!
//! One thread writes. Lines that wait together are flushed together. A line torn by a crash can only be the last one
//! and was never answered, so it is cut off; damage anywhere else stops the start.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use super::Error;
use super::payment::{Change, Creation};

/// Lines that may wait to be written; more callers wait for a place.
const QUEUE: usize = 4096;
/// Lines flushed together at most.
const BATCH: usize = 512;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Record {
    Created(Creation),
    /// `reference` is the payment's id at its provider, here and below.
    Changed {
        reference: String,
        change: Change,
    },
    /// The first `count` webhooks of the payment need no further delivery.
    WebhooksSettled {
        reference: String,
        count: usize,
    },
}

impl Record {
    pub(super) fn reference(&self) -> &str {
        match self {
            Self::Created(creation) => creation.id(),
            Self::Changed { reference, .. } | Self::WebhooksSettled { reference, .. } => reference,
        }
    }
}

/// Places in the queue. They are reserved before a change is decided, so that deciding and queueing are one step.
pub(super) type Places<'a> = mpsc::PermitIterator<'a, Vec<u8>>;

/// The writing end.
pub(super) struct Journal {
    lines: mpsc::Sender<Vec<u8>>,
    /// How many lines are on disk; closed when the writer has failed.
    flushed: watch::Receiver<u64>,
}

/// The writer has failed, so no further change is durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed;

impl Journal {
    /// Opens or creates the file and hands every record in it to `replay`.
    pub(super) fn open(path: &Path, replay: impl FnMut(Record) -> Result<(), String>) -> Result<Self, Error> {
        let failed = |reason: String| Error::DataFile {
            path: path.to_owned(),
            reason,
        };
        let mut file = open_exclusively(path).map_err(|error| failed(error.to_string()))?;
        let length = read(&file, replay).map_err(failed)?;
        file.set_len(length)
            .and_then(|()| file.seek(SeekFrom::Start(length)))
            .and_then(|_| file.sync_all())
            .map_err(|error| failed(error.to_string()))?;
        let (lines, queue) = mpsc::channel(QUEUE);
        let (progress, flushed) = watch::channel(0);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write(&mut file, queue, &progress))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { lines, flushed })
    }

    /// Waits for `count` places.
    pub(super) async fn places(&self, count: usize) -> Result<Places<'_>, Failed> {
        self.lines.reserve_many(count).await.map_err(|_| Failed)
    }

    /// Waits until the first `lines` lines queued since the start are on disk.
    pub(super) async fn flushed(&self, lines: u64) -> Result<(), Failed> {
        let mut flushed = self.flushed.clone();
        flushed
            .wait_for(|flushed| *flushed >= lines)
            .await
            .map(drop)
            .map_err(|_| Failed)
    }

    /// Returns when the writer has failed.
    pub(super) async fn failed(&self) {
        self.lines.closed().await;
    }

    pub(super) fn has_failed(&self) -> bool {
        self.lines.is_closed()
    }
}

fn open_exclusively(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => std::io::Error::other("another process uses it"),
        std::fs::TryLockError::Error(error) => error,
    })?;
    // The file's name must survive a power cut too.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Replays the lines and returns the length of the undamaged part.
fn read(file: &File, mut replay: impl FnMut(Record) -> Result<(), String>) -> Result<u64, String> {
    let mut reader = BufReader::new(file);
    let (mut length, mut number) = (0, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|error| error.to_string())?;
        number += 1;
        if read == 0 {
            return Ok(length);
        }
        if line.last() != Some(&b'\n') {
            tracing::warn!(
                line = number,
                "the last line of the data file is torn and was cut off"
            );
            return Ok(length);
        }
        let record = serde_json::from_slice(&line).map_err(|error| format!("line {number}: {error}"))?;
        replay(record).map_err(|reason| format!("line {number}: {reason}"))?;
        length += read as u64;
    }
}

fn write(file: &mut File, mut queue: mpsc::Receiver<Vec<u8>>, progress: &watch::Sender<u64>) {
    let mut flushed = 0;
    while let Some(mut batch) = queue.blocking_recv() {
        let mut lines = 1;
        while lines < BATCH {
            let Ok(line) = queue.try_recv() else { break };
            batch.extend_from_slice(&line);
            lines += 1;
        }
        if let Err(error) = file.write_all(&batch).and_then(|()| file.sync_data()) {
            // Dropping both channels fails all waiting callers. The process stops, and the next start replays the file.
            tracing::error!(%error, "the journal can't be written");
            return;
        }
        flushed += lines as u64;
        progress.send_replace(flushed);
    }
}
