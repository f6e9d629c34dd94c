//! Waits for the databases, and refuses one with another schema.

use std::time::Duration;

use anyhow::Context as _;
use backon::{ExponentialBuilder, Retryable};
use deadpool_postgres::Pool;
use projection::{Migrations, SchemaError};
use service::health::Check;
use service::postgres::describe;

/// Waits about a minute for both databases to answer; a schema that this build does not know is refused at once. `read` are
/// the migrations of each projection with its pool.
pub(super) async fn know_schemas(
    read: [(&'static Migrations, &Pool); 2],
    events: &Pool,
    urls: [&str; 2],
    check: Check,
) -> anyhow::Result<()> {
    // Before the check, because most statements fail through a pooler; and after it, because a database that was down did
    // not answer before.
    refuse_poolers(urls).await?;
    let patience = || {
        ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(32)
    };
    let waiting = |error: &(dyn std::error::Error + 'static), pause: Duration| {
        let reason = describe(error);
        tracing::warn!(reason, pause_s = pause.as_secs_f64(), "waiting for a database");
        check.fail(reason);
    };
    for (migrations, pool) in read {
        (|| migrations.check(pool))
            .retry(patience())
            .when(SchemaError::is_transient)
            .notify(|error, pause| waiting(error, pause))
            .await?;
    }
    (|| event_store::check_schema(events))
        .retry(patience())
        .when(|error| matches!(error, event_store::Error::Unavailable(_)))
        .notify(|error, pause| waiting(error, pause))
        .await?;
    refuse_poolers(urls).await?;
    check.ok();
    Ok(())
}

async fn refuse_poolers(urls: [&str; 2]) -> anyhow::Result<()> {
    for (url, name) in urls.into_iter().zip(["read", "event"]) {
        service::postgres::refuse_pooler(url)
            .await
            .with_context(|| format!("the {name} database"))?;
    }
    Ok(())
}
