//! Who may keep a copy of an answer, and how they learn that it still holds.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;

use crate::rows;
use crate::support::App;

const PUBLIC: &str = "public, max-age=60, stale-while-revalidate=600";

#[tokio::test]
async fn the_catalogue_may_be_shared_and_personal_data_may_not() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    let order = rows::order(&app.projector, json!({})).await?;
    let license = rows::license(&app.projector, json!({})).await?;
    for (path, expected) in [
        ("license-types".to_owned(), PUBLIC),
        ("clubs".to_owned(), PUBLIC),
        ("terms".to_owned(), PUBLIC),
        ("orders".to_owned(), "private, no-store"),
        ("licenses".to_owned(), "private, no-store"),
        (format!("orders/{order}"), "private, no-store"),
        (format!("licenses/{license}"), "private, no-store"),
    ] {
        let answer = app.get(&format!("/api/v1/{path}"), &app.staff()).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (StatusCode::OK, expected),
            "{path}"
        );
        assert_eq!(answer.header("content-type"), "application/json");
        if expected == PUBLIC {
            assert_eq!(answer.header("vary"), "accept-encoding, min-position", "{path}");
        }
    }
    for path in ["clubs?limit=0", "orders/00000000-0000-0000-0000-000000000000"] {
        let answer = app.get(&format!("/api/v1/{path}"), &app.staff()).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn no_cache_keeps_the_rows_of_a_log_that_has_not_begun() -> Result<()> {
    let app = App::start().await?;
    for path in ["license-types", "clubs", "terms"] {
        let answer = app.get_anonymously(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn an_entity_tag_holds_until_the_rows_change() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    rows::club(&app.projector, "NMK Testby").await?;
    let order = rows::order(&app.projector, json!({})).await?;
    for (path, change) in [
        ("/api/v1/clubs".to_owned(), "update clubs set name = 'NMK Nyby'"),
        (
            format!("/api/v1/orders/{order}"),
            "update orders set status = 'refunded'",
        ),
    ] {
        let first = app.get(&path, &app.staff()).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{tag}");
        let again = app
            .get_with(&path, &app.staff(), &[("if-none-match", &tag)])
            .await;
        assert_eq!(
            (again.status, again.body.is_null()),
            (StatusCode::NOT_MODIFIED, true),
            "{path}"
        );
        for header in ["etag", "cache-control", "event-position"] {
            assert_eq!(again.header(header), first.header(header), "{path}: {header}");
        }
        app.projector.batch_execute(change).await?;
        let changed = app
            .get_with(&path, &app.staff(), &[("if-none-match", &tag)])
            .await;
        assert_eq!(changed.status, StatusCode::OK, "{path}");
        assert_ne!(changed.header("etag"), tag, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn events_elsewhere_move_the_position_and_not_the_tag() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    let before = app.get_anonymously("/api/v1/clubs").await;
    app.project_to(2).await?;
    let after = app.get_anonymously("/api/v1/clubs").await;
    assert_eq!(
        (before.body["position"].as_u64(), after.body["position"].as_u64()),
        (Some(1), Some(2))
    );
    assert_eq!(before.header("etag"), after.header("etag"));
    let again = app
        .get_with("/api/v1/clubs", "", &[("if-none-match", before.header("etag"))])
        .await;
    assert_eq!(
        (again.status, again.header("event-position")),
        (StatusCode::NOT_MODIFIED, "2")
    );
    Ok(())
}
