//! The log is whole: positions 1, 2, 3 … up to its head, and so each aggregate's sequence.

use envelope::{LogHead, Position};
use serde_json::json;
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

use super::unfinished::{Unfinished, unknown};
use crate::connections::Connections;
use crate::progress::Progress;
use crate::report::Report;

/// How many examples of one kind of fault are named.
const EXAMPLES: i64 = 5;
/// Positions counted at once.
const CHUNK: u64 = 100_000;

pub(super) async fn prove(
    connections: &Connections,
    head: LogHead,
    report: &mut Report,
) -> Result<(), Unfinished> {
    let client = connections.events.get().await.map_err(unknown)?;
    let missing = missing_positions(&client, head.position, report).await?;
    let broken = broken_sequences(&client, head.position, report).await?;
    beyond_head(&client, report).await?;
    let events = head.position.get() - missing;
    report.fact(
        "log_proof",
        json!({"events": events, "missing_positions": missing, "broken_sequences": broken}),
        format!("{events} events, {missing} positions missing, {broken} sequences broken"),
    );
    Ok(())
}

async fn missing_positions(client: &Client, head: Position, report: &mut Report) -> Result<u64, Unfinished> {
    let mut progress = Progress::new("counting positions", head.get());
    let (mut after, mut missing) = (0, 0);
    while after < head.get() {
        let through = head.get().min(after + CHUNK);
        let range = (Position::new(after).to_sql(), Position::new(through).to_sql());
        let counted = client
            .query_one(include_str!("../sql/count_positions.sql"), &[&range.0, &range.1])
            .await
            .map_err(unknown)?;
        let counted = Position::from_sql(counted.try_get(0).map_err(unknown)?);
        let lacks = (through - after).saturating_sub(counted.get());
        if lacks > 0 {
            let examples = client
                .query(
                    include_str!("../sql/find_missing_positions.sql"),
                    &[&range.0, &range.1, &EXAMPLES],
                )
                .await
                .map_err(unknown)?;
            let examples = examples
                .iter()
                .map(|row| row.try_get::<_, i64>(0).map(|position| position.to_string()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(unknown)?;
            report.problem(format!(
                "the log lacks {lacks} positions between {} and {through}: {}{}",
                after + 1,
                examples.join(", "),
                if lacks > examples.len() as u64 { " …" } else { "" }
            ));
        }
        missing += lacks;
        after = through;
        progress.at(after);
    }
    Ok(missing)
}

async fn broken_sequences(client: &Client, head: Position, report: &mut Report) -> Result<usize, Unfinished> {
    let broken = client
        .query(
            include_str!("../sql/find_broken_sequences.sql"),
            &[&head.to_sql(), &EXAMPLES],
        )
        .await
        .map_err(unknown)?;
    for row in &broken {
        report.problem(broken_sequence(row).map_err(unknown)?);
    }
    Ok(broken.len())
}

fn broken_sequence(row: &Row) -> Result<String, Error> {
    let (kind, id): (String, Uuid) = (row.try_get(0)?, row.try_get(1)?);
    let (sequence, position, due): (i64, i64, i64) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    Ok(format!(
        "{kind} {id} has sequence {sequence} at position {position}, where {due} is due or an earlier position"
    ))
}

/// No event lies after the head, where no reader finds it and another event takes its position.
async fn beyond_head(client: &Client, report: &mut Report) -> Result<(), Unfinished> {
    let row = client
        .query_one(include_str!("../sql/find_beyond_head.sql"), &[])
        .await
        .map_err(unknown)?;
    let head: i64 = row.try_get("head").map_err(unknown)?;
    let last: i64 = row.try_get("last").map_err(unknown)?;
    if last > head {
        report.problem(format!("the log holds position {last}, beyond its head {head}"));
    }
    Ok(())
}
