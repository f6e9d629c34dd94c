//! One license for a holder, type and day, across orders, buyers, instances and crashes.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::books::connect;
use system_tests::{Answer, Shop, in_days};

/// Spellings of one holder's name: case, space, Unicode form.
const SPELLINGS: [&str; 4] = [
    "Kari \u{c5}sen",
    "KARI A\u{30a}SEN",
    "  kari\u{a0} \u{e5}sen ",
    "Kari\u{2003}\u{212b}sen",
];

fn expect_refused(answer: &Answer, day: &str) {
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert_eq!(answer.text_at("/code"), "license_exists");
    assert!(answer.text_at("/message_en").contains(day), "{}", answer.text);
    assert_eq!(answer.text_at("/errors/0/code"), "license_exists");
}

fn in_english(days: u64) -> String {
    in_days(days).format("%-d %B %Y").to_string()
}

async fn licenses(shop: &Shop) -> Vec<Value> {
    let page = shop
        .get("/licenses?limit=200", &shop.tokens.staff)
        .await
        .expect(200);
    page.body["items"].as_array().cloned().unwrap()
}

#[tokio::test]
async fn of_64_buyers_of_one_day_one_wins_and_63_are_told_the_day_and_charged_nothing() {
    let shop = Shop::open(Options {
        second_command_api: true,
        ..Options::default()
    })
    .await;
    let urls = [
        shop.system.command_api_url(),
        shop.system.second_command_api_url().unwrap(),
    ];
    let one = async |n: usize| {
        let order = shop.order_for(SPELLINGS[n % SPELLINGS.len()]);
        let token = [&shop.tokens.customer, &shop.tokens.customer2][n / 4 % 2];
        let request = shop.http().post(format!("{}/api/v1/orders", urls[n % 2]));
        let request = request
            .bearer_auth(token)
            .header("Idempotency-Key", format!("buyer-{n}"));
        system_tests::answer(request.json(&order)).await.unwrap()
    };
    let answers = join_all((0..64).map(one)).await;
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 63));
    for answer in &lost {
        expect_refused(answer, &in_english(30));
        assert_eq!(answer.text_at("/errors/0/pointer"), "/lines/0/activity_date");
    }
    let created = shop
        .command_metric("bilsport_payments_requests_total", "create")
        .await;
    let second = shop
        .metric(
            &shop.system.second_command_ops_url(),
            "bilsport_payments_requests_total",
            "create",
        )
        .await;
    assert_eq!(
        (created.unwrap() + second.unwrap_or_default()).to_string(),
        "1",
        "a payment for each order, and for none that was refused"
    );

    shop.at_provider(won[0], "approve").await.expect(200);
    shop.order_with_status(won[0].text_at("/order_id"), "fulfilled")
        .await;
    assert_eq!(licenses(&shop).await.len(), 1);
    expect_refused(
        &shop.place("later", &shop.order_for(SPELLINGS[1])).await,
        &in_english(30),
    );
    shop.close().await;
}

/// A reloaded page has lost its key. The refusal names the order that holds the day, to its own customer only.
#[tokio::test]
async fn a_refusal_tells_its_own_customer_where_the_waiting_order_is_paid() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("first", &shop.order()).await.expect(201);
    let own = shop.place("reloaded", &shop.order()).await;
    expect_refused(&own, &in_english(30));
    for member in ["order_id", "order_number"] {
        assert_eq!(own.body["order"][member], placed.body[member], "{}", own.text);
    }
    assert_eq!(
        own.body["order"]["redirect_url"],
        placed.body["payment"]["redirect_url"]
    );
    assert!(
        own.text_at("/message_nb")
            .contains(placed.text_at("/order_number"))
    );
    let theirs = shop
        .post("/orders", &shop.tokens.customer2, "theirs", &shop.order())
        .await;
    expect_refused(&theirs, &in_english(30));
    assert_eq!(theirs.body.get("order"), None, "{}", theirs.text);

    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;
    let bought = shop.place("again", &shop.order()).await;
    expect_refused(&bought, &in_english(30));
    assert_eq!(bought.body.get("order"), None, "it waits for nothing any more");
    shop.close().await;
}

#[tokio::test]
async fn every_day_of_a_span_counts_and_nothing_else_does() {
    let shop = Shop::open(Options::default()).await;
    let track_day = |first: u64, days: u64, holder: &str| {
        let mut line = shop.line("banedag-racing", holder);
        line["activity_date"] = json!(in_days(first));
        line["activity_days"] = json!(days);
        line
    };
    let order = |lines: Value| {
        let mut order = shop.order();
        order["lines"] = lines;
        order
    };
    let span = order(json!([track_day(40, 3, "Kari Nordmann")]));
    shop.place("span", &span).await.expect(201);
    for (first, days, taken) in [
        (40, 1, 40),
        (41, 1, 41),
        (42, 1, 42),
        (39, 2, 40),
        (38, 3, 40),
        (42, 3, 42),
    ] {
        let refused = order(json!([
            track_day(60, 1, "Ola Nordmann"),
            track_day(first, days, "Kari Nordmann")
        ]));
        let key = format!("inside-{first}-{days}");
        let answer = shop.place(&key, &refused).await;
        expect_refused(&answer, &in_english(taken));
        assert_eq!(answer.text_at("/errors/0/pointer"), "/lines/1/activity_date");
    }
    // A refused order holds no day: the other line's holder buys that day.
    let free = order(json!([
        track_day(60, 1, "Ola Nordmann"),
        track_day(37, 3, "Kari Nordmann"),
        track_day(43, 3, "Kari Nordmann"),
        track_day(41, 1, "Kari Nordhus"),
        shop.line("konkurranse-bilcross", "Kari Nordmann"),
    ]));
    shop.place("free", &free).await.expect(201);
    // Within one order as well.
    let overlapping = order(json!([
        track_day(80, 3, "Kari Nordmann"),
        track_day(82, 1, "KARI  NORDMANN")
    ]));
    let answer = shop.place("overlapping", &overlapping).await.expect(422);
    assert_eq!(answer.text_at("/errors/0/code"), "duplicate_line");
    shop.close().await;
}

