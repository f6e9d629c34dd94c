//! `POST /licenses/{license_id}/revoke`, from the request to the rows.

use serde_json::json;
use stack::Options;
use system_tests::{Answer, Shop, eventually};

/// Code and first field error of a problem.
fn codes(answer: &Answer) -> (&str, &str) {
    (
        answer.text_at("/code"),
        answer.body["errors"][0]["code"].as_str().unwrap_or_default(),
    )
}

#[tokio::test]
async fn staff_revokes_a_license_once_with_a_reason() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("revoke", &shop.order()).await.expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.at_provider(&placed, "approve").await;
    shop.order_with_status(&order_id, "fulfilled").await;
    let license = eventually("the license in the read model", || async {
        shop.licenses_of(&order_id).await.into_iter().next()
    })
    .await;
    assert_eq!(
        (&license["status"], &license["revoked_at"]),
        (&json!("issued"), &json!(null))
    );
    let path = format!("/licenses/{}/revoke", license["license_id"].as_str().unwrap());
    let because = json!({"reason": "Expelled from the event"});
    let staff = &shop.tokens.staff;

    for token in [&shop.tokens.customer, &shop.tokens.organizer] {
        shop.post(&path, token, "who", &because).await.expect(403);
    }
    let unknown = format!("/licenses/{}/revoke", uuid::Uuid::new_v4());
    shop.post(&unknown, staff, "which", &because).await.expect(404);
    for (key, reason, code) in [
        ("empty", "", "required"),
        ("blank", " \u{a0}", "required"),
        ("no-letter", "—", "text_empty"),
        ("number", "01010750160", "national_identity_number"),
        ("long", &"x".repeat(501), "text_too_long"),
    ] {
        let refused = shop
            .post(&path, staff, key, &json!({"reason": reason}))
            .await
            .expect(422);
        assert_eq!(codes(&refused), ("validation_failed", code), "{key}");
    }
    let unknown_field = json!({"reason": "x", "until": "2026-01-01"});
    let refused = shop.post(&path, staff, "field", &unknown_field).await.expect(400);
    assert_eq!(codes(&refused).0, "unknown_field", "{}", refused.text);

    let revoked = shop.post(&path, staff, "revoke", &because).await.expect(200);
    assert_eq!(revoked.text_at("/status"), "revoked");
    assert_eq!(revoked.body["version"], 2, "{}", revoked.text);
    let again = shop.post(&path, staff, "revoke", &because).await.expect(200);
    assert_eq!(
        (again.text.clone(), again.header("idempotency-replayed")),
        (revoked.text.clone(), Some("true"))
    );
    let second = shop.post(&path, staff, "another-key", &because).await.expect(200);
    assert_eq!(second.body["version"], 2, "a revoked license stays as it is");

    let list = format!(
        "/licenses?status=revoked&order_id={order_id}&min_position={}",
        revoked.position()
    );
    let page = shop.get(&list, staff).await.expect(200);
    assert_eq!(
        page.body["items"].as_array().map(Vec::len),
        Some(1),
        "{}",
        page.text
    );
    assert!(page.body["items"][0]["revoked_at"].is_string(), "{}", page.text);
    let valid = shop
        .get(&list.replace("revoked&", "issued&"), staff)
        .await
        .expect(200);
    assert_eq!(valid.body["items"], json!([]));
    shop.close().await;
}
