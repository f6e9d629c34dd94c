//! Letters: what customers get by e-mail, through a real mail server that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::{Answer, Shop, answer, books, eventually, eventually_within};

/// How long all letters may take after the mail server is back: its pauses have grown meanwhile.
const PATIENCE: Duration = Duration::from_secs(90);

/// An order whose holder has this address, and pays.
async fn buy(shop: &Shop, key: &str, email: Option<&str>) -> Answer {
    let mut order = shop.order_of(key);
    if let Some(email) = email {
        order["lines"][0]["holder"]["email"] = json!(email);
    }
    pay(shop, key, &order).await
}

async fn pay(shop: &Shop, key: &str, order: &Value) -> Answer {
    let placed = shop.place(key, order).await.expect(201);
    shop.at_provider(&placed, "approve").await;
    placed
}

/// The letters that the mail server keeps for this address.
async fn kept(shop: &Shop, to: &str) -> Vec<Value> {
    let url = format!("{}/messages?to={to}", shop.system.mail_url());
    let found = answer(shop.http().get(url)).await.unwrap();
    found.body.as_array().cloned().unwrap_or_default()
}

/// Waits until the address has this many letters, and returns them by the beginning of their subjects.
async fn letters_to(shop: &Shop, to: &str, count: usize) -> BTreeMap<String, Value> {
    eventually_within(PATIENCE, &format!("{count} letters to {to}"), async || {
        let letters = kept(shop, to).await;
        (letters.len() >= count).then(|| {
            let first = |letter: &Value| {
                letter["subject"]
                    .as_str()
                    .unwrap()
                    .split(' ')
                    .next()
                    .unwrap()
                    .to_owned()
            };
            letters
                .into_iter()
                .map(|letter| (first(&letter), letter))
                .collect()
        })
    })
    .await
}

/// Makes the mail server misbehave; `{}` ends it.
async fn faults(shop: &Shop, faults: &Value) {
    let url = format!("{}/faults", shop.system.mail_url());
    answer(shop.http().post(url).json(faults))
        .await
        .unwrap()
        .expect(200);
}

/// The letters that staff sees, once there are this many.
async fn seen(shop: &Shop, filter: &str, count: usize) -> Vec<Value> {
    let path = format!("/letters?{filter}");
    eventually_within(PATIENCE, &format!("{count} letters with {filter}"), async || {
        let page = shop.get(&path, &shop.tokens.staff).await.expect(200);
        let items = page.body["items"].as_array().unwrap().clone();
        (items.len() >= count).then_some(items)
    })
    .await
}

/// Waits until no letter waits any more.
async fn all_done(shop: &Shop) {
    let log = books::connect(&shop.system.databases().events_owner).await;
    let open = "select count(*) from process_tasks where process = 'orders' and kind = 'letter'";
    eventually_within(PATIENCE, "no letter waits", async || {
        let count: i64 = log.query_one(open, &[]).await.unwrap().get(0);
        (count == 0).then_some(())
    })
    .await;
}

