//! `suspend`, `reinstate` and `correct`, from the request to the rows and the claims.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use serde_json::{Value, json};
use stack::Options;
use system_tests::books::rows_equal_a_replay;
use system_tests::{Answer, Shop, answer, eventually, in_days};

/// Code and first field error of a problem.
fn codes(answer: &Answer) -> (&str, &str, &str) {
    (
        answer.text_at("/code"),
        answer.body["errors"][0]["code"].as_str().unwrap_or_default(),
        answer.body["errors"][0]["pointer"].as_str().unwrap_or_default(),
    )
}

async fn license_of(shop: &Shop, key: &str, order: &Value) -> Value {
    let placed = shop.place(key, order).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.order_with_status(&order_id, "fulfilled").await;
    eventually("the license in the read model", || async {
        shop.licenses_of(&order_id).await.into_iter().next()
    })
    .await
}

fn path(license: &Value, act: &str) -> String {
    format!("/licenses/{}/{act}", license["license_id"].as_str().unwrap())
}

async fn row(shop: &Shop, license: &Value, after: &Answer) -> Value {
    let path = format!("{}?min_position={}", path(license, ""), after.position()).replace("/?", "?");
    shop.get(&path, &shop.tokens.staff).await.expect(200).body
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn staff_suspends_and_reinstates_a_license() {
    let shop = Shop::open(Options::default()).await;
    let license = license_of(&shop, "one", &shop.order()).await;
    let staff = &shop.tokens.staff;
    let because = json!({"reason": "Under investigation"});
    for act in ["suspend", "reinstate", "correct"] {
        for token in [&shop.tokens.customer, &shop.tokens.organizer] {
            shop.post(&path(&license, act), token, "who", &because)
                .await
                .expect(403);
        }
        let unknown = format!("/licenses/{}/{act}", uuid::Uuid::new_v4());
        let body = match act {
            "correct" => json!({"reason": "x", "vehicle": {"registration": "AB1"}}),
            _ => because.clone(),
        };
        shop.post(&unknown, staff, "which", &body).await.expect(404);
        let unknown_field = json!({"reason": "x", "refund": true});
        let refused = shop
            .post(&path(&license, act), staff, "field", &unknown_field)
            .await
            .expect(400);
        assert_eq!(codes(&refused).0, "unknown_field");
        let unsaid = json!({"reason": " ", "vehicle": {"registration": "AB1"}});
        let unsaid = if act == "correct" {
            unsaid
        } else {
            json!({"reason": " "})
        };
        let refused = shop.post(&path(&license, act), staff, "unsaid", &unsaid).await;
        if act != "reinstate" {
            assert_eq!(
                codes(&refused.expect(422)),
                ("validation_failed", "required", "/reason")
            );
        }
    }
    let early = shop
        .post(&path(&license, "reinstate"), staff, "early", &because)
        .await
        .expect(409);
    assert_eq!(codes(&early).0, "license_state");

    let suspended = shop
        .post(&path(&license, "suspend"), staff, "suspend", &because)
        .await
        .expect(200);
    assert_eq!(
        (suspended.text_at("/status"), &suspended.body["version"]),
        ("suspended", &json!(2))
    );
    let again = shop
        .post(&path(&license, "suspend"), staff, "suspend", &because)
        .await
        .expect(200);
    assert_eq!(
        (&again.text, again.header("idempotency-replayed")),
        (&suspended.text, Some("true"))
    );
    let second = shop
        .post(&path(&license, "suspend"), staff, "second", &because)
        .await
        .expect(200);
    assert_eq!(second.body["version"], 2, "a suspended license stays as it is");
    let shown = row(&shop, &license, &suspended).await;
    assert!(
        shown["suspended_at"].is_string() && shown["status"] == "suspended",
        "{shown}"
    );
    let listed = shop.get("/licenses?status=suspended", staff).await.expect(200);
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1));

    // A suspended license still holds its day.
    shop.place("same-day", &shop.order()).await.expect(422);

    let stale = shop.http().post(format!(
        "{}/api/v1{}",
        shop.system.command_api_url(),
        path(&license, "reinstate")
    ));
    let stale = stale
        .bearer_auth(staff)
        .header("Idempotency-Key", "stale")
        .header("If-Match", "\"1\"");
    assert_eq!(
        answer(stale.json(&because))
            .await
            .unwrap()
            .expect(412)
            .text_at("/code"),
        "version_mismatch"
    );
    let reinstated = shop
        .post(&path(&license, "reinstate"), staff, "reinstate", &because)
        .await
        .expect(200);
    assert_eq!(reinstated.text_at("/status"), "issued");
    assert_eq!(
        row(&shop, &license, &reinstated).await["suspended_at"],
        json!(null)
    );

    shop.post(&path(&license, "revoke"), staff, "revoke", &because)
        .await
        .expect(200);
    for act in ["suspend", "reinstate"] {
        let over = shop
            .post(&path(&license, act), staff, "over", &because)
            .await
            .expect(409);
        assert_eq!(codes(&over).0, "license_state");
    }
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}