#[tokio::test]
async fn a_decline_and_an_expiry_free_the_day_and_a_payment_that_comes_too_late_goes_back() {
    let shop = Shop::open(Options {
        env: vec![(Process::CommandApi, "ORDER_TTL_S".into(), "4".into())],
        ..Options::default()
    })
    .await;
    let declined = shop.place("declined", &shop.order()).await.expect(201);
    shop.at_provider(&declined, "decline").await.expect(200);
    shop.order_with_status(declined.text_at("/order_id"), "cancelled")
        .await;

    let expired = shop.place("expired", &shop.order()).await.expect(201);
    shop.order_with_status(expired.text_at("/order_id"), "expired")
        .await;
    let bought = shop.place("bought", &shop.order()).await.expect(201);
    shop.at_provider(&bought, "approve").await.expect(200);
    shop.order_with_status(bought.text_at("/order_id"), "fulfilled")
        .await;
    assert_eq!(licenses(&shop).await.len(), 1);
    shop.close().await;
}

/// An order that is older than claims, or lost its days in any other way, ends in a refund when others hold them.
#[tokio::test]
async fn a_payment_for_an_order_that_waits_without_its_days_goes_back() {
    let shop = Shop::open(Options::default()).await;
    let older = shop.place("older", &shop.order()).await.expect(201);
    let log = connect(&shop.system.databases().events_owner).await;
    log.batch_execute("delete from claims").await.unwrap();
    let bought = shop.place("bought", &shop.order()).await.expect(201);
    shop.at_provider(&bought, "approve").await.expect(200);
    shop.order_with_status(bought.text_at("/order_id"), "fulfilled")
        .await;
    shop.at_provider(&older, "approve").await.expect(200);
    let older_id = older.text_at("/order_id");
    shop.order_with_status(older_id, "refunded").await;
    assert_eq!(shop.payment(older_id).await["cancelled_ore"], 42_000);
    assert!(shop.licenses_of(older_id).await.is_empty());
    assert_eq!(licenses(&shop).await.len(), 1);
    shop.close().await;
}

#[tokio::test]
async fn the_holder_key_is_the_first_one_and_older_orders_get_their_days() {
    let shop = Shop::open(Options::default()).await;
    let placed = shop.place("old", &shop.order()).await.expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;
    // Removes the claims, as in a log that was written before there were any.
    shop.system.stop_one(Process::CommandApi).await.unwrap();
    let log = connect(&shop.system.databases().events_owner).await;
    log.batch_execute("delete from claims; delete from commands where scope = 'rule-seven'")
        .await
        .unwrap();
    shop.system.start_one(Process::CommandApi).await.unwrap();
    expect_refused(&shop.place("new", &shop.order()).await, &in_english(30));

    let another_key = tempfile();
    let mut command = shop.system.command(Process::CommandApi, &["serve"]).unwrap();
    let output = command
        .env("HOLDER_KEY_FILE", &another_key)
        .env("LISTEN", "127.0.0.1:0")
        .env("OPS_LISTEN", "127.0.0.1:0")
        .output()
        .await
        .unwrap();
    std::fs::remove_file(&another_key).unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("holder key"), "{said}");
    shop.close().await;
}

fn tempfile() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("holder-key-{}", uuid::Uuid::new_v4()));
    std::fs::write(&path, "another key, of 32 bytes at least").unwrap();
    path
}

#[tokio::test]
async fn a_payment_for_an_expired_order_whose_day_was_bought_meanwhile_goes_back() {
    let shop = Shop::open(Options {
        env: vec![(Process::CommandApi, "ORDER_TTL_S".into(), "3".into())],
        ..Options::default()
    })
    .await;
    let late = shop.place("late", &shop.order()).await.expect(201);
    let late_id = late.text_at("/order_id").to_owned();
    // The provider loses the payment for a while, so that the expiry does not end it.
    let journal = journal_of_the_provider(&shop);
    let kept = journal.with_extension("kept");
    shop.system.stop_one(Process::PaymentEmulator).await.unwrap();
    std::fs::rename(&journal, &kept).unwrap();
    shop.system.start_one(Process::PaymentEmulator).await.unwrap();
    shop.order_with_status(&late_id, "expired").await;
    shop.system.stop_one(Process::PaymentEmulator).await.unwrap();
    std::fs::rename(&kept, &journal).unwrap();
    shop.system.start_one(Process::PaymentEmulator).await.unwrap();

    let bought = shop.place("bought", &shop.order()).await.expect(201);
    let bought_id = bought.text_at("/order_id").to_owned();
    shop.at_provider(&bought, "approve").await.expect(200);
    shop.order_with_status(&bought_id, "fulfilled").await;
    shop.at_provider(&late, "approve").await.expect(200);
    shop.order_with_status(&late_id, "refunded").await;
    let payment = shop.payment(&late_id).await;
    assert_eq!(payment["cancelled_ore"], 42_000, "{payment}");
    assert!(shop.licenses_of(&late_id).await.is_empty());
    assert_eq!(shop.licenses_of(&bought_id).await.len(), 1);
    shop.close().await;
}

fn journal_of_the_provider(shop: &Shop) -> std::path::PathBuf {
    let pid = shop.system.pid(Process::PaymentEmulator).unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let mut variables = environment.split('\0');
    variables
        .find_map(|pair| pair.strip_prefix("DATA_FILE="))
        .unwrap()
        .into()
}
