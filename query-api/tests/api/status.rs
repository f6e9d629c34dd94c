//! What works, while something is away and when it is back. Always an answer.

use std::time::Duration;

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, App, connect, eventually};

async fn status(app: &App) -> Answer {
    let answer = app.get_anonymously("/api/v1/status").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer
}

fn of<'a>(answer: &'a Answer, list: &str, name: &str) -> &'a Value {
    let all = answer.body[list].as_array().expect("a list");
    let found = all.iter().find(|one| one["name"] == name);
    found.map_or(&Value::Null, |one| &one["status"])
}

/// Waits until a feature is so.
async fn until(app: &App, feature: &str, expected: &str) -> Answer {
    eventually(&format!("{feature} is {expected}"), async || {
        let answer = status(app).await;
        (of(&answer, "features", feature) == expected).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn it_is_public_short_lived_and_says_what_it_does_not_know() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    app.see_head(7).await?;
    let answer = eventually("the rows are seen", async || {
        let answer = status(&app).await;
        (answer.body["data"]["position"] == 7 && answer.body["data"]["as_of"].is_string()).then_some(answer)
    })
    .await;
    assert_eq!(
        answer.header("cache-control"),
        "public, max-age=1, stale-if-error=600"
    );
    assert_eq!(of(&answer, "features", "browse"), "works");
    assert_eq!(
        of(&answer, "features", "buy"),
        "unknown",
        "no command-api is named"
    );
    assert_eq!(of(&answer, "components", "command_api"), "unknown");
    assert!(answer.body["generated_at"].is_string());
    assert_eq!(of(&answer, "components", "redis"), &Value::Null, "there is none");
    let refused = app.get_anonymously("/api/v1/status?full=true").await;
    assert!(refused.is(400, "unknown_parameter"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_away_is_said_from_memory() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    until(&app, "browse", "works").await;
    let admin = connect(stack::shared().await?.postgres().url()).await?;
    let name = app.databases.read_owner.rsplit('/').next().unwrap_or_default();
    let allow = async |allowed: bool| {
        let allow = format!("alter database {name} with allow_connections {allowed}");
        admin.batch_execute(&allow).await
    };
    allow(false).await?;
    admin
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1",
            &[&name],
        )
        .await?;
    let answer = until(&app, "browse", "away").await;
    assert_eq!(of(&answer, "components", "read_database"), "down");
    // No command-api is known that could take orders.
    assert_eq!(answer.body["status"], "down");
    assert_eq!(answer.body["data"]["position"], 7, "as last seen");
    let said = answer.body.to_string();
    for inside in ["connect", "postgres", "127.0.0.1", "localhost", name] {
        assert!(!said.contains(inside), "{inside}: {said}");
    }
    for summary in ["summary_nb", "summary_en"] {
        assert!(
            answer.body[summary].as_str().is_some_and(|text| text.len() > 10),
            "{said}"
        );
    }
    allow(true).await?;
    let answer = until(&app, "browse", "works").await;
    assert_eq!(answer.body["status"], "ok", "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn rows_that_do_not_follow_the_log_are_said_to_be_old() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    app.see_head(7).await?;
    until(&app, "browse", "works").await;
    let seen = eventually("the rows are whole", async || {
        let answer = status(&app).await;
        answer.body["data"]["as_of"].is_string().then_some(answer)
    })
    .await;
    assert_eq!(seen.body["status"], "ok", "{seen:?}");
    // No projector looks at the log any more.
    let answer = until(&app, "browse", "stale").await;
    assert_eq!(answer.body["status"], "degraded");
    assert_eq!(of(&answer, "components", "updates"), "degraded");
    assert!(
        answer.body["data"]["lag_seconds"].as_u64() >= Some(3),
        "{answer:?}"
    );
    // It looks again, and the log has gone on.
    app.see_head(9).await?;
    app.project_to(8).await?;
    let behind = until(&app, "browse", "stale").await;
    assert!(behind.body["data"]["position"].as_u64() <= Some(8));
    eventually("the rows have all again", async || {
        app.project_to(9).await.ok()?;
        app.see_head(9).await.ok()?;
        let answer = status(&app).await;
        (of(&answer, "features", "browse") == "works").then_some(())
    })
    .await;
    let stale = "update checkpoints set stale_since = now()";
    app.projector.batch_execute(stale).await?;
    until(&app, "browse", "stale").await;
    Ok(())
}

#[tokio::test]
async fn since_moves_with_the_change_alone() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    app.see_head(7).await?;
    let since = |answer: &Answer| {
        let all = answer.body["components"].as_array().cloned().unwrap_or_default();
        let updates = all
            .into_iter()
            .find(|one| one["name"] == "updates")
            .unwrap_or_default();
        (updates["status"].clone(), updates["since"].clone())
    };
    let old = until(&app, "browse", "stale").await;
    let (state, began) = since(&old);
    assert_eq!(state, json!("degraded"));
    let later = eventually("a later answer", async || {
        let answer = status(&app).await;
        (answer.body["generated_at"] != old.body["generated_at"]).then_some(answer)
    })
    .await;
    assert_eq!(since(&later), (state, began.clone()));
    eventually("it changes back", async || {
        app.see_head(7).await.ok()?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (state, since) = since(&status(&app).await);
        (state == "ok" && since != began).then_some(())
    })
    .await;
    Ok(())
}
