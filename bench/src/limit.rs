//! What bounds every log on Postgres that shares commits: one task, one `unnest` insert per batch into a table of the
//! same shape and indexes, no head, no outcomes, no rules. And the plainest case: a bare `INSERT`, one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::account::payload;
use crate::contender::Contender;
use crate::measure::closed_loop;
use crate::server::{Bench, connect};

/// The most rows in one insert: as our writer's.
const MAX_BATCH: usize = 256;

/// Hands rows to the one writing task.
pub(crate) type Queue = mpsc::Sender<(Uuid, oneshot::Sender<()>)>;

/// A table like the log's events.
pub(crate) async fn table(bench: &Bench) -> anyhow::Result<String> {
    let url = bench.database("bare").await?;
    connect(&url)
        .await?
        .batch_execute(include_str!("sql/create_bare_events.sql"))
        .await?;
    Ok(url)
}

/// The group commit.
pub(crate) fn group_commit(
    queue: &Queue,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> Contender {
    let queue = queue.clone();
    let what = format!("insert, {in_flight} in flight");
    Contender::new("limit: bare group commit", what, move || {
        let queue = queue.clone();
        closed_loop(in_flight, warm_up, length, move |_| {
            let queue = queue.clone();
            async move {
                let (done, answer) = oneshot::channel();
                queue.send((Uuid::now_v7(), done)).await?;
                Ok(answer.await?)
            }
        })
    })
}

/// Starts the writing task; there is one for the table, because it gives out the positions.
pub(crate) async fn start_group_commit(url: &str) -> anyhow::Result<Queue> {
    let client = connect(url).await?;
    let statement = client.prepare(include_str!("sql/insert_bare_batch.sql")).await?;
    let payload = payload(0)?;
    let mut position = next_position(&client).await?;
    let (queue, mut waiting) = mpsc::channel::<(Uuid, oneshot::Sender<()>)>(4096);
    tokio::spawn(async move {
        let mut batch = Vec::new();
        while waiting.recv_many(&mut batch, MAX_BATCH).await > 0 {
            let ids: Vec<Uuid> = batch.iter().map(|(id, _)| *id).collect();
            let payloads = vec![payload.as_str(); ids.len()];
            // Its clients see the queue close.
            if client
                .execute(&statement, &[&position, &ids, &payloads])
                .await
                .is_err()
            {
                return;
            }
            position += i64::try_from(ids.len()).unwrap_or(i64::MAX);
            for (_, done) in batch.drain(..) {
                let _ = done.send(());
            }
        }
    });
    Ok(queue)
}

/// One connection, one prepared `INSERT` of one row after the other.
pub(crate) async fn bare_insert(url: &str, warm_up: Duration, length: Duration) -> anyhow::Result<Contender> {
    let client = connect(url).await?;
    let statement = client.prepare(include_str!("sql/insert_bare_row.sql")).await?;
    // Away from those of the group commit.
    let position = Arc::new(AtomicI64::new(1 << 50));
    let connection = Arc::new(Mutex::new((client, statement)));
    let payload: Arc<str> = payload(0)?.into();
    Ok(Contender::new("bare INSERT", "one row, 1 in flight", move || {
        let (connection, position, payload) = (
            Arc::clone(&connection),
            Arc::clone(&position),
            Arc::clone(&payload),
        );
        closed_loop(1, warm_up, length, move |_| {
            let (connection, position, payload) = (
                Arc::clone(&connection),
                Arc::clone(&position),
                Arc::clone(&payload),
            );
            async move {
                let connection = connection.lock().await;
                let (client, statement) = &*connection;
                let position = position.fetch_add(1, Ordering::Relaxed);
                client
                    .execute(statement, &[&position, &Uuid::now_v7(), &&*payload])
                    .await?;
                Ok(())
            }
        })
    }))
}

async fn next_position(client: &Client) -> anyhow::Result<i64> {
    let row = client
        .query_one("select coalesce(max(position), 0) + 1 from events", &[])
        .await
        .context("read the last position")?;
    Ok(row.get(0))
}
