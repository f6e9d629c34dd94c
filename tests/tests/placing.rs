//! What an order is checked against: terms, the price that was seen, lifetime caps, and what is still sold.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use stack::Options;
use stack::catalogue::{TERMS_VERSION, terms};
use system_tests::{Answer, Shop, eventually, in_days};

const CAPPED: &str = "konkurranse-funsport";

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.text_at("/code")),
        (status, code),
        "{}",
        answer.text
    );
    for text in ["/message_nb", "/message_en"] {
        assert!(!answer.text_at(text).is_empty(), "{}", answer.text);
    }
}

fn with(mut order: Value, member: &str, value: Value) -> Value {
    order[member] = value;
    order
}

/// Terms of that name, in force from now or from that many days on.
fn version(name: &str, days: Option<i64>) -> Value {
    let terms = with(terms(), "terms_version", json!(name));
    match days {
        Some(days) => with(terms, "valid_from", json!(Utc::now() + TimeDelta::days(days))),
        None => terms,
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn an_order_accepts_terms_that_are_published_and_in_force() {
    let shop = Shop::open(Options::default()).await;
    let staff = &shop.tokens.staff;
    let accepting =
        |name: &str, holder: &str| with(shop.order_for(holder), "accept_terms_version", json!(name));

    let unknown = shop.place("unknown", &accepting("2019-01", "Kari")).await;
    refused(&unknown, 422, "terms_unknown");
    assert_eq!(unknown.text_at("/current_terms_version"), TERMS_VERSION);
    assert_eq!(unknown.text_at("/errors/0/pointer"), "/accept_terms_version");

    let customer = &shop.tokens.customer;
    refused(
        &shop.post("/terms", customer, "who", &version("x", None)).await,
        403,
        "forbidden",
    );
    let short = with(version("x", None), "text_nb", json!(" \n "));
    refused(
        &shop.post("/terms", staff, "short", &short).await,
        422,
        "validation_failed",
    );
    refused(
        &shop
            .post("/terms", staff, "again", &version(TERMS_VERSION, None))
            .await,
        409,
        "already_exists",
    );

    let soon = shop
        .post("/terms", staff, "soon", &version("2099-01", Some(30)))
        .await
        .expect(201);
    refused(
        &shop.place("soon", &accepting("2099-01", "Kari")).await,
        422,
        "terms_unknown",
    );
    let next = shop
        .post("/terms", staff, "next", &version("2026-02", None))
        .await
        .expect(201);
    assert_eq!(
        (next.text_at("/terms_version"), &next.body["version"]),
        ("2026-02", &json!(3))
    );
    // On any instance at once, and the version before it for a day.
    shop.place("new", &accepting("2026-02", "Kari Nordmann"))
        .await
        .expect(201);
    shop.place("old", &accepting(TERMS_VERSION, "Ola Nordmann"))
        .await
        .expect(201);

    let position = next.position().max(soon.position());
    let page = shop
        .get(&format!("/terms?min_position={position}"), &shop.tokens.customer)
        .await
        .expect(200);
    let items = page.body["items"].as_array().unwrap();
    let listed: Vec<_> = items
        .iter()
        .map(|row| (row["terms_version"].clone(), row["status"].clone()))
        .collect();
    let expected = [
        ("2026-02", "current"),
        (TERMS_VERSION, "outdated"),
        ("2099-01", "upcoming"),
    ];
    assert_eq!(
        listed,
        expected.map(|(name, status)| (json!(name), json!(status)))
    );
    let current = shop
        .get("/terms?status=current", &shop.tokens.customer)
        .await
        .expect(200);
    assert_eq!(
        current.body["items"].as_array().unwrap().len(),
        1,
        "{}",
        current.text
    );
    assert_eq!(
        current.body["items"][0]["text_nb"],
        terms()["text_nb"],
        "with its lines"
    );
    shop.close().await;
}

#[tokio::test]
async fn a_shop_without_terms_sells_nothing_and_says_so() {
    let shop = Shop::open_empty(Options::default()).await;
    let staff = &shop.tokens.staff;
    let kind = json!({"code": "konkurranse-bilcross", "category": "competition", "discipline": "bilcross",
        "role": "driver", "name_nb": "Bilcross", "name_en": "Bilcross", "price_ore": 42_000});
    shop.post("/license-types", staff, "type", &kind)
        .await
        .expect(201);
    let club = shop
        .post("/clubs", staff, "club", &json!({"name": "NMK Testby"}))
        .await
        .expect(201);
    let mut order = shop.order();
    order["lines"][0]["club_id"] = club.body["club_id"].clone();
    refused(&shop.place("early", &order).await, 409, "terms_missing");
    shop.post("/terms", staff, "terms", &terms()).await.expect(201);
    // The key of a refused order is still free.
    shop.place("early", &order).await.expect(201);
    shop.close().await;
}

#[tokio::test]
async fn another_price_than_the_customer_saw_is_refused_before_anything_exists() {
    let shop = Shop::open(Options::default()).await;
    let seen = |ore: i64| with(shop.order(), "expected_total_ore", json!(ore));
    shop.post(
        "/license-types/konkurranse-bilcross/prices",
        &shop.tokens.staff,
        "dearer",
        &json!({"price_ore": 43_000}),
    )
    .await
    .expect(201);
    let answer = shop.place("seen", &seen(42_000)).await;
    refused(&answer, 409, "price_changed");
    assert_eq!(answer.body["total_ore"], 43_000, "{}", answer.text);
    let payments = shop
        .command_metric("bilsport_payments_requests_total", "create")
        .await;
    assert_eq!(
        payments.unwrap_or_default().to_string(),
        "0",
        "nothing was asked of the provider"
    );
    let orders = shop
        .get("/orders?count=true", &shop.tokens.staff)
        .await
        .expect(200);
    assert_eq!(orders.body["total"], 0, "{}", orders.text);
    let placed = shop.place("seen", &seen(43_000)).await.expect(201);
    assert_eq!(placed.body["total_ore"], 43_000);
    // A retry is answered as before, whatever the price has become.
    shop.post(
        "/license-types/konkurranse-bilcross/prices",
        &shop.tokens.staff,
        "dear",
        &json!({"price_ore": 44_000}),
    )
    .await
    .expect(201);
    let again = shop.place("seen", &seen(43_000)).await.expect(201);
    assert_eq!(again.text, placed.text);
    shop.close().await;
}

#[tokio::test]
async fn a_holder_has_as_many_licenses_of_a_capped_type_as_a_lifetime_allows() {
    let shop = Shop::open(Options::default()).await;
    let staff = &shop.tokens.staff;
    let kind = json!({"code": CAPPED, "category": "competition", "discipline": "funsport", "role": "driver",
        "name_nb": "Norsk Funsport", "name_en": "Norsk Funsport", "price_ore": 42_000, "lifetime_cap": 4});
    shop.post("/license-types", staff, "capped", &kind)
        .await
        .expect(201);
    let lines = |holder: &str, days: &[u64]| -> Value {
        let of_day = |day: &u64| {
            let line = shop.line(CAPPED, holder);
            with(line, "activity_date", json!(in_days(*day)))
        };
        with(shop.order(), "lines", days.iter().map(of_day).collect())
    };
    // Five in one order are too many, and hold nothing.
    let five = shop
        .place("five", &lines("Kari Nordmann", &[1, 2, 3, 4, 5]))
        .await;
    refused(&five, 409, "lifetime_cap_reached");
    assert_eq!(five.body["errors"].as_array().unwrap().len(), 5, "{}", five.text);

    let three = shop
        .place("three", &lines("Kari Nordmann", &[1, 2, 3]))
        .await
        .expect(201);
    let one = shop
        .place("one", &lines("KARI  NORDMANN", &[4]))
        .await
        .expect(201);
    let over = lines(" kari\u{a0}nordmann", &[5]);
    refused(&shop.place("over", &over).await, 409, "lifetime_cap_reached");
    shop.place("other", &lines("Ola Nordmann", &[5]))
        .await
        .expect(201);

    // An order that ends without licenses counts no more, and neither does a revoked license.
    shop.at_provider(&one, "decline").await.expect(200);
    shop.order_with_status(one.text_at("/order_id"), "cancelled")
        .await;
    shop.place("freed", &over).await.expect(201);
    refused(
        &shop.place("full", &lines("Kari Nordmann", &[6])).await,
        409,
        "lifetime_cap_reached",
    );
    shop.at_provider(&three, "approve").await.expect(200);
    shop.order_with_status(three.text_at("/order_id"), "fulfilled")
        .await;
    let license = shop.licenses_of(three.text_at("/order_id")).await.remove(0);
    let path = format!("/licenses/{}/revoke", license["license_id"].as_str().unwrap());
    shop.post(&path, staff, "revoke", &json!({"reason": "Wrong day"}))
        .await
        .expect(200);
    let last = shop
        .place("revoked", &lines("Kari Nordmann", &[6]))
        .await
        .expect(201);

    // All of one person's licenses are found by the holder's id.
    let holder = license["holder_id"].as_str().unwrap();
    let path = format!("/licenses?holder_id={holder}&min_position={}", last.position());
    let found = shop.get(&path, staff).await.expect(200);
    assert_eq!(found.body["items"].as_array().unwrap().len(), 3, "{}", found.text);
    let others = shop.get(&path, &shop.tokens.customer2).await.expect(200);
    assert_eq!(others.body["items"], json!([]), "only one's own");
    shop.close().await;
}

#[tokio::test]
async fn a_retired_type_is_not_sold_and_what_was_sold_stays() {
    let shop = Shop::open(Options::default()).await;
    let (staff, code) = (&shop.tokens.staff, "konkurranse-bilcross");
    let placed = shop.place("before", &shop.order()).await.expect(201);
    let path = format!("/license-types/{code}/retire");
    refused(
        &shop.post(&path, &shop.tokens.customer, "who", &json!({})).await,
        403,
        "forbidden",
    );
    refused(
        &shop
            .post("/license-types/no-such-type/retire", staff, "which", &json!({}))
            .await,
        404,
        "not_found",
    );
    let retired = shop.post(&path, staff, "retire", &json!({})).await.expect(200);
    let again = shop.post(&path, staff, "again", &json!({})).await.expect(200);
    assert_eq!(
        (retired.text_at("/status"), &again.body["version"]),
        ("retired", &retired.body["version"])
    );
    let late = shop.place("after", &shop.order_for("Ola Nordmann")).await;
    refused(&late, 422, "validation_failed");
    assert_eq!(late.text_at("/errors/0/code"), "license_type_unknown");
    let price = shop
        .post(
            &format!("/license-types/{code}/prices"),
            staff,
            "price",
            &json!({"price_ore": 1}),
        )
        .await;
    refused(&price, 409, "license_type_retired");
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;
    let row = shop
        .get("/license-types?status=retired", &shop.tokens.customer)
        .await
        .expect(200);
    assert_eq!(row.body["items"][0]["code"], code, "{}", row.text);
    shop.close().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_club_has_its_name_alone_and_can_be_renamed_and_rest() {
    let shop = Shop::open(Options::default()).await;
    let staff = &shop.tokens.staff;
    let named = |name: &str| json!({ "name": name });
    let [testby, bodo] = shop.clubs.map(|club| format!("/clubs/{club}"));
    for (key, name) in [
        ("upper", "NMK TESTBY"),
        ("spaces", " nmk\u{a0} testby "),
        ("full", "\u{ff2e}MK Testby"),
    ] {
        let taken = shop.post("/clubs", staff, key, &named(name)).await;
        refused(&taken, 409, "club_exists");
        assert_eq!(
            taken.body["club"],
            json!({"club_id": shop.clubs[0], "name": "NMK Testby"})
        );
    }
    refused(
        &shop.patch(&bodo, staff, "theirs", &named("nmk testby")).await,
        409,
        "club_exists",
    );
    refused(
        &shop
            .patch(&bodo, &shop.tokens.organizer, "who", &named("x"))
            .await,
        403,
        "forbidden",
    );
    refused(
        &shop.patch(&bodo, staff, "blank", &named(" ")).await,
        422,
        "validation_failed",
    );
    refused(
        &shop.patch(&bodo, staff, "field", &json!({"colour": "red"})).await,
        400,
        "unknown_field",
    );
    let unknown = format!("/clubs/{}", uuid::Uuid::new_v4());
    refused(
        &shop.patch(&unknown, staff, "which", &named("NMK Ingen")).await,
        404,
        "not_found",
    );

    let own = shop
        .patch(&testby, staff, "own", &named("NMK TestBy"))
        .await
        .expect(200);
    assert_eq!(
        (own.text_at("/name"), &own.body["version"]),
        ("NMK TestBy", &json!(2)),
        "its own name, spelled better"
    );
    let renamed = shop
        .patch(&testby, staff, "renamed", &named("NMK Nyby"))
        .await
        .expect(200);
    let replayed = shop
        .patch(&testby, staff, "renamed", &named("NMK Nyby"))
        .await
        .expect(200);
    assert_eq!(replayed.text, renamed.text);
    // The old name is free, and the new one is taken.
    shop.post("/clubs", staff, "free", &named("NMK Testby"))
        .await
        .expect(201);
    refused(
        &shop.post("/clubs", staff, "new", &named("nmk nyby")).await,
        409,
        "club_exists",
    );

    let resting = json!({"status": "inactive"});
    shop.patch(&testby, staff, "rest", &resting).await.expect(200);
    let refusal = shop.place("resting", &shop.order()).await;
    assert_eq!(
        refusal.text_at("/errors/0/code"),
        "club_inactive",
        "{}",
        refusal.text
    );
    eventually("the club's row", async || {
        let page = shop
            .get("/clubs?status=inactive&q=nyby", &shop.tokens.customer)
            .await
            .expect(200);
        (page.body["items"][0]["name"] == "NMK Nyby").then_some(())
    })
    .await;
    let back = shop
        .patch(&testby, staff, "back", &json!({"status": "active"}))
        .await
        .expect(200);
    assert_eq!(back.text_at("/status"), "active");
    let placed = shop.place("back", &shop.order()).await.expect(201);
    let order = format!(
        "/orders/{}?min_position={}",
        placed.text_at("/order_id"),
        placed.position()
    );
    let order = shop.get(&order, staff).await.expect(200);
    assert_eq!(order.body["lines"][0]["club_name"], "NMK Nyby");
    shop.close().await;
}

#[tokio::test]
async fn of_64_registrations_of_one_club_one_wins() {
    let shop = Shop::open(Options::default()).await;
    let one = async |n: usize| {
        let name = if n.is_multiple_of(2) {
            "NMK Rana"
        } else {
            "nmk  RANA"
        };
        shop.post(
            "/clubs",
            &shop.tokens.staff,
            &format!("rana-{n}"),
            &json!({ "name": name }),
        )
        .await
    };
    let answers = futures_util::future::join_all((0..64).map(one)).await;
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 63));
    for answer in lost {
        refused(answer, 409, "club_exists");
        assert_eq!(answer.body["club"]["club_id"], won[0].body["club_id"]);
    }
    shop.close().await;
}
