//! A batch as one statement, and what its rows mean for each command.

use std::collections::HashMap;

use envelope::Position;
use metrics::counter;
use serde::Deserialize;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::data_keys::Keys;
use super::pending::{Pending, Reply, refuse, respond};
use super::recent::Recent;
use super::steps::{Steps, running};
use crate::append::{Append, Appended};
use crate::error::{AppendError, VersionConflict, describe};
use crate::frame::Prepare;
use crate::metrics::APPEND_CHECKED_TOTAL;

/// The statement, prepared: for batches with neither claims nor personal data, and for those with some.
pub(super) struct AppendBatch {
    plain: Statement,
    full: Statement,
}

impl Prepare for AppendBatch {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            plain: client.prepare(include_str!("../sql/append_batch.sql")).await?,
            full: client
                .prepare(include_str!("../sql/append_batch_full.sql"))
                .await?,
        })
    }
}

impl AppendBatch {
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
        let aggregate_types: Vec<&str> = events().map(|event| &*event.aggregate_type).collect();
        let aggregate_ids: Vec<Uuid> = events().map(|event| event.aggregate_id).collect();
        let sequences: Vec<i64> = events()
            .map(|event| Position::new(event.sequence).to_sql())
            .collect();
        let event_types: Vec<&str> = events().map(|event| &*event.event_type).collect();
        let event_versions: Vec<&str> = events().map(|event| &*event.event_version).collect();
        let payloads: Vec<&str> = events().map(|event| event.payload.get()).collect();
        let metadata: Vec<String> = commands()
            .flat_map(|append| {
                // Strings and numbers always serialize.
                let metadata = serde_json::to_string(&append.metadata).unwrap_or_else(|_| "{}".into());
                std::iter::repeat_n(metadata, append.events.len())
            })
            .collect();
        let formers: Vec<Option<&[u8]>> = batch
            .iter()
            .map(|pending| pending.former.as_ref().map(<[u8; 32]>::as_slice))
            .collect();
        let formers: [&(dyn ToSql + Sync); 1] = [&formers];
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
        let (steps, keys) = (Steps::of(batch), Keys::of(batch));
        if steps.is_none() && keys.is_none() {
            let binds: Vec<&(dyn ToSql + Sync)> = binds.into_iter().chain(formers).collect();
            return client.query(&self.plain, &binds).await;
        }
        let steps = steps.as_ref().map_or(Steps::NO_BINDS, Steps::binds);
        let keys = keys.as_ref().map_or(Keys::NO_BINDS, Keys::binds);
        let binds: Vec<&(dyn ToSql + Sync)> = binds
            .into_iter()
            .chain(steps)
            .chain(keys)
            .chain(formers)
            .collect();
        client.query(&self.full, &binds).await
    }
}

/// Answers every command of a committed batch. `in_doubt`: an earlier attempt may have committed the batch, so that a used
/// key can be our own and no replay. `known`: the end of the log as known when the batch was sent.
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
    let answer = match Answer::of(head, refused) {
        Ok(answer) => answer,
        Err(error) => return refuse(batch, &AppendError::Unavailable(describe(&error))),
    };
    if answer.checked {
        counter!(APPEND_CHECKED_TOTAL).increment(1);
    }
    let mut position = answer.base;
    recent.confirm(answer.epoch, position, known);
    for (number, pending) in (1..).zip(batch) {
        let Pending {
            mut append, reply, ..
        } = pending;
        let outcome = if let Some(row) = answer.refused.get(&number) {
            refusal(row, &append, in_doubt)
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

/// The rows of a batch's answer.
struct Answer<'a> {
    /// Whether the batch went through the checked path.
    checked: bool,
    /// The end of the log before the batch.
    base: Position,
    epoch: Uuid,
    /// Of each refused command, by its number.
    refused: HashMap<i32, Refusal<'a>>,
}

struct Refusal<'a> {
    outcome: &'a str,
    /// Only of a duplicate.
    position: Option<i64>,
    response: Option<&'a str>,
}

impl<'a> Answer<'a> {
    fn of(head: &'a Row, refused: &'a [Row]) -> Result<Self, tokio_postgres::Error> {
        let refusal = |row: &'a Row| {
            let refusal = Refusal {
                outcome: row.try_get(1)?,
                position: row.try_get(2)?,
                response: row.try_get(3)?,
            };
            Ok((row.try_get(0)?, refusal))
        };
        Ok(Self {
            checked: head.try_get::<_, &str>(1)? == "checked",
            base: Position::from_sql(head.try_get(2)?),
            epoch: head.try_get(4)?,
            refused: refused.iter().map(refusal).collect::<Result<_, _>>()?,
        })
    }
}

/// The stream that a command expects at another version, as `stale_stream` in the database names it.
#[derive(Deserialize)]
struct Stale {
    aggregate_type: String,
    aggregate_id: Uuid,
    version: u64,
}

/// The outcome of a command that was not appended now. `in_doubt`: our own earlier attempt may have recorded it, which
/// its response shows. Another response under the key is an earlier request's.
fn refusal(refusal: &Refusal<'_>, append: &Append, in_doubt: bool) -> Reply {
    let response = refusal.response.unwrap_or_default();
    // The database function writes this JSON itself.
    let unclear = |error: serde_json::Error| AppendError::Unavailable(format!("an unclear refusal: {error}"));
    match refusal.outcome {
        "reused" => Err(AppendError::KeyReused),
        "conflict" => Err(serde_json::from_str(response)
            .map_or_else(unclear, |stale| AppendError::Conflict(conflict(stale, append)))),
        "taken" => Err(serde_json::from_str(response).map_or_else(unclear, AppendError::ClaimTaken)),
        _ => {
            let own = in_doubt && append.response == response;
            Ok(Appended {
                position: Position::from_sql(refusal.position.unwrap_or_default()),
                response: response.to_owned(),
                replayed: !own,
                in_doubt: own,
            })
        }
    }
}

fn conflict(stale: Stale, append: &Append) -> VersionConflict {
    let first = append.events.iter().find(|event| {
        event.aggregate_id == stale.aggregate_id && *event.aggregate_type == *stale.aggregate_type
    });
    VersionConflict {
        expected: first.map_or(0, |event| event.sequence.saturating_sub(1)),
        actual: stale.version,
        aggregate_type: stale.aggregate_type,
        aggregate_id: stale.aggregate_id,
    }
}
