//! A batch as one statement, and what its rows mean for each command.

use std::collections::HashMap;

use envelope::Position;
use metrics::counter;
use tokio::sync::oneshot;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::recent::Recent;
use super::steps::Steps;
use super::{Pending, Reply};
use crate::append::Appended;
use crate::error::AppendError;
use crate::metrics::{APPEND_CHECKED_TOTAL, APPEND_TOTAL};

/// The statement, prepared: for batches without claims, and for those with some.
pub(super) struct AppendBatch {
    plain: Statement,
    claiming: Statement,
}

impl AppendBatch {
    pub(super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            plain: client.prepare(include_str!("../sql/append_batch.sql")).await?,
            claiming: client
                .prepare(include_str!("../sql/append_batch_claiming.sql"))
                .await?,
        })
    }

    pub(super) async fn run(
        &self,
        client: &Client,
        batch: &[Pending],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let commands = || batch.iter().map(|pending| &pending.append);
        let events = || commands().flat_map(|append| append.events.iter());
        let scopes: Vec<&str> = commands().map(|append| append.key.scope.as_str()).collect();
        let keys: Vec<&str> = commands().map(|append| append.key.key.as_str()).collect();
        let hashes: Vec<&[u8]> = commands()
            .map(|append| append.key.request_hash.as_slice())
            .collect();
        let responses: Vec<&str> = commands().map(|append| append.response.as_str()).collect();
        let last = running(commands().map(|append| append.events.len()));
        let of_command: Vec<i32> = (1..)
            .zip(commands())
            .flat_map(|(number, append)| std::iter::repeat_n(number, append.events.len()))
            .collect();
        let aggregate_types: Vec<&str> = events().map(|event| event.aggregate_type).collect();
        let aggregate_ids: Vec<Uuid> = events().map(|event| event.aggregate_id).collect();
        let sequences: Vec<i64> = events()
            .map(|event| Position::new(event.sequence).to_sql())
            .collect();
        let event_types: Vec<&str> = events().map(|event| event.event_type).collect();
        let event_versions: Vec<&str> = events().map(|event| event.event_version).collect();
        let payloads: Vec<&str> = events().map(|event| event.payload.get()).collect();
        let metadata: Vec<String> = commands()
            .flat_map(|append| {
                // Strings and numbers always serialize.
                let metadata = serde_json::to_string(&append.metadata).unwrap_or_else(|_| "{}".into());
                std::iter::repeat_n(metadata, append.events.len())
            })
            .collect();
        let binds: [&(dyn ToSql + Sync); 13] = [
            &scopes,
            &keys,
            &hashes,
            &responses,
            &last,
            &of_command,
            &aggregate_types,
            &aggregate_ids,
            &sequences,
            &event_types,
            &event_versions,
            &payloads,
            &metadata,
        ];
        let Some(steps) = Steps::of(batch) else {
            return client.query(&self.plain, &binds).await;
        };
        let binds: Vec<&(dyn ToSql + Sync)> = binds.into_iter().chain(steps.binds()).collect();
        client.query(&self.claiming, &binds).await
    }
}

/// Of these counts, the sum up to and with each.
pub(super) fn running(counts: impl Iterator<Item = usize>) -> Vec<i32> {
    counts
        .scan(0, |sum, count| {
            *sum += i32::try_from(count).unwrap_or(i32::MAX);
            Some(*sum)
        })
        .collect()
}

/// Answers every command of a committed batch. `in_doubt`: an earlier attempt may have committed already, so that a
/// used key can be our own and no replay. `known`: how far the log was known to go when the batch was sent.
pub(super) fn answer(
    batch: Vec<Pending>,
    rows: &[Row],
    in_doubt: bool,
    (recent, known): (&Recent, Position),
) {
    let Some((head, refused)) = rows.split_first() else {
        let why = "the database gave no answer";
        return refuse(batch, &AppendError::Unavailable(why.into()));
    };
    if head.get::<_, &str>(1) == "checked" {
        counter!(APPEND_CHECKED_TOTAL).increment(1);
    }
    let mut position = Position::from_sql(head.get(2));
    recent.confirm(head.get(4), position, known);
    let refused: HashMap<i32, &Row> = refused.iter().map(|row| (row.get(0), row)).collect();
    for (
        number,
        Pending {
            mut append, reply, ..
        },
    ) in (1..).zip(batch)
    {
        let outcome = if let Some(row) = refused.get(&number) {
            refusal(row, in_doubt.then_some(append.response.as_str()))
        } else {
            position = Position::new(position.get() + append.events.len() as u64);
            Ok(Appended {
                position,
                response: std::mem::take(&mut append.response),
                replayed: false,
                in_doubt: false,
            })
        };
        if let Ok(appended) = &outcome {
            recent.keep(&append.key, appended);
        }
        respond(reply, outcome);
    }
}

/// What became of a command that was not appended now. `own`: our response, if we may have recorded it already.
/// Another one under our key is an earlier request's.
fn refusal(row: &Row, own: Option<&str>) -> Reply {
    let outcome: &str = row.get(1);
    if outcome == "reused" {
        return Err(AppendError::KeyReused);
    }
    let response: String = row.get(3);
    // The function writes this JSON itself.
    let unclear = |error: serde_json::Error| AppendError::Unavailable(format!("an unclear refusal: {error}"));
    match outcome {
        "conflict" => Err(serde_json::from_str(&response).map_or_else(unclear, AppendError::Conflict)),
        "taken" => Err(serde_json::from_str(&response).map_or_else(unclear, AppendError::ClaimTaken)),
        _ => {
            let in_doubt = own == Some(response.as_str());
            Ok(Appended {
                position: Position::from_sql(row.get(2)),
                response,
                replayed: !in_doubt,
                in_doubt,
            })
        }
    }
}

pub(super) fn refuse(batch: Vec<Pending>, error: &AppendError) {
    for pending in batch {
        respond(pending.reply, Err(error.clone()));
    }
}

pub(super) fn respond(reply: oneshot::Sender<Reply>, outcome: Reply) {
    let label = match &outcome {
        Ok(appended) if appended.replayed => "duplicate",
        Ok(_) => "appended",
        Err(AppendError::Conflict(_)) => "conflict",
        Err(AppendError::ClaimTaken(_)) => "taken",
        Err(AppendError::KeyReused) => "reused",
        Err(AppendError::Unstorable(_)) => "unstorable",
        Err(AppendError::Unavailable(_)) => "unavailable",
    };
    counter!(APPEND_TOTAL, "outcome" => label).increment(1);
    // A caller that went away doesn't need its answer: its key has it.
    let _ = reply.send(outcome);
}
