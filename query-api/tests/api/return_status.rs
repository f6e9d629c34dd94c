//! The status of an order by the capability of its return URL.

use anyhow::Result;
use axum::http::StatusCode;
use chrono::{TimeDelta, Utc};
use serde_json::json;
use service::return_key::ReturnKey;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, RETURN_KEY};

fn path(order: Uuid, token: &str) -> String {
    format!("/api/v1/orders/{order}/return-status?t={token}")
}

#[tokio::test]
async fn a_capability_shows_number_status_and_total_and_nothing_else() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    app.see_head(7).await?;
    let order = rows::order(&app.projector, json!({})).await?;
    let token = ReturnKey::new(RETURN_KEY)?.grant(order, Utc::now() + TimeDelta::hours(24));
    let answer = app.get_anonymously(&path(order, &token)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let expected = json!({"order_number": "BL-00000-00001", "status": "fulfilled", "total_ore": 42_000});
    assert_eq!(answer.body, expected);
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert_eq!(answer.header("event-position"), "7");
    let reached = app
        .get_anonymously(&format!("{}&min_position=7", path(order, &token)))
        .await;
    assert_eq!(reached.body, expected);
    for (more, code) in [
        ("fields=lines", "unknown_parameter"),
        ("min_position=8", "position_unknown"),
    ] {
        app.see_head(7).await?;
        let refused = app
            .get_anonymously(&format!("{}&{more}", path(order, &token)))
            .await;
        let lagging = refused.is(503, "projection_lagging");
        assert!(lagging || refused.is(400, code), "{more}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn no_other_token_shows_anything_and_all_are_answered_alike() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    let key = ReturnKey::new(RETURN_KEY)?;
    let (order, other) = (
        rows::order(&app.projector, json!({})).await?,
        rows::order(&app.projector, json!({})).await?,
    );
    let (later, unknown) = (Utc::now() + TimeDelta::hours(24), Uuid::now_v7());
    let foreign = ReturnKey::new(b"the key of another installation, 32 bytes")?;
    let mut answers = Vec::new();
    for (order, token) in [
        (order, key.grant(other, later)),
        (order, key.grant(order, Utc::now() - TimeDelta::seconds(1))),
        (order, foreign.grant(order, later)),
        (order, String::new()),
        (order, "%00".into()),
        (order, "x".repeat(2000)),
        (unknown, key.grant(order, later)),
    ] {
        let id = [("x-request-id", "same")];
        // A login changes nothing.
        let answer = app.get_with(&path(order, &token), &app.staff(), &id).await;
        assert!(answer.is(401, "return_token_invalid"), "{token}: {answer:?}");
        assert_eq!(answer.header("event-position"), "");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let gone = app
        .get_anonymously(&path(unknown, &key.grant(unknown, later)))
        .await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let malformed = app.get_anonymously("/api/v1/orders/1/return-status?t=1").await;
    assert!(malformed.is(400, "malformed_path"), "{malformed:?}");
    Ok(())
}
