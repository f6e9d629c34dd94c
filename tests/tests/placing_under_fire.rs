//! 64 buyers of the same few holders, days and capped licenses, while connections to the log are killed at random: at most
//! one license of a type for a holder's day, caps hold, every acknowledged order is in the log, and no claim is left over.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::books::{claims, connect};
use system_tests::purchase::worth_another_try;
use system_tests::{Answer, PATIENCE, Shop, eventually, eventually_within, in_days};

const BUYERS: usize = 64;
const ROUNDS: usize = 5;
/// Few enough that buyers meet.
const DAYS: usize = 6;
const CAPPED: &str = "konkurranse-funsport";
const CAP: u64 = 4;
/// Two people, each in three spellings.
const HOLDERS: [&str; 6] = [
    "Kari \u{c5}sen",
    "KARI A\u{30a}SEN",
    " kari\u{a0}\u{212b}sen",
    "Ola Nordmann",
    "OLA  NORDMANN",
    "\u{ff2f}la Nordmann",
];

/// The order that a buyer asks for in a round.
fn order(shop: &Shop, buyer: usize, round: usize) -> Value {
    let holder = HOLDERS[(buyer + round) % HOLDERS.len()];
    let kind = [CAPPED, "konkurranse-bilcross", "banedag-racing"][(buyer + 2 * round) % 3];
    let mut line = shop.line(kind, holder);
    line["activity_date"] = json!(in_days(20 + ((buyer * 5 + round + buyer / 6) % DAYS) as u64));
    if kind == "banedag-racing" {
        line["activity_days"] = json!(1 + buyer % 3);
    }
    let mut order = shop.order();
    order["lines"] = json!([line]);
    order
}

/// Sends the order until it is decided: a retry with the same key is the same order.
async fn settle(shop: &Shop, url: &str, key: &str, order: &Value) -> Answer {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let request = shop.http().post(format!("{url}/api/v1/orders"));
        let request = request
            .bearer_auth(&shop.tokens.customer)
            .header("Idempotency-Key", key);
        if let Ok(answer) = system_tests::answer(request.json(order)).await
            && !worth_another_try(&answer)
        {
            return answer;
        }
        assert!(Instant::now() < deadline, "{key} is not decided");
        tokio::task::yield_now().await;
    }
}

/// Ends one busy connection of command-api after the other.
async fn kill_connections(shop: &Shop, done: &AtomicBool, kills: &AtomicUsize) {
    let client = connect(&shop.system.databases().events_owner).await;
    let mut pace = tokio::time::interval(Duration::from_millis(60));
    while !done.load(Ordering::Relaxed) {
        pace.tick().await;
        let ended = client
            .query(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and usename = current_user and pid <> pg_backend_pid()
                 and state = 'active'
                 order by random() limit 1",
                &[],
            )
            .await
            .unwrap();
        kills.fetch_add(ended.len(), Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_follow_from_the_log_though_connections_die() {
    let shop = Shop::open(Options {
        second_command_api: true,
        // Nothing expires meanwhile.
        env: vec![(Process::CommandApi, "ORDER_TTL_S".into(), "3600".into())],
        ..Options::default()
    })
    .await;
    let kind = json!({"code": CAPPED, "category": "competition", "discipline": "funsport", "role": "driver",
        "name_nb": "Norsk Funsport", "name_en": "Norsk Funsport", "price_ore": 42_000, "lifetime_cap": CAP});
    shop.post("/license-types", &shop.tokens.staff, "capped", &kind)
        .await
        .expect(201);
    let urls = [
        shop.system.command_api_url(),
        shop.system.second_command_api_url().unwrap(),
    ];
    let (done, kills) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (shop, urls) = (&shop, &urls);
    let buyer = async |buyer: usize| {
        let mut decided = Vec::new();
        for round in 0..ROUNDS {
            let key = format!("buyer-{buyer}-{round}");
            let answer = settle(shop, &urls[(buyer + round) % 2], &key, &order(shop, buyer, round)).await;
            if answer.status == 201 {
                // Declined, which frees what the order holds; paid; or left waiting.
                match (buyer + round) % 4 {
                    0 | 1 => drop(shop.at_provider(&answer, "decline").await.expect(200)),
                    2 => drop(shop.at_provider(&answer, "approve").await.expect(200)),
                    _ => {}
                }
            }
            decided.push(((buyer + round) % 4, answer));
        }
        decided
    };
    let buyers = async {
        let decided: Vec<(usize, Answer)> = join_all((0..BUYERS).map(buyer)).await.concat();
        eventually("connections were killed", async || {
            (kills.load(Ordering::Relaxed) >= 5).then_some(())
        })
        .await;
        done.store(true, Ordering::Relaxed);
        decided
    };
    let (decided, ()) = tokio::join!(buyers, kill_connections(shop, &done, &kills));

    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let log = connect(&shop.system.databases().events_owner).await;
    for (fate, answer) in &decided {
        let outcome = answer.body["code"].as_str().unwrap_or("placed").to_owned();
        *outcomes.entry(outcome).or_default() += 1;
        if answer.status != 201 {
            continue;
        }
        let order_id = answer.text_at("/order_id");
        let placed = "select count(*) from events where aggregate_id = $1 and event_type = 'OrderPlaced'";
        let id: uuid::Uuid = order_id.parse().unwrap();
        let count: i64 = log.query_one(placed, &[&id]).await.unwrap().get(0);
        assert_eq!(count, 1, "{order_id} is in the log once");
        let status = ["cancelled", "cancelled", "fulfilled", "payment_pending"][*fate];
        shop.order_with_status(order_id, status).await;
    }
    // Each outcome occurred, and no other did.
    for outcome in ["placed", "license_exists", "lifetime_cap_reached"] {
        assert!(
            outcomes.get(outcome).is_some_and(|count| *count >= 3),
            "{outcomes:?}"
        );
    }
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    let found = eventually_within(PATIENCE, "claims", async || Some(claims::complaints(&log).await)).await;
    assert!(found.is_empty(), "{found:#?}");
    one_license_a_day(shop).await;
}

/// What readers see: no two valid licenses of one holder and type share a day, and no holder has more than a cap allows.
async fn one_license_a_day(shop: &Shop) {
    let page = shop
        .get("/licenses?limit=200&status=issued", &shop.tokens.staff)
        .await
        .expect(200);
    let (mut days, mut caps) = (BTreeMap::new(), BTreeMap::<String, u64>::new());
    let licenses = page.body["items"].as_array().unwrap();
    assert!(!licenses.is_empty());
    for license in licenses {
        let (holder, kind) = (
            license["holder_id"].as_str().unwrap(),
            license["license_type"].as_str().unwrap(),
        );
        let first: chrono::NaiveDate = license["activity_date"].as_str().unwrap().parse().unwrap();
        for day in first
            .iter_days()
            .take(usize::try_from(license["activity_days"].as_u64().unwrap()).unwrap())
        {
            let other = days.insert(
                (holder.to_owned(), kind.to_owned(), day),
                license["license_id"].clone(),
            );
            assert_eq!(other, None, "{license}");
        }
        if kind == CAPPED {
            let count = caps.entry(holder.to_owned()).or_default();
            *count += 1;
            assert!(*count <= CAP, "{license}");
        }
    }
}
