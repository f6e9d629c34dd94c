//! What the shop refuses, and with which problem. The defects of the site that it replaces are among them.

use reqwest::StatusCode;
use serde_json::{Value, json};
use stack::Options;
use system_tests::{Answer, Shop, in_days};

/// Asserts a refusal with a complete problem.
fn problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.text_at("/code"), code, "{}", answer.text);
    for text in ["/message_nb", "/message_en", "/request_id", "/title"] {
        assert!(!answer.text_at(text).is_empty());
    }
}

#[tokio::test]
async fn an_order_that_breaks_a_rule_is_refused_with_every_field_named() {
    let shop = Shop::open(Options::default()).await;
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut order = shop.order();
        change(&mut order);
        shop.place(&uuid::Uuid::new_v4().to_string(), &order).await
    };
    let field = async |pointer: &str, code: &str, change: &dyn Fn(&mut Value)| {
        let answer = refused(change).await;
        problem(&answer, 422, "validation_failed");
        let errors = answer.body["errors"].as_array().unwrap().clone();
        let found: Vec<_> = errors
            .iter()
            .map(|error| (error["pointer"].as_str(), error["code"].as_str()))
            .collect();
        assert_eq!(found, [(Some(pointer), Some(code))]);
    };
    field("/lines/0/license_type", "license_type_unknown", &|o| {
        o["lines"][0]["license_type"] = json!("x");
    })
    .await;
    field("/lines/0/club_id", "club_unknown", &|o| {
        o["lines"][0]["club_id"] = json!(uuid::Uuid::new_v4());
    })
    .await;
    field("/lines/0/activity_date", "activity_past", &|o| {
        o["lines"][0]["activity_date"] = json!("2020-01-01");
    })
    .await;
    field("/lines/0/activity_date", "activity_too_far", &|o| {
        o["lines"][0]["activity_date"] = json!(in_days(367));
    })
    .await;
    field("/lines/0/activity_days", "activity_days_invalid", &|o| {
        o["lines"][0]["activity_days"] = json!(2);
    })
    .await;
    field("/lines/0/vehicle", "vehicle_required", &|o| {
        o["lines"][0]["vehicle"] = Value::Null;
    })
    .await;
    field("/lines/0/holder/guardian", "guardian_required", &|o| {
        o["lines"][0]["holder"]["birth_date"] = json!("2015-01-01");
    })
    .await;
    field("/lines/0/holder/name", "national_identity_number", &|o| {
        o["lines"][0]["holder"]["name"] = json!("01010750160");
    })
    .await;
    field("/lines/0/holder/name", "text_invalid", &|o| {
        o["lines"][0]["holder"]["name"] = json!("Kari\u{0}");
    })
    .await;
    field("/payment_provider", "payment_provider_unknown", &|o| {
        o["payment_provider"] = json!("cash");
    })
    .await;
    field("/lines", "line_count_invalid", &|o| o["lines"] = json!([])).await;
    field("/lines", "line_count_invalid", &|o| {
        o["lines"] = vec![o["lines"][0].clone(); 101].into();
    })
    .await;
    field("/lines/1", "duplicate_line", &|o| {
        o["lines"] = vec![o["lines"][0].clone(); 2].into();
    })
    .await;

    // A track day may span what its type allows.
    let days = |days: u8| {
        move |o: &mut Value| {
            o["lines"][0]["license_type"] = json!("banedag-racing");
            o["lines"][0]["activity_days"] = json!(days);
        }
    };
    field("/lines/0/activity_days", "activity_days_invalid", &days(4)).await;
    refused(&days(3)).await.expect(201);
    shop.close().await;
}

