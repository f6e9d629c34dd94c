//! Rule 6: no license for a suspended person or vehicle, when ordering and again when issuing.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::Options;
use system_tests::books::{connect, rows_equal_a_replay};
use system_tests::{Answer, Shop, eventually, in_days};

fn person(name: &str) -> Value {
    json!({"person": {"name": name, "birth_date": "1990-05-17"}, "reason": "Decision 12/2026"})
}

fn vehicle(registration: &str) -> Value {
    json!({"vehicle": {"registration": registration}, "reason": "Failed the technical control"})
}

async fn suspend(shop: &Shop, key: &str, body: &Value) -> Answer {
    shop.post("/suspensions", &shop.tokens.staff, key, body)
        .await
        .expect(201)
}

fn errors(answer: &Answer) -> Vec<(&str, &str)> {
    let errors = answer.body["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            (
                error["pointer"].as_str().unwrap(),
                error["code"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_suspended_person_and_vehicle_get_no_license_in_any_spelling_until_it_is_lifted() {
    let shop = Shop::open(Options::default()).await;
    let staff = &shop.tokens.staff;
    let banned = suspend(&shop, "person", &person("Ola Nordmann")).await;
    assert_eq!(
        (banned.text_at("/status"), &banned.body["version"]),
        ("active", &json!(1))
    );
    assert_eq!(
        suspend(&shop, "person", &person("Ola Nordmann")).await.text,
        banned.text
    );
    let mut body = vehicle("CD 54321");
    body["until"] = json!(in_days(3));
    let car = suspend(&shop, "vehicle", &body).await;

    let mut order = shop.order();
    order["lines"] = json!([
        shop.line("konkurranse-bilcross", "Kari Nordmann"),
        shop.line("konkurranse-bilcross", "  OLA\u{a0}nordmann"),
        shop.line("konkurranse-bilcross", "Per Nordmann"),
    ]);
    order["lines"][2]["vehicle"] = json!({"registration": "cd-54321"});
    let refused = shop.place("both", &order).await.expect(422);
    assert_eq!(
        errors(&refused),
        [
            ("/lines/1/holder", "holder_suspended"),
            ("/lines/2/vehicle", "vehicle_suspended")
        ]
    );
    for secret in [
        "Decision",
        "12/2026",
        "technical",
        banned.text_at("/suspension_id"),
    ] {
        assert!(!refused.text.contains(secret), "{}", refused.text);
    }
    // A chassis number of the same characters is another vehicle.
    order["lines"] = json!([shop.line("konkurranse-bilcross", "Per Nordmann")]);
    order["lines"][0]["vehicle"] = json!({"chassis": "CD54321"});
    shop.place("chassis", &order).await.expect(201);

    // Staff sees them, and no other role does.
    let all = format!("/suspensions?min_position={}", car.position());
    let page = shop.get(&all, staff).await.expect(200);
    let kinds: Vec<_> = page.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["kind"])
        .collect();
    assert_eq!(kinds, [&json!("vehicle"), &json!("person")]);
    let in_a_week = in_days(7);
    for (filter, kind) in [
        ("q=ola%20nord".to_owned(), "person"),
        ("q=CD54321".to_owned(), "vehicle"),
        (format!("in_force_on={in_a_week}"), "person"),
        ("kind=vehicle&status=active".to_owned(), "vehicle"),
    ] {
        let found = shop
            .get(&format!("/suspensions?{filter}"), staff)
            .await
            .expect(200);
        assert_eq!(
            found.body["items"].as_array().map(Vec::len),
            Some(1),
            "{filter}: {}",
            found.text
        );
        assert_eq!(found.body["items"][0]["kind"], kind, "{filter}");
    }
    for token in [&shop.tokens.customer, &shop.tokens.organizer] {
        shop.get("/suspensions", token).await.expect(404);
        shop.post("/suspensions", token, "who", &person("Kari Nordmann"))
            .await
            .expect(403);
    }

    let lift_path = format!("/suspensions/{}/lift", banned.text_at("/suspension_id"));
    let because = json!({"reason": "Appeal won"});
    shop.post(&lift_path, &shop.tokens.customer, "who", &because)
        .await
        .expect(403);
    let nowhere = format!("/suspensions/{}/lift", uuid::Uuid::new_v4());
    shop.post(&nowhere, staff, "which", &because).await.expect(404);
    let lifted = shop.post(&lift_path, staff, "lift", &because).await.expect(200);
    assert_eq!(
        (lifted.text_at("/status"), &lifted.body["version"]),
        ("lifted", &json!(2))
    );
    let again = shop.post(&lift_path, staff, "again", &because).await.expect(200);
    assert_eq!(again.body["version"], 2);
    shop.place("lifted", &shop.order_for("Ola Nordmann"))
        .await
        .expect(201);
    // Suspended once more: the lifted one is no pardon.
    suspend(&shop, "once-more", &person("ola nordmann")).await;
    let mut order = shop.order_for("Ola Nordmann");
    order["lines"][0]["activity_date"] = json!(in_days(40));
    assert_eq!(
        errors(&shop.place("once-more", &order).await.expect(422)),
        [("/lines/0/holder", "holder_suspended")]
    );

    for (key, body, pointer, code) in [
        ("none", json!({"reason": "x"}), "/person", "suspension_subject"),
        (
            "empty",
            json!({"reason": "x", "vehicle": {}}),
            "/vehicle",
            "required",
        ),
        (
            "past",
            json!({"reason": "x", "vehicle": {"chassis": "X1"}, "until": "2020-01-01"}),
            "/until",
            "until_past",
        ),
    ] {
        let refused = shop.post("/suspensions", staff, key, &body).await.expect(422);
        assert_eq!(errors(&refused), [(pointer, code)], "{key}");
    }
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}

#[tokio::test]
async fn an_order_whose_holder_is_suspended_before_it_is_paid_is_paid_back_and_frees_its_day() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop
        .place("ola", &shop.order_for("Ola Nordmann"))
        .await
        .expect(201);
    let order_id = placed.text_at("/order_id").to_owned();
    let banned = suspend(&shop, "ban", &person("Ola Nordmann")).await;
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(&order_id, "refunded").await;
    assert_eq!(shop.licenses_of(&order_id).await, Vec::<Value>::new());
    let payment = shop.payment(&order_id).await;
    assert_eq!(
        (
            &payment["authorized_ore"],
            &payment["cancelled_ore"],
            &payment["captured_ore"]
        ),
        (&json!(42_000), &json!(42_000), &json!(0)),
        "{payment}"
    );

    let lift_path = format!("/suspensions/{}/lift", banned.text_at("/suspension_id"));
    shop.post(&lift_path, &shop.tokens.staff, "lift", &json!({"reason": "x"}))
        .await
        .expect(200);
    shop.place("again", &shop.order_for("Ola Nordmann"))
        .await
        .expect(201);
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}

/// A vehicle is suspended while 64 orders with it are placed, paid and issued by two instances.
#[tokio::test]
async fn no_license_is_recorded_after_the_suspension_of_its_vehicle() {
    let shop = Shop::open(Options {
        second_command_api: true,
        ..Options::default()
    })
    .await;
    let bases = [
        shop.system.command_api_url(),
        shop.system.second_command_api_url().unwrap(),
    ];
    let licenses = "select count(*) from events where event_type = 'LicenseIssued'";
    let log = connect(&shop.system.databases().events_reader).await;
    let buy = async |n: usize| {
        let order = shop.order_of(&format!("{n}"));
        let request = shop.http().post(format!("{}/api/v1/orders", bases[n % 2]));
        let request = request
            .bearer_auth(&shop.tokens.customer)
            .header("Idempotency-Key", format!("buyer-{n}"));
        let placed = system_tests::answer(request.json(&order)).await.unwrap();
        if placed.status == 201 {
            shop.at_provider(&placed, "approve").await.expect(200);
        }
        placed
    };
    let ban = async {
        eventually("some licenses are issued", async || {
            let issued: i64 = log.query_one(licenses, &[]).await.unwrap().get(0);
            (issued >= 5).then_some(())
        })
        .await;
        suspend(&shop, "ban", &vehicle("AB12345")).await
    };
    let (answers, banned) = tokio::join!(join_all((0..64).map(buy)), ban);
    let banned = i64::try_from(banned.position()).unwrap();
    let (mut fulfilled, mut refunded, mut refused) = (0, 0, 0);
    for answer in &answers {
        if answer.status == 422 {
            assert_eq!(errors(answer), [("/lines/0/vehicle", "vehicle_suspended")]);
            refused += 1;
            continue;
        }
        assert_eq!(answer.status, 201, "{}", answer.text);
        let order = shop
            .order_with_status(answer.text_at("/order_id"), "fulfilled or refunded")
            .await;
        if order["status"] == "fulfilled" {
            fulfilled += 1;
        } else {
            refunded += 1;
        }
    }
    assert_eq!(fulfilled + refunded + refused, 64);
    assert!(
        fulfilled >= 5 && refunded + refused > 0,
        "{fulfilled} {refunded} {refused}"
    );
    let late = "select count(*) from events where event_type = 'LicenseIssued' and position > $1";
    let late: i64 = log.query_one(late, &[&banned]).await.unwrap().get(0);
    assert_eq!(late, 0, "licenses recorded after the suspension");
    let issued: i64 = log.query_one(licenses, &[]).await.unwrap().get(0);
    assert_eq!(issued, fulfilled);
    // Every license has its money, and every other order has it back.
    for answer in answers.iter().filter(|answer| answer.status == 201) {
        let order_id = answer.text_at("/order_id");
        eventually("the money of the order is settled", async || {
            let payment = shop.payment(order_id).await;
            let sum = |name: &str| payment[name].as_i64().unwrap_or(0);
            let kept = sum("captured_ore") - sum("refunded_ore");
            let reserved = sum("authorized_ore") - sum("captured_ore") - sum("cancelled_ore");
            let issued = !shop.licenses_of(order_id).await.is_empty();
            let due = if issued { 42_000 } else { 0 };
            (kept == due && reserved == 0).then_some(())
        })
        .await;
    }
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}