fn holder(name: &str, birth_date: &str) -> Value {
    json!({"name": name, "birth_date": birth_date, "phone": "900 00 000"})
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_correction_moves_the_day_and_the_search_to_the_right_holder() {
    let shop = Shop::open(Options::default()).await;
    let staff = &shop.tokens.staff;
    let license = license_of(&shop, "kari", &shop.order_for("Kari Nordmann")).await;
    let taken = license_of(&shop, "per", &shop.order_for("Per Hansen")).await;
    let correct =
        async |key: &str, body: &Value| shop.post(&path(&license, "correct"), staff, key, body).await;

    for (key, body, code, pointer) in [
        ("nothing", json!({"reason": "x"}), "nothing_to_correct", "/holder"),
        (
            "minor",
            json!({"reason": "x", "holder": holder("Kari Nordmann", "2015-05-17")}),
            "guardian_required",
            "/holder/guardian",
        ),
        (
            "no-contact",
            json!({"reason": "x", "holder": {"name": "Kari Nordmann", "birth_date": "1990-05-17"}}),
            "contact_required",
            "/holder",
        ),
        (
            "on-foot",
            json!({"reason": "x", "vehicle": {}}),
            "vehicle_required",
            "/vehicle",
        ),
        (
            "no-plate",
            json!({"reason": "x", "vehicle": {"registration": "!"}}),
            "vehicle_number_invalid",
            "/vehicle/registration",
        ),
    ] {
        let refused = correct(key, &body).await.expect(422);
        assert_eq!(codes(&refused), ("validation_failed", code, pointer), "{key}");
    }
    let refused = correct(
        "taken",
        &json!({"reason": "x", "holder": holder("PER hansen", "1990-05-17")}),
    )
    .await;
    assert_eq!(codes(&refused.clone().expect(409)).0, "license_exists");
    let day = in_days(30).format("%-d %B %Y").to_string();
    assert!(refused.text_at("/message_en").contains(&day), "{}", refused.text);

    let body = json!({
        "reason": "Misspelled at the counter",
        "holder": holder("Kåre Søbstad", "1991-01-01"), "vehicle": {"registration": "cd 54321"},
    });
    let corrected = correct("right", &body).await.expect(200);
    assert_eq!(
        (corrected.text_at("/status"), &corrected.body["version"]),
        ("issued", &json!(2))
    );
    assert_eq!(correct("right", &body).await.expect(200).text, corrected.text);
    let same = correct("same", &body).await.expect(200);
    assert_eq!(same.body["version"], 2, "nothing is left to correct");
    let shown = row(&shop, &license, &corrected).await;
    assert_eq!(
        (&shown["holder"]["name"], &shown["vehicle"]["registration"]),
        (&json!("Kåre Søbstad"), &json!("CD54321"))
    );
    assert_ne!(shown["holder_id"], license["holder_id"]);
    assert!(shown["corrected_at"].is_string());
    for (q, count) in [("søbstad", 1), ("CD54321", 1), ("kari", 0), ("AB12345", 1)] {
        let found = shop.get(&format!("/licenses?q={q}"), staff).await.expect(200);
        let exact = found.body["similar"] != true;
        let items = found.body["items"].as_array().filter(|_| exact);
        // The other license has the plate that this one had.
        assert_eq!(items.map_or(0, Vec::len), count, "{q}");
    }

    // The day is the right holder's from now on, and the wrong one's is free.
    let mut order = shop.order();
    order["lines"][0]["holder"] = holder("kåre  SØBSTAD", "1991-01-01");
    let refused = shop.place("right-holder", &order).await.expect(422);
    assert_eq!(codes(&refused).1, "license_exists");
    let freed = license_of(&shop, "kari-again", &shop.order_for("Kari Nordmann")).await;
    assert_eq!(freed["holder_id"], license["holder_id"]);

    // Revoked, it gives the right holder's day back.
    let because = json!({"reason": "x"});
    shop.post(&path(&license, "revoke"), staff, "revoke", &because)
        .await
        .expect(200);
    shop.place("right-holder-again", &order).await.expect(201);
    assert_eq!(
        codes(&correct("late", &body).await.expect(409)).0,
        "license_state"
    );

    let scan = json!({
        "scan_id": uuid::Uuid::now_v7(), "at": chrono::Utc::now(), "device_id": "t", "gate": "g", "verdict": "valid",
    });
    shop.post(
        &path(&taken, "check-in"),
        staff,
        scan["scan_id"].as_str().unwrap(),
        &scan,
    )
    .await
    .expect(200);
    let late = shop
        .post(&path(&taken, "correct"), staff, "late", &body)
        .await
        .expect(409);
    assert_eq!(codes(&late).0, "license_state");
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}
