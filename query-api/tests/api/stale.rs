//! Rows of a log that was replaced are answered until others are there, and every answer says so.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, DEADLINE};

/// Whether readiness says that the rows are stale; it is ready in any case.
async fn until_degraded(app: &App, degraded: bool) -> Result<()> {
    let begun = std::time::Instant::now();
    loop {
        let readiness = serde_json::to_string(&app.health.readiness())?;
        let ready = !readiness.contains(r#""name":"postgres","ok":false"#);
        if ready && readiness.contains("marked as stale") == degraded {
            return Ok(());
        }
        assert!(begun.elapsed() < DEADLINE, "{readiness}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn stale_rows_are_answered_and_say_so_and_prove_no_write() -> Result<()> {
    let app = App::start().await?;
    for number in 0..3 {
        rows::order(&app.projector, json!({"order_number": number.to_string()})).await?;
    }
    app.project_to(10).await?;
    let staff = app.staff();
    let fresh = app.get("/api/v1/orders?limit=2&min_position=10", &staff).await;
    assert_eq!((fresh.status, fresh.header("event-stale")), (StatusCode::OK, ""));
    let cursor = fresh.body["next_cursor"].as_str().unwrap_or_default().to_owned();
    let next = format!("/api/v1/orders?limit=2&cursor={cursor}");

    app.projector
        .batch_execute("update checkpoints set stale_since = now()")
        .await?;
    until_degraded(&app, true).await?;
    for path in [next.as_str(), "/api/v1/orders", "/api/v1/clubs"] {
        let stale = app.get(path, &staff).await;
        assert_eq!(stale.status, StatusCode::OK, "{stale:?}");
        assert_eq!(stale.header("event-stale"), "true", "{path}");
        assert_eq!(stale.header("cache-control"), "no-store", "{path}");
        assert_eq!(stale.header("event-position"), "10");
    }
    let missing = app.get(&format!("/api/v1/orders/{}", Uuid::nil()), &staff).await;
    assert_eq!(
        (missing.status, missing.header("event-stale")),
        (StatusCode::NOT_FOUND, "true")
    );
    // The position of one log is none of another's.
    let waited = app.get("/api/v1/orders?min_position=1", &staff).await;
    assert!(waited.is(503, "projection_lagging"), "{waited:?}");

    // Other rows take their place, in the log's new epoch.
    let other = Uuid::from_u128(7);
    app.projector
        .execute("update checkpoints set stale_since = null, epoch = $1", &[&other])
        .await?;
    until_degraded(&app, false).await?;
    let renewed = app.get("/api/v1/orders?min_position=10", &staff).await;
    assert_eq!(
        (renewed.status, renewed.header("event-stale")),
        (StatusCode::OK, "")
    );
    let refused = app.get(&next, &staff).await;
    assert!(refused.is(400, "cursor_invalid"), "{refused:?}");
    Ok(())
}
