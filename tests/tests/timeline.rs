//! `GET /orders/{order_id}/timeline`: who did what, when, and by which request.

use serde_json::{Value, json};
use stack::Options;
use system_tests::{Shop, answer, eventually};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn staff_sees_who_did_what_to_an_order_and_its_licenses() {
    let shop = Shop::open(Options::default()).await;
    let url = format!("{}/api/v1/orders", shop.system.command_api_url());
    let request = shop.http().post(url).bearer_auth(&shop.tokens.customer);
    let request = request
        .header("Idempotency-Key", "k")
        .header("X-Request-Id", "placed-by-hand");
    let placed = answer(request.json(&shop.order_for("Kari Kanarifugl")))
        .await
        .expect("an answer")
        .expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.at_provider(&placed, "approve").await;
    let order = shop.order_with_status(&order_id, "fulfilled").await;
    let license = eventually("the license in the read model", async || {
        shop.licenses_of(&order_id).await.into_iter().next()
    })
    .await;
    let license_id = license["license_id"].as_str().expect("an id");
    let revoke = json!({"reason": "Kari was expelled"});
    let path = format!("/licenses/{license_id}/revoke");
    let revoked = shop
        .post(&path, &shop.tokens.staff, "revoke", &revoke)
        .await
        .expect(200);

    let timeline = format!("/orders/{order_id}/timeline");
    let at = revoked.position();
    let page = shop
        .get(&format!("{timeline}?min_position={at}"), &shop.tokens.staff)
        .await
        .expect(200);
    for secret in [
        "Kari",
        "Kanarifugl",
        "1990-05-17",
        "AB12345",
        "expelled",
        "redirect_url",
    ] {
        assert!(!page.text.contains(secret), "{secret} in {}", page.text);
    }
    let entries = page.body["items"].as_array().expect("items");
    let of = |event: &str| -> &Value {
        let found = entries.iter().find(|entry| entry["event_type"] == event);
        found.unwrap_or_else(|| panic!("no {event} in {}", page.text))
    };
    let first = &entries[0];
    assert_eq!(first["event_type"], "OrderPlaced");
    assert_eq!(
        (&first["actor"], &first["actor_role"], &first["request_id"]),
        (
            &order["customer_id"],
            &json!("customer"),
            &json!("placed-by-hand")
        )
    );
    assert_eq!(first["facts"]["total_ore"], 42_000, "{first}");
    assert!(
        of("OrderPaid")["actor"]
            .as_str()
            .is_some_and(|actor| actor.contains(':')),
        "a process paid it"
    );
    let last = of("LicenseRevokedByStaff");
    assert_eq!(
        (&last["license_id"], &last["actor_role"]),
        (&json!(license_id), &json!("staff"))
    );
    let positions: Vec<u64> = entries
        .iter()
        .filter_map(|entry| entry["position"].as_u64())
        .collect();
    assert!(
        positions.is_sorted() && positions.len() == entries.len(),
        "{positions:?}"
    );

    // In pages it is the same.
    let (mut paged, mut next) = (Vec::new(), format!("{timeline}?limit=2"));
    loop {
        let page = shop.get(&next, &shop.tokens.staff).await.expect(200);
        paged.extend(page.body["items"].as_array().expect("items").clone());
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            break;
        };
        next = format!("{timeline}?limit=2&cursor={cursor}");
    }
    assert!(paged.len() >= entries.len(), "{paged:?}");
    assert_eq!(paged[..entries.len()], entries[..]);

    let nothing = format!("/orders/{}/timeline", uuid::Uuid::new_v4());
    shop.get(&nothing, &shop.tokens.staff).await.expect(404);
    let twice = format!("{timeline}?order_id={order_id}");
    shop.get(&twice, &shop.tokens.staff).await.expect(400);
    let unknown = format!("{timeline}?nothing=1");
    shop.get(&unknown, &shop.tokens.staff).await.expect(400);
    shop.close().await;
}