#[tokio::test]
async fn what_is_not_an_order_is_refused_before_anything_happens() {
    let shop = Shop::open(Options::default()).await;
    let url = format!("{}/api/v1/orders", shop.system.command_api_url());
    let send = async |body: String| {
        let request = shop
            .http()
            .post(&url)
            .bearer_auth(&shop.tokens.customer)
            .header("Idempotency-Key", uuid::Uuid::new_v4().to_string())
            .header("Content-Type", "application/json")
            .body(body);
        let response = request.send().await.unwrap();
        let status = response.status();
        (
            status,
            serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap(),
        )
    };
    // Defect 1: the client sends the price.
    let mut priced = shop.order();
    priced["lines"][0]["price_ore"] = json!(1);
    let (status, body) = send(priced.to_string()).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::BAD_REQUEST, &json!("unknown_field")),
        "{body}"
    );
    assert_eq!(body["errors"][0]["pointer"], "/lines/0/price_ore", "{body}");
    let mut total = shop.order();
    total["total_ore"] = json!(1);
    assert_eq!(send(total.to_string()).await.0, StatusCode::BAD_REQUEST);

    for (body, code) in [
        (String::new(), "malformed_body"),
        ("{".into(), "malformed_body"),
        ("[]".into(), "malformed_body"),
        (r#"{"lines": 7}"#.into(), "malformed_body"),
        (shop.order().to_string() + "x", "malformed_body"),
        (
            shop.order()
                .to_string()
                .replace(&in_days(30).to_string(), "2026-02-30"),
            "malformed_body",
        ),
        ("[".repeat(100_000), "malformed_body"),
    ] {
        let (status, answer) = send(body).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::BAD_REQUEST, &json!(code)),
            "{answer}"
        );
    }
    let (status, body) = send(format!("\"{}\"", "x".repeat(2 << 20))).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large"))
    );

    let orders = shop
        .get("/orders?count=true", &shop.tokens.staff)
        .await
        .expect(200);
    assert_eq!(orders.body["total"], 0, "nothing happened");
    shop.close().await;
}

#[tokio::test]
async fn without_key_or_login_nothing_is_done() {
    let shop = Shop::open(Options::default()).await;
    let url = format!("{}/api/v1/orders", shop.system.command_api_url());
    let no_key = shop
        .http()
        .post(&url)
        .bearer_auth(&shop.tokens.customer)
        .json(&shop.order())
        .send()
        .await
        .unwrap();
    assert_eq!(no_key.status(), 400);
    assert_eq!(
        no_key.json::<Value>().await.unwrap()["code"],
        "idempotency_key_missing"
    );
    let no_token = shop
        .http()
        .post(&url)
        .header("Idempotency-Key", "k")
        .json(&shop.order())
        .send()
        .await
        .unwrap();
    assert_eq!(no_token.status(), 401);
    for path in ["/license-types", "/clubs", "/license-types/x/prices"] {
        for token in [&shop.tokens.customer, &shop.tokens.organizer] {
            problem(
                &shop.post(path, token, "k", &json!({"name": "x"})).await,
                403,
                "forbidden",
            );
        }
    }
    let staff = &shop.tokens.staff;
    let missing = shop
        .post("/license-types/none/prices", staff, "p", &json!({"price_ore": 1}))
        .await;
    problem(&missing, 404, "not_found");
    let twice = json!({
        "code": "konkurranse-bilcross", "category": "competition", "discipline": "x", "role": "driver",
        "name_nb": "x", "name_en": "x", "price_ore": 1,
    });
    problem(
        &shop.post("/license-types", staff, "again", &twice).await,
        409,
        "already_exists",
    );
    shop.close().await;
}

#[tokio::test]
async fn hostile_paths_types_and_names_are_the_callers_fault_and_say_so() {
    let shop = Shop::open(Options::default()).await;
    let staff = &shop.tokens.staff;
    // No code can hold a NUL; the answer must be a refusal, not an outage.
    let price = json!({"price_ore": 1});
    problem(
        &shop
            .post("/license-types/a%00b/prices", staff, "nul", &price)
            .await,
        404,
        "not_found",
    );

    let url = format!("{}/api/v1/orders", shop.system.command_api_url());
    let order = shop
        .http()
        .post(&url)
        .bearer_auth(&shop.tokens.customer)
        .header("Idempotency-Key", "typed");
    let sent = order
        .header("Content-Type", "text/plain")
        .body(shop.order().to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 415);
    assert_eq!(
        sent.json::<Value>().await.unwrap()["code"],
        "unsupported_media_type"
    );

    let hidden = shop
        .post("/clubs", staff, "hidden", &json!({"name": "\u{202e}"}))
        .await;
    problem(&hidden, 422, "validation_failed");

    let webhook = format!("{}/api/v1/webhooks/vipps", shop.system.command_api_url());
    let unsigned = shop.http().post(webhook).json(&json!({})).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert_eq!(
        unsigned.json::<Value>().await.unwrap()["code"],
        "signature_invalid"
    );
    shop.close().await;
}

#[tokio::test]
async fn the_counters_of_the_log_begin_at_zero() {
    let shop = Shop::open(Options::default()).await;
    assert_eq!(
        shop.command_metric("bilsport_log_append_total", "unavailable")
            .await,
        Some(0.0)
    );
    shop.close().await;
}
