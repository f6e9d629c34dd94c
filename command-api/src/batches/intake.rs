//! What stands between the bytes of a batch and its chunks: a reader for a blocking thread, and what gathers its items.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Bytes;
use domain::MAX_ITEMS;
use event_store::Chunk;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use vocabulary::BatchKind;

use super::problems::Unreadable;
use super::{CHUNK_BYTES, CHUNK_ITEMS, MAX_ITEM_BYTES};

/// Bytes that a reader may take ahead of the item that it is at.
const READ_AHEAD: usize = 16 << 10;

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

impl Declared {
    /// What the address and the document say, if they agree.
    pub(super) fn and(self, other: Self) -> Result<Self, Unreadable> {
        let contradicts = self.kind.zip(other.kind).is_some_and(|(one, other)| one != other);
        if contradicts {
            return Err(Unreadable::Kind("?kind="));
        }
        if self
            .dry_run
            .zip(other.dry_run)
            .is_some_and(|(one, other)| one != other)
        {
            return Err(Unreadable::Kind("?dry_run="));
        }
        Ok(Self {
            kind: self.kind.or(other.kind),
            dry_run: self.dry_run.or(other.dry_run),
        })
    }
}

/// Both ends: the bytes that come in, and the chunks that go out.
pub(super) fn intake(frames: mpsc::Receiver<Bytes>, chunks: mpsc::Sender<Chunk>) -> (Source, Sink) {
    let since_item = Arc::new(AtomicUsize::new(0));
    let too_large = Arc::new(AtomicBool::new(false));
    let source = Source {
        frames,
        current: Bytes::new(),
        since_item: Arc::clone(&since_item),
        too_large: Arc::clone(&too_large),
    };
    let sink = Sink {
        chunks,
        content: Vec::new(),
        first: 1,
        total: 0,
        refused: None,
        since_item,
        too_large,
    };
    (source, sink)
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
        } else if !item.get().starts_with('{') {
            Some(Unreadable::NotAnObject(self.next_number()))
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

    /// What was read was no item.
    pub(crate) fn pass_by(&self) {
        self.since_item.store(0, Ordering::Relaxed);
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

    /// Hands on what is left, and returns how many items there were.
    pub(super) fn finish(mut self) -> Result<u32, Unreadable> {
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
