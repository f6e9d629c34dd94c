//! How streams end: each says why.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use query_api::stream::StreamOptions;
use serde_json::json;
use stack::Role;

use super::events::{Events, with};
use crate::rows;
use crate::support::{App, user};

/// Writes what an administrator said of a user, or the user's own contact data.
async fn say(app: &App, name: &str, position: i64, what: &str) -> Result<()> {
    let user_id = user(name);
    app.projector
        .execute(
            "insert into users (user_id, club_ids, created_at, updated_at, version, position)
             values ($1, '{}', now(), now(), 1, 1) on conflict do nothing",
            &[&user_id],
        )
        .await?;
    let set = format!("update users set position = $2, {what} where user_id = $1");
    app.projector.execute(&set, &[&user_id, &position]).await?;
    app.project_to(position).await
}

#[tokio::test]
async fn other_roles_and_revoked_sessions_end_a_stream_and_other_changes_do_not() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    let staff = app.staff();
    let user_id = user("staff").to_string();
    let (mut events, _) = Events::open(&app, &staff, None).await;
    let kari = app.token(Role::Customer, "kari", &[]);
    let (mut other, _) = Events::open(&app, &kari, None).await;
    say(&app, "staff", 8, "name = 'Kari'").await?;
    events.changes_until(&user_id).await;
    // As the token says: nothing changes.
    say(&app, "staff", 9, "roles = '{staff}'").await?;
    events.changes_until(&user_id).await;
    // An order of someone else, in the same moment as the end of the role.
    let order = rows::order(&app.projector, json!({"position": 10})).await?;
    say(&app, "staff", 11, "roles = '{customer}'").await?;
    let last = events.last().await;
    assert!(last.is("end", "roles_changed"), "{last:?}");
    // The same token comes again as who its user is now.
    let (mut events, before) = Events::open(&app, &staff, Some(&events.last_id)).await;
    assert!(
        !before.iter().any(|event| event.data["id"] == order.to_string()),
        "{before:?}"
    );
    say(
        &app,
        "staff",
        12,
        "sessions_revoked_at = now() + interval '1 minute'",
    )
    .await?;
    let last = events.last().await;
    assert!(last.is("end", "session_revoked"), "{last:?}");
    let refused = app.get("/api/v1/stream", &staff).await;
    assert!(refused.is(401, "token_revoked"), "{refused:?}");
    // No one else's stream has ended.
    let club = rows::club(&app.projector, "a club").await?;
    app.projector
        .batch_execute("update clubs set position = 13")
        .await?;
    app.project_to(13).await?;
    assert_eq!(other.changes_until(&club.to_string()).await, [].into());
    Ok(())
}

#[tokio::test]
async fn the_end_of_the_token_ends_a_stream() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    // A minute of difference between clocks is allowed, so this one is good for two seconds more.
    let lifetime = TimeDelta::seconds(-58);
    let token = app.issuer.token(Role::Customer, "kari", &[], lifetime)?;
    let (mut events, _) = Events::open(&app, &token, None).await;
    let last = events.last().await;
    assert!(last.is("end", "token_ended"), "{last:?}");
    Ok(())
}

#[tokio::test]
async fn an_old_stream_ends() -> Result<()> {
    let mut app = App::start().await?;
    app.project_to(7).await?;
    let options = StreamOptions {
        max_age: Duration::from_millis(300),
        ..StreamOptions::default()
    };
    let _stop = with(&mut app, options);
    let (mut events, _) = Events::open(&app, &app.staff(), None).await;
    let last = events.last().await;
    assert!(last.is("end", "max_age"), "{last:?}");
    Ok(())
}

#[tokio::test]
async fn the_end_of_the_process_ends_all_streams_and_lets_none_begin() -> Result<()> {
    let mut app = App::start().await?;
    app.project_to(7).await?;
    let stop = with(&mut app, StreamOptions::default());
    let (mut one, _) = Events::open(&app, &app.staff(), None).await;
    let (mut two, _) = Events::open(&app, &app.token(Role::Customer, "kari", &[]), None).await;
    stop.cancel();
    for events in [&mut one, &mut two] {
        let last = events.last().await;
        assert!(last.is("end", "shutdown"), "{last:?}");
    }
    let refused = app.get("/api/v1/stream", &app.staff()).await;
    assert!(refused.is(503, "stream_unavailable"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    Ok(())
}
