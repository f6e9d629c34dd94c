//! `projector parked`: which aggregates wait, and retrying them once the cause is removed.

use std::io::{self, Write as _};
use std::process::ExitCode;

use deadpool_postgres::Pool;
use event_store::Log;
use projection::Projection;
use projection::parked::{ParkedSummary, Retried, list, retry};
use serde_json::json;
use service::postgres::{PoolOptions, ReadDatabase, describe};

use crate::config::{ListParkedOptions, ParkedCommand, ProjectionName, RetryParkedOptions};
use crate::licensing::Licensing;
use crate::reports::Reports;

/// Runs one of the `parked` commands. Exit status 0 when nothing is parked (any more), 1 when something is, 2 when that
/// could not be examined.
pub async fn parked(command: ParkedCommand) -> ExitCode {
    let done = match command {
        ParkedCommand::List(options) => match options.name {
            ProjectionName::Licensing => list_parked(&Licensing, options).await,
            ProjectionName::Reports => list_parked(&Reports, options).await,
        },
        ParkedCommand::Retry(options) => match options.name {
            ProjectionName::Licensing => retry_parked(&Licensing, *options).await,
            ProjectionName::Reports => retry_parked(&Reports, *options).await,
        },
    };
    done.unwrap_or_else(|error| {
        // The exit status counts, also if standard error is closed.
        let _ = writeln!(io::stderr(), "projector parked: {error:#}");
        ExitCode::from(2)
    })
}

async fn list_parked(projection: &impl Projection, options: ListParkedOptions) -> anyhow::Result<ExitCode> {
    let parked = list(projection, &open(projection, &options.read).await?)
        .await
        .map_err(said)?;
    let text = if options.json {
        json!(parked).to_string()
    } else if parked.is_empty() {
        "nothing is parked".to_owned()
    } else {
        parked
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    // The exit status counts, also if standard output is closed.
    let _ = writeln!(io::stdout().lock(), "{text}");
    Ok(ExitCode::from(u8::from(!parked.is_empty())))
}

async fn retry_parked(projection: &impl Projection, options: RetryParkedOptions) -> anyhow::Result<ExitCode> {
    service::telemetry::init(&options.log)?;
    let pool = open(projection, &options.read).await?;
    let log = Log::connect(options.events.url()?.expose(), 1)?;
    let log = match options.personal_data.vault()? {
        Some(vault) => log.with_vault(vault),
        None => log,
    };
    let chosen: Vec<ParkedSummary> = list(projection, &pool)
        .await
        .map_err(said)?
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
        let retried = retry(projection, &pool, &log, &one.aggregate_type, one.aggregate_id)
            .await
            .map_err(said)?;
        stuck |= matches!(retried, Retried::Stuck { .. });
    }
    Ok(ExitCode::from(u8::from(stuck)))
}

/// The read database, if this build knows its schema.
async fn open(projection: &impl Projection, read: &ReadDatabase) -> anyhow::Result<Pool> {
    let options = PoolOptions {
        db_pool_size: 1,
        ..PoolOptions::default()
    };
    let pool = projection::pool(projection, read.url()?.expose(), &options, "projector parked")?;
    projection.migrations().check(&pool).await.map_err(said)?;
    Ok(pool)
}

/// Without the details of a database error, which may quote a row.
fn said(error: impl std::error::Error + 'static) -> anyhow::Error {
    anyhow::Error::msg(describe(&error))
}
