//! No reader has more than its share, and none holds up another.

use anyhow::Result;
use axum::http::StatusCode;
use query_api::stream::{MOST_OF_READER, StreamOptions};
use serde_json::json;
use stack::Role;

use super::events::{Events, with};
use crate::rows;
use crate::support::{App, user};

#[tokio::test]
async fn a_reader_has_a_few_streams_and_another_one_when_one_is_closed() -> Result<()> {
    let app = App::start().await?;
    let kari = app.token(Role::Customer, "kari", &[]);
    let mut open = Vec::new();
    for _ in 0..MOST_OF_READER {
        open.push(Events::open(&app, &kari, None).await);
    }
    let refused = app.get("/api/v1/stream", &kari).await;
    assert!(refused.is(429, "too_many_streams"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), "10");
    let ola = app.token(Role::Customer, "ola", &[]);
    assert_eq!(app.get("/api/v1/stream", &ola).await.status, StatusCode::OK);
    open.pop();
    assert_eq!(app.get("/api/v1/stream", &kari).await.status, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn a_full_process_says_so() -> Result<()> {
    let mut app = App::start().await?;
    let options = StreamOptions {
        max_streams: 1,
        ..StreamOptions::default()
    };
    let _stop = with(&mut app, options);
    let kari = app.token(Role::Customer, "kari", &[]);
    let open = Events::open(&app, &kari, None).await;
    let refused = app.get("/api/v1/stream", &app.staff()).await;
    assert!(refused.is(503, "streams_full"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), "10");
    drop(open);
    assert_eq!(
        app.get("/api/v1/stream", &app.staff()).await.status,
        StatusCode::OK
    );
    Ok(())
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_dropped_and_comes_back() -> Result<()> {
    let mut app = App::start().await?;
    app.project_to(7).await?;
    let options = StreamOptions {
        queue: 2,
        ..StreamOptions::default()
    };
    let _stop = with(&mut app, options);
    let staff = app.staff();
    let (mut slow, _) = Events::open(&app, &staff, None).await;
    let (mut other, _) = Events::open(&app, &staff, None).await;
    let mut ids = Vec::new();
    for position in 8..12 {
        let row = json!({"customer_id": user("ola"), "position": position});
        let id = rows::order(&app.projector, row).await?.to_string();
        app.project_to(position).await?;
        assert_eq!(
            other.changes_until(&id).await,
            [].into(),
            "one reader holds up no other"
        );
        ids.push(id);
    }
    // What was in the queue comes still.
    for id in &ids[..2] {
        assert_eq!(slow.changes_until(id).await, [].into());
    }
    let last = slow.last().await;
    assert!(last.is("dropped", "too_slow"), "{last:?}");
    let mut again = Events::begin(&app, &staff, Some(&slow.last_id)).await;
    for id in &ids[2..] {
        assert_eq!(again.changes_until(id).await, [].into());
    }
    Ok(())
}
