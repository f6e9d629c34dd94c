//! Receives the items of a batch as a stream: bytes in, chunks of items out, and never all of them in memory.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use domain::MAX_ITEMS;
use event_store::{Chunk, Staging};
use futures_util::{Stream, TryStreamExt as _};
use serde_json::value::RawValue;
use service::extract::incomplete_body;
use service::problem::Problem;
use tokio::sync::mpsc;
use uuid::Uuid;
use vocabulary::BatchKind;

use super::problems::{Unreadable, too_large};
use super::{CHUNK_BYTES, CHUNK_ITEMS, MAX_BATCH_BYTES, MAX_ITEM_BYTES, csv, json};
use crate::answer::unreadable;

/// How long the bytes of a batch may take to arrive.
const PATIENCE: Duration = Duration::from_secs(25);
/// Bytes that a reader may take ahead of the item that it is at.
const READ_AHEAD: usize = 16 << 10;
/// Bytes that are read and thrown away after a refusal: a client that still writes can't read it.
const MOST_DISCARDED: usize = 8 << 20;

/// How items are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `{kind, dry_run?, items: […]}`
    Json,
    /// A line for each item.
    Lines,
    /// A row for each item.
    Csv,
}

/// What a batch says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    /// What its items are.
    pub(crate) kind: Option<BatchKind>,
    /// Whether nothing of them is done.
    pub(crate) dry_run: Option<bool>,
}

/// A batch whose items are all staged.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) kind: BatchKind,
    pub(crate) dry_run: bool,
    pub(crate) total: u32,
    /// Of all its bytes.
    pub(crate) digest: Vec<u8>,
}

/// Stages the items of the batch. On a refusal none is left.
pub(crate) async fn receive<B>(
    staging: &Staging,
    batch_id: Uuid,
    body: B,
    format: Format,
    declared: Declared,
) -> Result<Received, Problem>
where
    B: Stream<Item = Result<Bytes, Problem>> + Unpin,
{
    let received = stage(staging, batch_id, body, format, declared).await;
    if received.is_err()
        && let Err(error) = staging.remove(batch_id, u32::MAX).await
    {
        // Sealed, and deleted a day later.
        tracing::warn!(error = %error, "the items of a refused batch stay for now");
    }
    received
}

/// The bytes of a request's body.
pub(crate) fn bytes(body: Body) -> impl Stream<Item = Result<Bytes, Problem>> + Unpin {
    body.into_data_stream().map_err(|_| incomplete_body())
}

async fn stage<B>(
    staging: &Staging,
    batch_id: Uuid,
    body: B,
    format: Format,
    declared: Declared,
) -> Result<Received, Problem>
where
    B: Stream<Item = Result<Bytes, Problem>> + Unpin,
{
    let (frames, incoming) = mpsc::channel(4);
    let (chunks, mut staged) = mpsc::channel(2);
    let reading = tokio::task::spawn_blocking(move || parse(incoming, chunks, format, declared));
    let storing = async {
        while let Some(chunk) = staged.recv().await {
            staging.add(batch_id, &chunk).await?;
        }
        // The reader stops when nobody takes its chunks.
        drop(staged);
        Ok::<_, event_store::Error>(())
    };
    let pumping = tokio::time::timeout(PATIENCE, pump(body, frames));
    let (pumped, stored, read) = tokio::join!(pumping, storing, reading);
    // What broke first is the reason for what broke after it.
    let digest = pumped.map_err(|_| too_slow())??;
    stored.map_err(|error| unreadable(&error))?;
    let (declared, total) = read
        .map_err(|error| Problem::internal(&error))?
        .map_err(|refused| refused.problem())?;
    let kind = declared.kind.ok_or_else(|| Unreadable::Kind("kind").problem())?;
    Ok(Received {
        kind,
        dry_run: declared.dry_run.unwrap_or_default(),
        total,
        digest,
    })
}

/// Hands the bytes on, and returns their digest.
async fn pump<B>(mut body: B, frames: mpsc::Sender<Bytes>) -> Result<Vec<u8>, Problem>
where
    B: Stream<Item = Result<Bytes, Problem>> + Unpin,
{
    let (mut digest, mut length, mut discarded) = (Context::new(&SHA256), 0_usize, 0_usize);
    while let Some(data) = body.try_next().await? {
        length = length.saturating_add(data.len());
        digest.update(&data);
        let wanted = length <= MAX_BATCH_BYTES && !frames.is_closed();
        if wanted && frames.send(data.clone()).await.is_ok() {
            continue;
        }
        discarded = discarded.saturating_add(data.len());
        if discarded > MOST_DISCARDED {
            break;
        }
    }
    if length > MAX_BATCH_BYTES {
        return Err(too_large());
    }
    Ok(digest.finish().as_ref().to_vec())
}

