//! Values that a parameter can't have are refused, and the answer names the parameter.

use anyhow::Result;

use crate::support::App;

#[tokio::test]
async fn values_that_cannot_be_are_refused_by_name() -> Result<()> {
    let app = App::start().await?;
    let staff = app.staff();
    for (path, pointer, code) in [
        ("orders?status=open", "/status", "invalid_choice"),
        ("orders?club_id=1", "/club_id", "invalid_uuid"),
        ("orders?customer_id=", "/customer_id", "invalid_uuid"),
        ("orders?created_from=yesterday", "/created_from", "invalid_moment"),
        ("orders?created_to=2026-02-30", "/created_to", "invalid_moment"),
        (
            "orders?activity_from=01.02.2026",
            "/activity_from",
            "invalid_date",
        ),
        (
            "orders?activity_to=2026-06-05T00:00:00Z",
            "/activity_to",
            "invalid_date",
        ),
        ("orders?total_min_ore=-1", "/total_min_ore", "invalid_number"),
        (
            "orders?total_max_ore=9223372036854775808",
            "/total_max_ore",
            "invalid_number",
        ),
        ("orders?sort=customer_id", "/sort", "invalid_choice"),
        ("orders?sort=--created_at", "/sort", "invalid_choice"),
        ("orders?count=1", "/count", "invalid_boolean"),
        ("orders?min_position=-1", "/min_position", "invalid_number"),
        (
            "orders?min_position=9223372036854775808",
            "/min_position",
            "invalid_number",
        ),
        ("licenses?role=chef", "/role", "invalid_choice"),
        ("licenses?order_id=x", "/order_id", "invalid_uuid"),
        ("license-types?status=new", "/status", "invalid_choice"),
        (
            "orders?status=paid&status=placed",
            "/status",
            "duplicate_parameter",
        ),
    ] {
        let answer = app.get(&format!("/api/v1/{path}"), &staff).await;
        assert!(answer.is(400, "invalid_parameter"), "{path}: {answer:?}");
        let error = &answer.body["errors"][0];
        assert_eq!(
            (error["pointer"].as_str(), error["code"].as_str()),
            (Some(pointer), Some(code)),
            "{path}"
        );
        assert!(
            error["message_nb"].is_string() && error["message_en"].is_string(),
            "{path}"
        );
    }
    for (path, pointer) in [
        ("orders/1", "/order_id"),
        ("licenses/%00", "/license_id"),
        ("orders/%C3%A6", "/order_id"),
    ] {
        let answer = app.get(&format!("/api/v1/{path}"), &staff).await;
        assert!(answer.is(400, "malformed_path"), "{path}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
    }
    Ok(())
}
