//! A batch as one statement, and what its rows mean for each command.

use envelope::Position;
use metrics::counter;
use tokio::sync::oneshot;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::{Pending, Reply};
use crate::append::Appended;
use crate::error::AppendError;
use crate::metrics::{APPEND_CHECKED_TOTAL, APPEND_TOTAL};

pub(super) async fn append_batch(
    client: &Client,
    statement: &Statement,
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
    let counts: Vec<i32> = commands()
        .map(|append| i32::try_from(append.events.len()).unwrap_or(i32::MAX))
        .collect();
    let aggregate_types: Vec<&str> = events().map(|event| event.aggregate_type).collect();
    let aggregate_ids: Vec<uuid::Uuid> = events().map(|event| event.aggregate_id).collect();
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
    let binds: [&(dyn ToSql + Sync); 12] = [
        &scopes,
        &keys,
        &hashes,
        &responses,
        &counts,
        &aggregate_types,
        &aggregate_ids,
        &sequences,
        &event_types,
        &event_versions,
        &payloads,
        &metadata,
    ];
    client.query(statement, &binds).await
}

/// Answers every command of a committed batch. `in_doubt`: an earlier attempt may have committed already, so that a
/// used key can be our own and no replay.
pub(super) fn answer(batch: Vec<Pending>, rows: &[Row], in_doubt: bool) {
    if let [row] = rows
        && row.get::<_, &str>(1) == "all"
    {
        let mut position = Position::from_sql(row.get(2));
        for Pending { append, reply, .. } in batch {
            position = Position::new(position.get() + append.events.len() as u64);
            respond(
                reply,
                Ok(Appended {
                    position,
                    response: append.response,
                    replayed: false,
                    in_doubt: false,
                }),
            );
        }
        return;
    }
    counter!(APPEND_CHECKED_TOTAL).increment(1);
    let mut rows = rows.iter();
    for Pending { append, reply, .. } in batch {
        let outcome = rows.next().map_or_else(
            || {
                Err(AppendError::Unavailable(
                    "the database answered for fewer commands than it got".into(),
                ))
            },
            |row| outcome(row, in_doubt.then_some(&append.response)),
        );
        respond(reply, outcome);
    }
}

/// `own`: our response, if we may have recorded it already. Another one under our key is an earlier request's.
fn outcome(row: &Row, own: Option<&String>) -> Reply {
    let used = match row.get(1) {
        "conflict" => return Err(AppendError::Conflict),
        "reused" => return Err(AppendError::KeyReused),
        outcome => outcome == "duplicate",
    };
    let response: String = row.get(3);
    let in_doubt = used && own == Some(&response);
    Ok(Appended {
        position: Position::from_sql(row.get(2)),
        response,
        replayed: used && !in_doubt,
        in_doubt,
    })
}

pub(super) fn refuse(batch: Vec<Pending>, error: &AppendError) {
    for pending in batch {
        respond(pending.reply, Err(error.clone()));
    }
}

fn respond(reply: oneshot::Sender<Reply>, outcome: Reply) {
    let label = match &outcome {
        Ok(appended) if appended.replayed => "duplicate",
        Ok(_) => "appended",
        Err(AppendError::Conflict) => "conflict",
        Err(AppendError::KeyReused) => "reused",
        Err(AppendError::Unstorable(_)) => "unstorable",
        Err(AppendError::Unavailable(_)) => "unavailable",
    };
    counter!(APPEND_TOTAL, "outcome" => label).increment(1);
    // A caller that went away doesn't need its answer: its key has it.
    let _ = reply.send(outcome);
}
