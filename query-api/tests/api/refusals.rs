//! Addresses that no row can have are refused, and the answer names the part.

use anyhow::Result;

use crate::support::App;

#[tokio::test]
async fn an_id_that_is_none_is_refused_by_name() -> Result<()> {
    let app = App::start().await?;
    let staff = app.staff();
    for (path, pointer) in [
        ("orders/1", "/order_id"),
        ("licenses/%00", "/license_id"),
        ("orders/%C3%A6", "/order_id"),
        ("orders/%ff", "/order_id"),
    ] {
        let answer = app.get(&format!("/api/v1/{path}"), &staff).await;
        assert!(answer.is(400, "malformed_path"), "{path}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
        assert!(
            answer.body["errors"][0]["message_nb"].is_string()
                && answer.body["errors"][0]["message_en"].is_string(),
            "{path}"
        );
    }
    Ok(())
}
