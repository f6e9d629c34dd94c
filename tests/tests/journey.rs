//! A purchase from end to end, as the customer, the organizer and staff see it.

use serde_json::{Value, json};
use stack::Options;
use system_tests::{Shop, in_days};

#[tokio::test]
async fn a_license_is_bought_and_read_back_with_min_position_in_one_go() {
    let shop = Shop::open(Options::default()).await;
    let mut order = shop.order();
    let mut passenger = shop.line("passasjer-ledsager-rally", "Ola Nordmann");
    passenger.as_object_mut().unwrap().remove("vehicle");
    order["lines"].as_array_mut().unwrap().push(passenger);

    let placed = shop.place("k-1", &order).await.expect(201);
    assert_eq!(placed.body["status"], "payment_pending");
    assert_eq!(placed.body["total_ore"], 64_000, "the catalogue's prices");
    assert_eq!(placed.body["currency"], "NOK");
    assert_eq!(placed.body["position"], placed.position());
    let order_id = placed.text_at("/order_id").to_owned();

    // The caller's own write, at once.
    let path = format!("/orders/{order_id}?min_position={}", placed.position());
    let pending = shop.get(&path, &shop.tokens.customer).await.expect(200);
    assert_eq!(pending.body["status"], "payment_pending");
    assert!(pending.position() >= placed.position());
    assert!(
        shop.licenses_of(&order_id).await.is_empty(),
        "no license before the order is paid"
    );

    shop.at_provider(&placed, "approve").await.expect(200);
    // The browser does not return to the shop; the order is fulfilled without it.
    let fulfilled = shop.order_with_status(&order_id, "fulfilled").await;
    assert_eq!(fulfilled["total_ore"], 64_000);
    let mut licenses = shop.licenses_of(&order_id).await;
    licenses.sort_by_key(|license| license["line"].as_u64());
    let facts: Vec<Value> = licenses
        .iter()
        .map(|license| {
            json!([
                license["license_type"],
                license["status"],
                license["activity_date"]
            ])
        })
        .collect();
    let day = in_days(30).to_string();
    assert_eq!(
        facts,
        [
            json!(["konkurranse-bilcross", "issued", day]),
            json!(["passasjer-ledsager-rally", "issued", day])
        ]
    );
    let license_id = licenses[0]["license_id"].as_str().unwrap();
    let license = shop
        .get(&format!("/licenses/{license_id}"), &shop.tokens.customer)
        .await
        .expect(200);
    assert_eq!(license.text_at("/license_id"), license_id);

    // The money is collected, once and in full.
    let payment = system_tests::eventually("the payment is captured", async || {
        let payment = shop.payment(&order_id).await;
        (payment["captures"] == 1).then_some(payment)
    })
    .await;
    assert_eq!(payment["captured_ore"], 64_000, "{payment}");
    shop.close().await;
}

#[tokio::test]
async fn a_hundred_copies_of_one_request_are_one_order_and_a_hundred_equal_answers() {
    let shop = Shop::open(Options::default()).await;
    let order = shop.order();
    let copies = futures_util::future::join_all((0..100).map(|_| shop.place("same", &order))).await;
    let first = copies[0].clone().expect(201);
    assert!(
        copies.iter().all(|copy| copy.text == first.text),
        "equal byte for byte"
    );
    let fresh = copies
        .iter()
        .filter(|copy| copy.header("idempotency-replayed").is_none())
        .count();
    assert_eq!(fresh, 1);
    let path = format!("/orders?min_position={}&count=true", first.position());
    let orders = shop.get(&path, &shop.tokens.customer).await.expect(200);
    assert_eq!(orders.body["total"], 1, "{}", orders.text);
    let payment = shop.payment(first.text_at("/order_id")).await;
    assert_eq!(payment["state"], "CREATED", "{payment}");

    // Later, with another body: refused. As another customer: another order.
    let mut other = order.clone();
    other["accept_terms_version"] = json!("2026-02");
    let reused = shop.place("same", &other).await.expect(422);
    assert_eq!(reused.text_at("/code"), "idempotency_key_reused");
    let theirs = shop
        .post(
            "/orders",
            &shop.tokens.customer2,
            "same",
            &shop.order_for("Ola Nordmann"),
        )
        .await
        .expect(201);
    assert_ne!(theirs.text_at("/order_id"), first.text_at("/order_id"));
    shop.close().await;
}

#[tokio::test]
async fn everyone_sees_what_is_theirs_and_404_for_the_rest() {
    let shop = Shop::open(Options::default()).await;
    let mut elsewhere = shop.order_of("k-2");
    elsewhere["lines"][0]["club_id"] = json!(shop.clubs[1]);
    let mine = shop.place("k-1", &shop.order_of("k-1")).await.expect(201);
    let other = shop.place("k-2", &elsewhere).await.expect(201);
    for placed in [&mine, &other] {
        shop.at_provider(placed, "approve").await.expect(200);
        shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
            .await;
    }
    let license = async |placed: &system_tests::Answer| {
        shop.licenses_of(placed.text_at("/order_id")).await[0]["license_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (here, there) = (license(&mine).await, license(&other).await);
    let tokens = &shop.tokens;
    // Token, then how many orders and licenses its list has, and the status of each license.
    for (who, token, orders, licenses, first, second) in [
        ("customer", &tokens.customer, 2, 2, 200, 200),
        ("another customer", &tokens.customer2, 0, 0, 404, 404),
        (
            "the organizer of the first club",
            &tokens.organizer,
            1,
            1,
            200,
            404,
        ),
        ("staff", &tokens.staff, 2, 2, 200, 200),
        ("admin", &tokens.admin, 2, 2, 200, 200),
    ] {
        let count = async |path| {
            shop.get(path, token).await.expect(200).body["items"]
                .as_array()
                .unwrap()
                .len()
        };
        assert_eq!(count("/orders").await, orders, "orders of {who}");
        assert_eq!(count("/licenses").await, licenses, "licenses of {who}");
        shop.get(&format!("/licenses/{here}"), token).await.expect(first);
        shop.get(&format!("/licenses/{there}"), token)
            .await
            .expect(second);
    }
    let order = format!("/orders/{}", mine.text_at("/order_id"));
    shop.get(&order, &tokens.customer2).await.expect(404);
    shop.get(&order, "not.a.token").await.expect(401);
    shop.close().await;
}

#[tokio::test]
async fn a_price_change_never_alters_a_placed_order() {
    let shop = Shop::open(Options::default()).await;
    let staff = shop.tokens.staff.clone();
    let before = shop.place("k-1", &shop.order_of("k-1")).await.expect(201);
    let path = "/license-types/konkurranse-bilcross/prices";
    let price = json!({"price_ore": 50_000});
    shop.post(path, &shop.tokens.customer, "p-1", &price)
        .await
        .expect(403);
    let changed = shop.post(path, &staff, "p-1", &price).await.expect(201);
    let after = shop.place("k-2", &shop.order_of("k-2")).await.expect(201);
    assert_eq!(
        (&before.body["total_ore"], &after.body["total_ore"]),
        (&json!(42_000), &json!(50_000))
    );
    shop.at_provider(&before, "approve").await.expect(200);
    let order = shop
        .order_with_status(before.text_at("/order_id"), "fulfilled")
        .await;
    assert_eq!(order["total_ore"], 42_000);
    let types = shop
        .get(
            &format!("/license-types?min_position={}", changed.position()),
            &staff,
        )
        .await
        .expect(200);
    let bilcross = types.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["code"] == "konkurranse-bilcross");
    assert_eq!(bilcross.unwrap()["price_ore"], 50_000);
    shop.close().await;
}