fn parse(
    frames: mpsc::Receiver<Bytes>,
    chunks: mpsc::Sender<Chunk>,
    format: Format,
    mut declared: Declared,
) -> Result<(Declared, u32), Unreadable> {
    let since_item = Arc::new(AtomicUsize::new(0));
    let too_large = Arc::new(AtomicBool::new(false));
    let source = Source {
        frames,
        current: Bytes::new(),
        since_item: Arc::clone(&since_item),
        too_large: Arc::clone(&too_large),
    };
    let mut sink = Sink {
        chunks,
        content: Vec::new(),
        first: 1,
        total: 0,
        refused: None,
        since_item,
        too_large,
    };
    let read = match (format, declared.kind) {
        (Format::Json, _) => json::read_document(source, &mut sink).map(|said| declared = said),
        (Format::Lines, _) => json::read_lines(source, &mut sink),
        (Format::Csv, Some(kind)) => csv::read(source, kind, &mut sink),
        (Format::Csv, None) => Err(Unreadable::Kind("?kind=")),
    };
    // A reader that was cut off says that the file ends too early.
    if let (Err(_), Some(refused)) = (&read, sink.refused()) {
        return Err(refused);
    }
    read?;
    let total = sink.finish()?;
    Ok((declared, total))
}

/// The bytes of a batch, as a reader in a blocking thread gets them.
pub(crate) struct Source {
    frames: mpsc::Receiver<Bytes>,
    current: Bytes,
    since_item: Arc<AtomicUsize>,
    too_large: Arc<AtomicBool>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.current.is_empty() {
            match self.frames.blocking_recv() {
                Some(frame) => self.current = frame,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        // Bounds what a reader gathers for one item.
        let since = self.since_item.fetch_add(length, Ordering::Relaxed) + length;
        if since > MAX_ITEM_BYTES + READ_AHEAD {
            self.too_large.store(true, Ordering::Relaxed);
            return Err(std::io::Error::other("an item is too large"));
        }
        Ok(length)
    }
}

/// Gathers items to chunks, and hands those on.
pub(crate) struct Sink {
    chunks: mpsc::Sender<Chunk>,
    content: Vec<u8>,
    first: u32,
    total: u32,
    refused: Option<Unreadable>,
    since_item: Arc<AtomicUsize>,
    too_large: Arc<AtomicBool>,
}

impl Sink {
    /// Takes the next item, unless there are too many or it is too large.
    pub(crate) fn push(&mut self, item: &RawValue) -> Result<(), Unreadable> {
        let refused = if self.total == MAX_ITEMS {
            Some(Unreadable::TooMany)
        } else if item.get().len() > MAX_ITEM_BYTES {
            Some(Unreadable::ItemTooLarge(self.next_number()))
        } else {
            None
        };
        if let Some(refused) = refused {
            self.refused = Some(refused.clone());
            return Err(refused);
        }
        self.since_item.store(0, Ordering::Relaxed);
        self.content
            .push(if self.content.is_empty() { b'[' } else { b',' });
        self.content.extend_from_slice(item.get().as_bytes());
        self.total += 1;
        let items = self.total + 1 - self.first;
        if items as usize >= CHUNK_ITEMS || self.content.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Number of the item that comes next.
    pub(crate) const fn next_number(&self) -> u32 {
        self.total + 1
    }

    /// Why it took no more.
    pub(crate) fn refused(&self) -> Option<Unreadable> {
        if self.too_large.load(Ordering::Relaxed) {
            return Some(Unreadable::ItemTooLarge(self.next_number()));
        }
        self.refused.clone()
    }

    fn finish(mut self) -> Result<u32, Unreadable> {
        if self.total == 0 {
            return Err(Unreadable::Empty);
        }
        self.flush()?;
        Ok(self.total)
    }

    fn flush(&mut self) -> Result<(), Unreadable> {
        if self.content.is_empty() {
            return Ok(());
        }
        self.content.push(b']');
        let chunk = Chunk {
            first: self.first,
            content: std::mem::take(&mut self.content),
        };
        self.first = self.total + 1;
        let sent = self.chunks.blocking_send(chunk);
        sent.map_err(|_| {
            self.refused = Some(Unreadable::Stopped);
            Unreadable::Stopped
        })
    }
}

/// The rest of the body would be read as the next request, so the connection ends with this answer.
fn too_slow() -> Problem {
    Problem::from_status(StatusCode::REQUEST_TIMEOUT)
        .detail(format!(
            "the batch did not arrive within {} s",
            PATIENCE.as_secs()
        ))
        .header(axum::http::header::CONNECTION, "close")
}

#[cfg(test)]
mod tests;
