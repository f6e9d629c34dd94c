//! Who comes back is told what changed meanwhile, or to read again.

use anyhow::Result;
use query_api::stream::{MOST_MISSED, StreamOptions};
use serde_json::json;
use stack::Role;
use uuid::Uuid;

use super::events::{Events, changed, with};
use crate::rows;
use crate::support::{App, eventually, user};

async fn order(app: &App, customer: &str, position: i64) -> Result<String> {
    let row = json!({"customer_id": user(customer), "position": position});
    Ok(rows::order(&app.projector, row).await?.to_string())
}

#[tokio::test]
async fn what_changed_meanwhile_comes_first_and_then_what_changes() -> Result<()> {
    let app = App::start().await?;
    app.project_to(3).await?;
    let kari = app.token(Role::Customer, "kari", &[]);
    let seen = order(&app, "kari", 4).await?;
    app.project_to(4).await?;
    let (mut events, before) = Events::open(&app, &kari, None).await;
    assert_eq!(before, [], "what a first reader reads from lists is not told");
    let first = order(&app, "kari", 5).await?;
    app.project_to(5).await?;
    assert_eq!(events.changes_until(&first).await.len(), 0);
    let id = events.last_id.clone();
    drop(events);

    let missed = [order(&app, "kari", 6).await?, order(&app, "kari", 8).await?];
    order(&app, "ola", 7).await?;
    app.projector
        .execute(
            "update orders set position = 9 where order_id::text = $1",
            &[&seen],
        )
        .await?;
    app.project_to(9).await?;
    let (mut events, before) = Events::open(&app, &kari, Some(&id)).await;
    let order = |id: &String| ("order".to_owned(), id.clone());
    assert_eq!(
        changed(&before),
        [order(&missed[0]), order(&missed[1]), order(&seen)].into()
    );
    let positions: Vec<_> = before
        .iter()
        .map(|event| event.data["position"].as_u64())
        .collect();
    assert_eq!(positions, [Some(6), Some(8), Some(9)]);
    assert!(
        before.iter().all(|event| event.id.is_none()),
        "the id comes with `ready`: half of what was missed is not all of it"
    );

    let last = self::order(&app, "kari", 10).await?;
    app.project_to(10).await?;
    assert_eq!(events.changes_until(&last).await, [].into());
    // Nothing was missed.
    let (_, before) = Events::open(&app, &kari, Some(&events.last_id)).await;
    assert_eq!(before, []);
    Ok(())
}

#[tokio::test]
async fn more_than_can_be_told_is_read_again() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    let kari = app.token(Role::Customer, "kari", &[]);
    let (mut staff, _) = Events::open(&app, &app.staff(), None).await;
    let id = staff.last_id.clone();
    let template = order(&app, "ola", 0).await?;
    // More than one look takes, so that the follower needs several.
    let many = i64::try_from(2 * MOST_MISSED + 500)?;
    app.projector
        .execute(
            "insert into orders select (jsonb_populate_record(o, jsonb_build_object(
                'order_id', gen_random_uuid(), 'position', n + 1))).*
             from orders o, generate_series(1, $2::bigint) n where order_id::text = $1",
            &[&template, &many],
        )
        .await?;
    let own = order(&app, "kari", many + 2).await?;
    app.project_to(many + 2).await?;
    // Live, every one is told.
    let told = staff.changes_until(&own).await;
    assert_eq!(told.len(), usize::try_from(many)?);
    let (_, before) = Events::open(&app, &app.staff(), Some(&id)).await;
    assert!(
        matches!(&before[..], [reset] if reset.is("reset", "too_many")),
        "{before:?}"
    );
    // For whom these are not, there is one.
    let (_, before) = Events::open(&app, &kari, Some(&id)).await;
    assert_eq!(changed(&before), [("order".to_owned(), own)].into());
    Ok(())
}

