//! Typed text through the whole system: stored in one form, read back as stored, or refused with a problem.

use serde_json::{Value, json};
use stack::Options;
use system_tests::{Answer, Shop};

/// Pointer and code of each error; each has its texts.
fn errors(answer: &Answer) -> Vec<(&str, &str)> {
    let errors = answer.body["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |error: &'_ Value, field| error[field].as_str().map_or(0, str::len);
    assert!(
        errors
            .iter()
            .all(|error| text(error, "message_nb") > 0 && text(error, "message_en") > 0)
    );
    errors
        .iter()
        .filter_map(|error| Some((error["pointer"].as_str()?, error["code"].as_str()?)))
        .collect()
}

#[tokio::test]
async fn what_is_pasted_is_stored_in_one_form_and_read_back() {
    let shop = Shop::open(Options::default()).await;
    let mut order = shop.order();
    order["lines"][0]["holder"] = json!({
        "name": "\u{a0}A\u{30a}se  O\u{2019}Brien\u{3000}", "birth_date": "1990-05-17",
        "phone": "\u{202a}0047\u{a0}900\u{2011}00\u{202f}000\u{202c}", "email": " Kari@Blåbær.NO",
    });
    order["lines"][0]["vehicle"] =
        json!({ "registration": "ab\u{2011}12 345", "chassis": "wvw zzz-1jz\u{a0}3w386752" });
    let placed = shop.place("pasted", &order).await.expect(201);
    let path = format!(
        "/orders/{}?min_position={}",
        placed.text_at("/order_id"),
        placed.position()
    );
    let read = shop.get(&path, &shop.tokens.customer).await.expect(200);
    for (pointer, stored) in [
        ("/lines/0/holder/name", "Åse O\u{2019}Brien"),
        ("/lines/0/holder/phone", "+4790000000"),
        ("/lines/0/holder/email", "Kari@blåbær.no"),
        ("/lines/0/vehicle/registration", "AB12345"),
        ("/lines/0/vehicle/chassis", "WVWZZZ1JZ3W386752"),
    ] {
        assert_eq!(read.text_at(pointer), stored, "{}", read.text);
    }

    // The same person, typed in another way, is no second one.
    let mut twice = shop.order();
    twice["lines"] = json!([
        shop.line("konkurranse-bilcross", "Åse Øen"),
        shop.line("konkurranse-bilcross", "A\u{30a}SE\u{a0} øen")
    ]);
    let refused = shop.place("twice", &twice).await.expect(422);
    assert_eq!(errors(&refused), [("/lines/1", "duplicate_line")]);

    order["lines"][0]["holder"] = json!({
        "name": "\u{3164}\u{3164}", "birth_date": "1990-05-17", "phone": "00000000", "email": "Kari <kari@x.no>,",
    });
    order["lines"][0]["vehicle"] = json!({ "registration": "-" });
    let refused = shop.place("refused", &order).await.expect(422);
    assert_eq!(
        errors(&refused),
        [
            ("/lines/0/holder/name", "text_invisible"),
            ("/lines/0/holder/phone", "phone_invalid"),
            ("/lines/0/holder/email", "email_brackets"),
            ("/lines/0/vehicle/registration", "vehicle_number_invalid"),
        ]
    );
    for (pointer, value) in [
        ("/lines/0/holder/birth_date", "1990-5-7"),
        ("/lines/0/holder/birth_date", "+01990-05-07"),
        ("/lines/0/activity_date", "02026-06-01"),
    ] {
        let mut order = shop.order();
        *order.pointer_mut(pointer).unwrap() = value.into();
        let refused = shop.place(value, &order).await.expect(400);
        assert_eq!(errors(&refused), [(pointer, "invalid_value")]);
        assert!(refused.text.contains("YYYY-MM-DD"), "{}", refused.text);
    }
    shop.close().await;
}

#[tokio::test]
async fn a_price_set_by_mistake_is_withdrawn() {
    let shop = Shop::open(Options::default()).await;
    let staff = shop.tokens.staff.clone();
    let prices = "/license-types/konkurranse-bilcross/prices";
    let set = async |key: &str, valid_from: Value| {
        let price = json!({ "price_ore": 1_00, "valid_from": valid_from });
        shop.post(prices, &staff, key, &price).await
    };
    let far = chrono::Utc::now() + chrono::TimeDelta::days(40);
    let far = far.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    set("mistake", json!(far)).await.expect(201);
    let refused = set("browser", json!("20266-06-01T08:00:00Z")).await.expect(400);
    assert_eq!(errors(&refused), [("/valid_from", "invalid_value")]);
    let refused = set("past", json!("2020-01-01T00:00:00Z")).await.expect(422);
    assert_eq!(errors(&refused), [("/valid_from", "valid_from_past")]);
    let refused = set("2099", json!("2099-01-01T00:00:00Z")).await.expect(422);
    assert_eq!(errors(&refused), [("/valid_from", "valid_from_too_far")]);

    let path = format!("{prices}/{far}/withdraw");
    shop.post(&path, &shop.tokens.customer, "customer", &json!({}))
        .await
        .expect(403);
    let withdrawn = shop.post(&path, &staff, "withdraw", &json!({})).await.expect(200);
    assert_eq!(withdrawn.text_at("/valid_from"), far);
    let again = shop.post(&path, &staff, "withdraw", &json!({})).await.expect(200);
    assert_eq!(again.text, withdrawn.text);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    shop.post(&path, &staff, "gone", &json!({})).await.expect(404);
    let types = shop
        .get(
            &format!("/license-types?q=bilcross&min_position={}", withdrawn.position()),
            &staff,
        )
        .await
        .expect(200);
    let kept = types
        .body
        .pointer("/items/0/prices")
        .and_then(Value::as_array)
        .expect("prices");
    assert_eq!(kept.len(), 1, "{}", types.text);

    // A price in force stays: orders may have been placed at it.
    let first = kept[0]["valid_from"].as_str().expect("a moment");
    let refused = shop
        .post(&format!("{prices}/{first}/withdraw"), &staff, "first", &json!({}))
        .await;
    assert_eq!(refused.expect(409).text_at("/code"), "price_in_force");
    let refused = shop
        .post(&format!("{prices}/tomorrow/withdraw"), &staff, "word", &json!({}))
        .await;
    assert_eq!(errors(&refused.expect(400)), [("/valid_from", "invalid_value")]);
    shop.close().await;
}
