//! Postgres goes away, is slow, or has another schema: the service says so, and recovers by itself.

use std::time::{Duration, Instant};

use anyhow::Result;
use axum::http::StatusCode;
use service::health::Health;
use stack::Databases;

use crate::support::{App, DEADLINE, connect, fresh_databases};

/// Refuses connections to the read database, and ends those that there are.
async fn take_down(databases: &Databases) -> Result<()> {
    switch(databases, false).await
}

async fn bring_back(databases: &Databases) -> Result<()> {
    switch(databases, true).await
}

async fn switch(databases: &Databases, on: bool) -> Result<()> {
    let admin = connect(stack::shared().await?.postgres().url()).await?;
    let name = databases.read_owner.rsplit('/').next().unwrap_or_default();
    admin
        .batch_execute(&format!("alter database {name} with allow_connections {on}"))
        .await?;
    if !on {
        admin
            .execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1",
                &[&name],
            )
            .await?;
    }
    Ok(())
}

/// Waits until a check passes or fails.
async fn until(health: &Health, check: &str, ok: bool) -> Result<()> {
    let begun = Instant::now();
    loop {
        let readiness = serde_json::to_value(health.readiness())?;
        let checks = readiness["checks"].as_array().cloned().unwrap_or_default();
        if checks
            .iter()
            .any(|found| found["name"] == check && found["ok"] == ok)
        {
            return Ok(());
        }
        anyhow::ensure!(begun.elapsed() < DEADLINE, "{check} is not {ok}: {readiness}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_database_that_goes_away_is_a_503_until_it_is_back() -> Result<()> {
    let app = App::start().await?;
    for check in ["postgres", "schema", "reports_postgres", "reports_schema", "jwks"] {
        until(&app.health, check, true).await?;
    }
    assert!(app.health.readiness().is_ready());
    assert_eq!(app.get_anonymously("/api/v1/clubs").await.status, StatusCode::OK);

    take_down(&app.databases).await?;
    let answer = app
        .get_until("/api/v1/clubs", "", StatusCode::SERVICE_UNAVAILABLE)
        .await;
    assert!(answer.is(503, "database_unavailable"), "{answer:?}");
    assert_eq!(
        (answer.header("retry-after"), answer.header("content-type")),
        ("1", "application/problem+json")
    );
    let said = answer.body.to_string();
    assert!(
        !said.contains("connect") && !said.contains("read_"),
        "nothing of the inside: {said}"
    );
    until(&app.health, "postgres", false).await?;

    bring_back(&app.databases).await?;
    app.get_until("/api/v1/clubs", "", StatusCode::OK).await;
    until(&app.health, "postgres", true).await?;
    let projector = connect(&app.databases.read_owner).await?;
    projector
        .execute("insert into checkpoints (projection, position, epoch) values ('licensing', 8, gen_random_uuid())", &[])
        .await?;
    let answer = app
        .get_until("/api/v1/clubs?min_position=8", "", StatusCode::OK)
        .await;
    assert_eq!(
        answer.header("event-position"),
        "8",
        "the projection is followed again"
    );
    Ok(())
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_cancelled_and_said() -> Result<()> {
    let app = App::start().await?;
    app.projector
        .batch_execute("begin; lock table clubs in access exclusive mode")
        .await?;
    let answer = app.get_anonymously("/api/v1/clubs").await;
    assert!(answer.is(503, "query_timeout"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), "1");
    app.projector.batch_execute("rollback").await?;
    assert_eq!(app.get_anonymously("/api/v1/clubs").await.status, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn a_database_that_says_nothing_is_not_waited_for_for_long() -> Result<()> {
    let mut app = App::start().await?;
    // Shorter than the database's own limit, as if it had frozen and could not keep that.
    app.change(|state| state.reads.patience.public = Duration::from_millis(100));
    app.projector
        .batch_execute("begin; lock table clubs in access exclusive mode")
        .await?;
    let answer = app.get_anonymously("/api/v1/clubs").await;
    assert!(answer.is(503, "database_unavailable"), "{answer:?}");
    app.projector.batch_execute("rollback").await?;
    app.get_until("/api/v1/clubs", "", StatusCode::OK).await;
    Ok(())
}

#[tokio::test]
async fn a_schema_that_is_not_ours_is_refused_at_the_start() -> Result<()> {
    let databases = fresh_databases().await?;
    let projector = connect(&databases.read_owner).await?;
    let error = App::start_on(databases, projector).await.err().expect("an error");
    assert!(error.to_string().contains("projector migrate"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_down_at_the_start_is_waited_for() -> Result<()> {
    let databases = fresh_databases().await?;
    read_model::migrate(&databases.read_owner).await?;
    let projector = connect(&databases.read_owner).await?;
    take_down(&databases).await?;
    let app = App::start_on(databases.clone(), projector).await?;
    until(&app.health, "schema", false).await?;
    let answer = app.get_anonymously("/api/v1/clubs").await;
    assert!(answer.is(503, "schema_unknown"), "{answer:?}");
    assert!(!app.health.readiness().is_ready());
    bring_back(&databases).await?;
    app.get_until("/api/v1/clubs", "", StatusCode::OK).await;
    until(&app.health, "schema", true).await?;
    Ok(())
}
