//! What can't be asked of an outline is refused with a reason.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;

use super::sales::{ROWS, app};

#[tokio::test]
async fn a_sort_without_days_is_refused_with_those_that_have_some() -> Result<()> {
    let app = app().await?;
    for (list, sort) in [
        ("orders", "total_ore"),
        ("orders", "-total_ore"),
        ("licenses", "position"),
        ("licenses", "status"),
        ("orders", "created_at%2Ctotal_ore"),
    ] {
        let path = format!("/api/v1/{list}/outline?sort={sort}");
        let refused = app.get(&path, &app.staff()).await;
        assert!(refused.is(400, "invalid_parameter"), "{path}: {refused:?}");
        let offered = "created_at, -created_at, activity_date, -activity_date";
        assert_eq!(
            refused.body["errors"],
            json!([{
                "pointer": "/sort", "code": "invalid_choice",
                "message_nb": format!("Verdien må være en av: {offered}."),
                "message_en": format!("The value must be one of: {offered}."),
            }]),
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_is_of_a_page_or_wrong_is_refused() -> Result<()> {
    let app = app().await?;
    let staff = app.staff();
    for (query, code) in [
        ("limit=5", "unknown_parameter"),
        ("cursor=x", "unknown_parameter"),
        ("seek=2026-10-25", "unknown_parameter"),
        ("fields=created_at", "unknown_parameter"),
        ("count=true", "unknown_parameter"),
        ("changed_since=0", "unknown_parameter"),
        ("day=2026-10-25", "unknown_parameter"),
        ("status=none", "invalid_choice"),
        ("status=issued&status=revoked", "duplicate_parameter"),
        ("club_id=c1", "invalid_uuid"),
        ("activity_from=2027-02-30", "invalid_date"),
        ("activity_from=2027-05-02&activity_to=2027-05-01", "invalid_range"),
        ("license_type=a%00b", "invalid_text"),
        ("license_type=%FF", "invalid_encoding"),
        ("min_position=-1", "invalid_number"),
    ] {
        let path = format!("/api/v1/licenses/outline?{query}");
        let refused = app.get(&path, &staff).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}: {refused:?}");
        assert_eq!(refused.body["errors"][0]["code"], code, "{path}: {refused:?}");
        assert_eq!(refused.header("cache-control"), "no-store", "{path}");
    }
    // One answer names everything that is wrong.
    let path = "/api/v1/orders/outline?sort=total_ore&status=none&limit=1";
    let refused = app.get(path, &staff).await;
    assert_eq!(
        refused.body["errors"].as_array().map(Vec::len),
        Some(3),
        "{refused:?}"
    );
    let beyond = format!("/api/v1/orders/outline?q=sale3&min_position={}", ROWS + 1);
    app.see_head(ROWS).await?;
    let beyond = app.get(&beyond, &staff).await;
    assert!(
        beyond.is(400, "position_unknown") || beyond.is(503, "projection_lagging"),
        "{beyond:?}"
    );
    let anonymous = app.get_anonymously("/api/v1/orders/outline").await;
    assert!(anonymous.is(401, "unauthorized"), "{anonymous:?}");
    Ok(())
}
