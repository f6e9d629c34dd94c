//! Receives the items of a batch as a stream: bytes in, chunks of items out, and never all of them in memory.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use event_store::{Chunk, Staging};
use futures_util::{Stream, TryStreamExt as _};
use service::extract::incomplete_body;
use service::problem::Problem;
use tokio::sync::mpsc;
use uuid::Uuid;
use vocabulary::BatchKind;

use super::intake::{Declared, Format, intake};
use super::problems::{Unreadable, too_large};
use super::{MAX_BATCH_BYTES, csv, json};
use crate::answer::unreadable;

/// How long the bytes of a batch may take to arrive.
const PATIENCE: Duration = Duration::from_secs(25);
/// Bytes that are read and thrown away after a refusal: a client that still writes can't read it.
const MOST_DISCARDED: usize = 8 << 20;

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
        // The reader stops when its chunks are not taken any more.
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
    let (source, mut sink) = intake(frames, chunks);
    let read = match (format, declared.kind) {
        (Format::Json, _) => json::read_document(source, &mut sink).and_then(|said| {
            declared = declared.and(said)?;
            Ok(())
        }),
        (Format::Lines, _) => json::read_lines(source, &mut sink),
        (Format::Csv, Some(kind)) => csv::read(source, kind, &mut sink),
        (Format::Csv, None) => Err(Unreadable::Kind("kind")),
    };
    // A reader that was cut off says that the file ends too early.
    if let (Err(_), Some(refused)) = (&read, sink.refused()) {
        return Err(refused);
    }
    read?;
    let total = sink.finish()?;
    Ok((declared, total))
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