async fn same_document(shop: &Shop, attachment: &Value, path: &str) {
    let mail = format!(
        "{}{}",
        shop.system.mail_url(),
        attachment["url"].as_str().unwrap()
    );
    let attached = shop.http().get(mail).send().await.unwrap().bytes().await.unwrap();
    assert!(attached.starts_with(b"%PDF-"), "{attachment}");
    let shown = format!("{}/api/v1{path}", shop.system.query_api_url());
    let shown = shop
        .http()
        .get(shown)
        .bearer_auth(&shop.tokens.staff)
        .send()
        .await
        .unwrap();
    assert_eq!(shown.status(), 200, "{path}");
    // The same bytes, so the code in it is the one that a gate verifies.
    assert_eq!(attached, shown.bytes().await.unwrap(), "{path}");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn licenses_and_receipts_arrive_as_the_documents_of_the_shop() {
    let shop = Shop::open(Options::default()).await;
    let contact = json!({"name": "Kari Nordmann", "email": "kari.brev@blåbær.no"});
    shop.patch("/users/me", &shop.tokens.customer, "contact", &contact)
        .await
        .expect(200);
    let mut order = shop.order();
    order["lines"] = json!([
        shop.line("konkurranse-bilcross", "Kari Nordmann"),
        shop.line("banedag-racing", "Åse Ærfugl"),
    ]);
    let placed = pay(&shop, "letters", &order).await;
    let (order_id, number) = (placed.text_at("/order_id"), placed.text_at("/order_number"));

    let to = "kari.brev@xn--blbr-roah.no";
    let letters = letters_to(&shop, to, 2).await;
    let licenses = &letters["Lisenser"];
    for subject in letters.values().map(|letter| letter["subject"].as_str().unwrap()) {
        assert!(subject.contains(number), "{subject}");
    }
    let text = licenses["text"].as_str().unwrap();
    assert!(
        text.contains("Åse Ærfugl") && text.find("Hei,") < text.find("Hello,"),
        "{text}"
    );
    let headers = licenses["headers"].to_string();
    assert!(
        headers.contains("auto-generated") && !headers.contains("rfugl"),
        "{headers}"
    );
    let mut rows = shop.licenses_of(order_id).await;
    rows.sort_by_key(|row| row["line"].as_i64());
    let attached = licenses["attachments"].as_array().unwrap();
    assert_eq!(attached.len(), 2, "{licenses}");
    for (row, attachment) in rows.iter().zip(attached) {
        assert_eq!(attachment["name"], format!("lisens-{number}-{}.pdf", row["line"]));
        same_document(
            &shop,
            attachment,
            &format!("/licenses/{}/license.pdf", row["license_id"].as_str().unwrap()),
        )
        .await;
    }
    let receipt = shop
        .get(&format!("/receipts?order_id={order_id}"), &shop.tokens.staff)
        .await;
    let document = format!("/receipts/{}/receipt.pdf", receipt.text_at("/items/0/receipt_id"));
    same_document(&shop, &letters["Kvittering"]["attachments"][0], &document).await;

    // The money goes back, and a credit note follows.
    let portal = format!("{}/portal/{order_id}/refund", shop.system.payment_emulator_url());
    answer(shop.http().post(portal).json(&json!({})))
        .await
        .unwrap()
        .expect(200);
    assert!(letters_to(&shop, to, 3).await.contains_key("Kreditnota"));

    let rows = seen(&shop, &format!("order_id={order_id}&status=sent"), 3).await;
    let by_kind = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).count();
    assert_eq!((by_kind("license"), by_kind("receipt")), (1, 2), "{rows:?}");
    for row in &rows {
        assert_eq!(row["recipient"], "kari.brev@blåbær.no");
        let id = row["message_id"].as_str().unwrap().trim_matches(['<', '>']);
        assert!(
            kept(&shop, to)
                .await
                .iter()
                .any(|letter| letter["message_id"] == id),
            "{row}"
        );
    }
    shop.get("/letters", &shop.tokens.customer).await.expect(404);
    let timeline = shop
        .get(&format!("/orders/{order_id}/timeline"), &shop.tokens.staff)
        .await
        .expect(200);
    assert_eq!(
        timeline.text.matches("LetterSent").count(),
        3,
        "{}",
        timeline.text
    );
    assert!(!timeline.text.contains("kari.brev"), "{}", timeline.text);

    // Who is forgotten is shown no more, and gets no letter.
    let me = shop
        .get("/users/me", &shop.tokens.customer)
        .await
        .text_at("/user_id")
        .to_owned();
    let erase = format!("/users/{me}/erase");
    let because = json!({"reason": "requested"});
    let erased = shop
        .post(&erase, &shop.tokens.customer, "erase", &because)
        .await
        .expect(202);
    let page = format!("/letters?order_id={order_id}&min_position={}", erased.position());
    let page = shop.get(&page, &shop.tokens.staff).await.expect(200);
    assert_eq!(
        page.body["items"].as_array().map(Vec::len),
        Some(3),
        "{}",
        page.text
    );
    assert!(!page.text.contains("kari.brev"), "{}", page.text);
    no_address_in_logs(&shop, "kari.brev");
    let complaints = books::proofs(&shop).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    shop.close().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_mail_server_that_misbehaves_holds_up_no_order_and_no_letter_is_lost() {
    let shop = Shop::open(Options::default()).await;
    // Greylisting: later.
    faults(&shop, &json!({"defer": 2})).await;
    buy(&shop, "grey", Some("grey.brev@example.no")).await;
    letters_to(&shop, "grey.brev@example.no", 2).await;
    assert!(
        shop.command_metric("bilsport_letters_attempts_total", "put_off")
            .await
            .unwrap()
            >= 2.0
    );
    // An address that does not exist, and none at all: visible to staff.
    faults(&shop, &json!({"refuse": ["nobody.brev@example.no"]})).await;
    let refused = buy(&shop, "refused", Some("nobody.brev@example.no")).await;
    let nowhere = buy(&shop, "nowhere", None).await;
    let filter = format!("order_id={}&status=refused", refused.text_at("/order_id"));
    for row in seen(&shop, &filter, 2).await {
        assert_eq!(
            (&row["smtp_code"], &row["enhanced_status"]),
            (&json!(550), &json!("5.1.1")),
            "{row}"
        );
        assert_eq!(row["recipient"], "nobody.brev@example.no");
    }
    let filter = format!(
        "order_id={}&status=undeliverable&kind=license",
        nowhere.text_at("/order_id")
    );
    assert_eq!(seen(&shop, &filter, 1).await[0]["failure"], "no_address");
    // A letter that the server kept without an answer comes again, and is recognized.
    faults(&shop, &json!({"drop_after_data": 1})).await;
    buy(&shop, "dropped", Some("twice.brev@example.no")).await;
    letters_to(&shop, "twice.brev@example.no", 3).await;
    all_done(&shop).await;
    let ids = message_ids(&kept(&shop, "twice.brev@example.no").await);
    assert_eq!(ids.values().copied().collect::<Vec<_>>().iter().sum::<usize>(), 3);
    assert_eq!(ids.len(), 2, "{ids:?}");

    // An outage: orders go on, and letters follow. Who is forgotten meanwhile gets none.
    faults(&shop, &json!({"outage": true})).await;
    let contact = json!({"email": "forgotten.brev@example.no"});
    shop.patch("/users/me", &shop.tokens.customer2, "contact", &contact)
        .await
        .expect(200);
    let theirs = shop.order_of("forgotten");
    let placed = shop
        .post("/orders", &shop.tokens.customer2, "forgotten", &theirs)
        .await
        .expect(201);
    shop.at_provider(&placed, "approve").await;
    let late = buy(&shop, "late", Some("late.brev@example.no")).await;
    for order in [&placed, &late] {
        let order_id = order.text_at("/order_id");
        shop.order_with_status(order_id, "fulfilled").await;
        eventually("its money is collected, and has a receipt", async || {
            let page = shop
                .get(&format!("/receipts?order_id={order_id}"), &shop.tokens.staff)
                .await;
            page.body["items"]
                .as_array()
                .is_some_and(|items| !items.is_empty())
                .then_some(())
        })
        .await;
    }
    eventually("a letter is known to wait", async || {
        let age = shop.command_metric("bilsport_letters_oldest_waiting_seconds", "command-api");
        age.await.filter(|age| *age > 0.0)
    })
    .await;
    let me = shop
        .get("/users/me", &shop.tokens.customer2)
        .await
        .text_at("/user_id")
        .to_owned();
    let because = json!({"reason": "requested"});
    shop.post(
        &format!("/users/{me}/erase"),
        &shop.tokens.customer2,
        "erase",
        &because,
    )
    .await
    .expect(202);
    faults(&shop, &json!({})).await;
    letters_to(&shop, "late.brev@example.no", 2).await;
    all_done(&shop).await;
    assert_eq!(kept(&shop, "forgotten.brev@example.no").await.len(), 0);
    no_address_in_logs(&shop, ".brev@");
    let complaints = books::proofs(&shop).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    shop.close().await;
}

#[tokio::test]
async fn killing_the_sender_loses_no_letter_and_doubles_at_most_those_under_way() {
    const ORDERS: usize = 12;
    const KILLS: usize = 3;
    let shop = Shop::open_private(Options::default()).await;
    faults(&shop, &json!({"slow_ms": 100})).await;
    let address = |at: usize| format!("kill{at}.brev@example.no");
    for at in 0..ORDERS {
        buy(&shop, &format!("kill-{at}"), Some(&address(at))).await;
    }
    let arrived = async || {
        let mut all = Vec::new();
        for at in 0..ORDERS {
            all.extend(kept(&shop, &address(at)).await);
        }
        all
    };
    for round in 1..=KILLS {
        let enough = round * ORDERS / 3;
        eventually_within(PATIENCE, "some letters", async || {
            (arrived().await.len() >= enough).then_some(())
        })
        .await;
        shop.system.kill(Process::CommandApi).await.unwrap();
        shop.system.wait_ready(Process::CommandApi).await.unwrap();
    }
    for at in 0..ORDERS {
        letters_to(&shop, &address(at), 2).await;
    }
    all_done(&shop).await;
    let counts = message_ids(&arrived().await);
    assert_eq!(
        counts.len(),
        2 * ORDERS,
        "a letter for each license and receipt: {counts:?}"
    );
    // A letter is doubled only if a kill fell into its exchange; eight are under way at once.
    assert!(counts.values().all(|count| *count <= 1 + KILLS), "{counts:?}");
    let doubled: usize = counts.values().map(|count| count - 1).sum();
    assert!(doubled <= KILLS * 8, "{counts:?}");
    let log = books::connect(&shop.system.databases().events_reader).await;
    let sent = "select count(*) from events where event_type = 'LetterSent'";
    let sent: i64 = log.query_one(sent, &[]).await.unwrap().get(0);
    assert_eq!(
        usize::try_from(sent).unwrap(),
        2 * ORDERS,
        "each is recorded once"
    );
    let complaints = books::proofs(&shop).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    shop.close().await;
}

/// How often each letter arrived.
fn message_ids(letters: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for letter in letters {
        let id = letter["message_id"].as_str().unwrap().to_owned();
        *counts.entry(id).or_default() += 1;
    }
    counts
}

fn no_address_in_logs(shop: &Shop, address: &str) {
    for entry in std::fs::read_dir(shop.system.logs()).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let found = text.lines().find(|line| line.contains(address));
        assert!(found.is_none(), "{}: {found:?}", path.display());
    }
}
