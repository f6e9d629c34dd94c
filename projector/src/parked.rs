//! `projector parked`: which aggregates wait, and trying them again once what stopped them is mended.

mod count;
mod retry;
mod upgrade;

use std::io::{self, Write as _};
use std::process::ExitCode;

use deadpool_postgres::Pool;
use read_model::write::{self, ParkedSummary};
use serde_json::{Value, json};
use service::postgres::{PoolOptions, ReadDatabase, describe};

use crate::config::{ListParkedOptions, ParkedCommand, RetryParkedOptions};

pub(crate) use count::count_retries;
pub use retry::{Retried, retry};
pub(crate) use upgrade::retry_untried;

/// Runs one of the `parked` commands. Exit status 0 when nothing is parked (any more), 1 when something is, 2 when it
/// could not be told.
pub async fn parked(command: ParkedCommand) -> ExitCode {
    let done = match command {
        ParkedCommand::List(options) => list(options).await,
        ParkedCommand::Retry(options) => retry_parked(*options).await,
    };
    done.unwrap_or_else(|error| {
        // Nobody is left to be told that this failed.
        let _ = writeln!(io::stderr(), "projector parked: {error:#}");
        ExitCode::from(2)
    })
}

async fn list(options: ListParkedOptions) -> anyhow::Result<ExitCode> {
    let parked = summaries(&open(&options.read).await?).await?;
    let told = if options.json {
        parked.iter().map(as_json).collect::<Value>().to_string()
    } else if parked.is_empty() {
        "nothing is parked".to_owned()
    } else {
        parked.iter().map(as_text).collect::<Vec<_>>().join("\n")
    };
    // A reader that went away still gets the exit status.
    let _ = writeln!(io::stdout().lock(), "{told}");
    Ok(ExitCode::from(u8::from(!parked.is_empty())))
}

async fn retry_parked(options: RetryParkedOptions) -> anyhow::Result<ExitCode> {
    service::telemetry::init(&options.log)?;
    let pool = open(&options.read).await?;
    let chosen: Vec<ParkedSummary> = summaries(&pool)
        .await?
        .into_iter()
        .filter(|one| {
            options.all
                || (options.aggregate_type.as_ref() == Some(&one.aggregate_type)
                    && options.aggregate_id == Some(one.aggregate_id))
        })
        .collect();
    if chosen.is_empty() {
        tracing::info!("nothing of this is parked");
    }
    let mut stuck = false;
    for one in chosen {
        let retried = retry(&pool, &one.aggregate_type, one.aggregate_id)
            .await
            .map_err(said)?;
        stuck |= matches!(retried, Retried::Stuck { .. });
    }
    Ok(ExitCode::from(u8::from(stuck)))
}

/// The read database, if this build knows its schema.
async fn open(read: &ReadDatabase) -> anyhow::Result<Pool> {
    let options = PoolOptions {
        db_pool_size: 1,
        ..PoolOptions::default()
    };
    let pool = service::postgres::pool(read.url()?.expose(), &options, "projector parked")?;
    read_model::check_schema(&pool).await.map_err(said)?;
    Ok(pool)
}

async fn summaries(pool: &Pool) -> anyhow::Result<Vec<ParkedSummary>> {
    let client = pool.get().await.map_err(said)?;
    write::summarize_parked(&client).await.map_err(said)
}

/// Without what a database error may quote of a row.
fn said(error: impl std::error::Error + 'static) -> anyhow::Error {
    anyhow::Error::msg(describe(&error))
}

fn as_json(parked: &ParkedSummary) -> Value {
    json!({
        "aggregate_type": parked.aggregate_type,
        "aggregate_id": parked.aggregate_id,
        "events": parked.events,
        "first_position": parked.first_position,
        "last_position": parked.last_position,
        "reason": parked.reason,
        "parked_at": parked.parked_at,
        "builds": parked.builds,
    })
}

fn as_text(parked: &ParkedSummary) -> String {
    let ParkedSummary {
        aggregate_type,
        aggregate_id,
        events,
        first_position,
        last_position,
        reason,
        parked_at,
        ..
    } = parked;
    let since = parked_at.format("%F %T UTC");
    format!(
        "{aggregate_type} {aggregate_id}: {events} events, positions {first_position} to {last_position}, since {since}: {reason}"
    )
}