#[tokio::test]
async fn an_id_that_says_nothing_here_is_a_reset() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    let staff = app.staff();
    let nil = Uuid::nil().simple();
    for (id, reason) in [
        ("4711", "unknown_id"),
        ("<script>", "unknown_id"),
        (&"9".repeat(8000), "unknown_id"),
        (&format!("{nil}.18446744073709551616.0"), "unknown_id"),
        (&format!("{nil}.18446744073709551615.0"), "unknown_id"),
        (&format!("{nil}.8.0"), "unknown_id"),
        (&format!("{nil}.7.18446744073709551615"), "rows_rebuilt"),
        (&format!("{}.7.0", Uuid::from_u128(9).simple()), "another_log"),
    ] {
        let (_, before) = Events::open(&app, &staff, Some(id)).await;
        assert!(
            matches!(&before[..], [reset] if reset.is("reset", reason)),
            "{id}: {before:?}"
        );
    }
    let (_, before) = Events::open(&app, &staff, Some("")).await;
    assert_eq!(before, [], "an empty one is none");
    Ok(())
}

#[tokio::test]
async fn another_log_and_parked_events_that_are_applied_are_read_again() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    app.projector
        .execute(
            "insert into parked_events (projection, aggregate_type, aggregate_id, position, event, reason)
             values ('licensing', 'order', gen_random_uuid(), 5, '{}', 'x')",
            &[],
        )
        .await?;
    let staff = app.staff();
    let mut events = eventually("the parked event is seen", async || {
        let (events, _) = Events::open(&app, &staff, None).await;
        events.last_id.ends_with(".7.1").then_some(events)
    })
    .await;
    let id = events.last_id.clone();
    // Its row gets a position that was passed.
    app.projector.batch_execute("delete from parked_events").await?;
    let before = events.until(|event| event.name == "reset").await;
    assert_eq!(before, []);
    let (_, before) = Events::open(&app, &staff, Some(&id)).await;
    assert!(
        matches!(&before[..], [reset] if reset.is("reset", "rows_rebuilt")),
        "{before:?}"
    );

    let epoch = Uuid::from_u128(9);
    app.projector
        .execute("update checkpoints set epoch = $1, position = 2", &[&epoch])
        .await?;
    let mut reason = String::new();
    events
        .until(|event| {
            event.data["reason"]
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut reason);
            event.name == "reset"
        })
        .await;
    assert_eq!(reason, "another_log");
    assert!(
        events.last_id.starts_with(&epoch.simple().to_string()),
        "{}",
        events.last_id
    );
    Ok(())
}

#[tokio::test]
async fn an_idle_reader_is_given_later_ids_by_heartbeats() -> Result<()> {
    let mut app = App::start().await?;
    app.project_to(7).await?;
    let options = StreamOptions {
        heartbeat: std::time::Duration::from_millis(100),
        ..StreamOptions::default()
    };
    let _stop = with(&mut app, options);
    let kari = app.token(Role::Customer, "kari", &[]);
    let (mut events, _) = Events::open(&app, &kari, None).await;
    order(&app, "ola", 9).await?;
    app.project_to(9).await?;
    let is_later = |id: &Option<String>| id.as_ref().is_some_and(|id| id.ends_with(".9.0"));
    let before = events
        .until(|event| event.name.is_empty() && is_later(&event.id))
        .await;
    assert_eq!(before, [], "what is not the reader's shows as a later id alone");
    Ok(())
}

#[tokio::test]
async fn a_lost_connection_to_the_database_loses_no_change() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    let (mut events, _) = Events::open(&app, &app.staff(), None).await;
    let admin = crate::support::connect(stack::shared().await?.postgres().url()).await?;
    let name = app.databases.read_owner.rsplit('/').next().unwrap_or_default();
    let ended = admin
        .query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = $1 and application_name = 'query-api stream'",
            &[&name],
        )
        .await?;
    assert_eq!(
        ended.len(),
        1,
        "one connection follows, whatever the number of streams"
    );
    let id = order(&app, "ola", 8).await?;
    app.project_to(8).await?;
    assert_eq!(events.changes_until(&id).await, [].into());
    Ok(())
}
