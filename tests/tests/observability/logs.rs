//! Logs are JSON, one object a line, without personal data.

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::{Shop, in_days};

use crate::{log, purchase};

/// Every program of ours.
const PROGRAMS: [Process; 5] = [
    Process::CommandApi,
    Process::Projector,
    Process::QueryApi,
    Process::FrontDoor,
    Process::PaymentEmulator,
];
/// The most verbose filter for our own code.
const EVERYTHING: &str = "info,command_api=trace,domain=trace,event_bus=trace,event_store=trace,events=trace,\
    front_door=trace,payments=trace,projection=trace,projector=trace,query_api=trace,read_model=trace,service=trace";

/// The personal data that this test sends. The logs must contain none of it.
const SAID: &[&str] = &[
    "Synnøve",
    "Solbakken",
    "Thorbjørn",
    "Granliden",
    "1990-05-17",
    "2012-06-30",
    "900 11 223",
    "90011223",
    "911 22 334",
    "91122334",
    "synnove@example.no",
    "ZX98765",
    "WVWZZZ1JZ3W386752",
    "KlartSpråk",
];

#[tokio::test]
async fn logs_are_json_and_tell_nothing_of_people() {
    let talkative = PROGRAMS.map(|process| (process, "LOG_FILTER".to_owned(), EVERYTHING.to_owned()));
    let shop = Shop::open(Options {
        env: talkative.to_vec(),
        ..Options::default()
    })
    .await;
    let order = personal(&shop);
    purchase(&shop, "personal", "personal", &order).await;
    refusals(&shop, &order).await;
    shop.provider_faults(&json!({"api": "unavailable"})).await;
    let mut another = order.clone();
    for line in another["lines"].as_array_mut().expect("lines") {
        line["activity_date"] = json!(in_days(60));
    }
    shop.place("unlucky", &another).await.expect(503);
    shop.provider_faults(&json!({})).await;
    for process in PROGRAMS {
        shop.system.stop_one(process).await.unwrap();
    }

    let tokens = [&shop.tokens.customer, &shop.tokens.customer2, &shop.tokens.staff];
    // The last part is the signature, without which a token is worthless.
    let signatures = tokens.map(|token| token.rsplit('.').next().unwrap().to_owned());
    let passwords = passwords(&shop);
    for process in PROGRAMS {
        let lines = log(&shop, process);
        assert!(lines.len() > 2, "{process} said next to nothing: {lines:?}");
        for line in lines {
            for field in ["timestamp", "level", "message"] {
                assert!(line[field].is_string(), "{process}: no {field} in {line}");
            }
            let text = line.to_string();
            for said in SAID
                .iter()
                .copied()
                .chain(signatures.iter().map(String::as_str))
                .chain(passwords.iter().map(String::as_str))
            {
                assert!(!text.contains(said), "{process} tells {said}: {text}");
            }
        }
    }
    shop.close().await;
}

/// An order with every field of a person, a guardian and a vehicle.
fn personal(shop: &Shop) -> Value {
    let holder = json!({
        "name": "Synnøve Solbakken", "birth_date": "1990-05-17", "phone": "+47 900 11 223", "email": "synnove@example.no",
    });
    let child = json!({
        "name": "Thorbjørn Granliden", "birth_date": "2012-06-30", "phone": "+47 911 22 334",
        "guardian": {"name": "Synnøve Solbakken", "phone": "+47 900 11 223", "consent": true},
    });
    let mut order = shop.order();
    order["lines"] = json!([
        {
            "license_type": "konkurranse-bilcross", "club_id": shop.clubs[0], "activity_date": in_days(30),
            "holder": holder, "vehicle": {"registration": "ZX98765", "chassis": "WVWZZZ1JZ3W386752"},
        },
        {
            "license_type": "passasjer-ledsager-rally", "club_id": shop.clubs[0], "activity_date": in_days(31),
            "holder": child,
        },
    ]);
    order
}

/// Every known kind of refusal, with personal data in the request.
async fn refusals(shop: &Shop, order: &Value) {
    let changed = |pointer: &str, value: Value| {
        let mut changed = order.clone();
        *changed.pointer_mut(pointer).expect("a field") = value;
        changed
    };
    for (at, (refused, status)) in [
        (
            changed("/lines/0/holder/email", "synnove@example.no@KlartSpråk".into()),
            422,
        ),
        (changed("/lines/0/holder/phone", "Synnøve Solbakken".into()), 422),
        (
            changed("/lines/0/holder/birth_date", "Synnøve Solbakken".into()),
            400,
        ),
        (changed("/lines/0/license_type", "Synnøve Solbakken".into()), 422),
        (changed("/lines/0/club_id", "Synnøve Solbakken".into()), 400),
        (
            changed("/lines/0/holder", json!({"Synnøve Solbakken": "900 11 223"})),
            400,
        ),
        (changed("/lines/1/holder/guardian", Value::Null), 422),
        (changed("/payment_provider", "Synnøve Solbakken".into()), 422),
        (
            changed("/lines/0/holder/name", "Synnøve\u{0} Solbakken".into()),
            422,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = shop.place(&format!("refused-{at}"), &refused).await;
        assert_eq!(answer.status, status, "{at}: {}", answer.text);
    }
    // The same key with another body, a key that is a name, and a body that is no JSON.
    shop.place(
        "personal",
        &changed("/lines/0/holder/name", "Synnøve KlartSpråk".into()),
    )
    .await
    .expect(422);
    let url = format!("{}/api/v1/orders", shop.system.command_api_url());
    let post = |body: &'static str| {
        let request = shop
            .http()
            .post(&url)
            .bearer_auth(&shop.tokens.customer)
            .header("Idempotency-Key", "broken");
        request.header("Content-Type", "application/json").body(body)
    };
    assert_eq!(
        post(r#"{"name": "Synnøve Solbakken", "phone": "#)
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
    assert_eq!(
        post(r#"["synnove@example.no"]"#).send().await.unwrap().status(),
        400
    );
    // Reading: filters, paths and tokens.
    let staff = &shop.tokens.staff;
    shop.get("/licenses?holder=Solbakken", staff).await.expect(400);
    shop.get("/licenses/Solbakken", staff).await.expect(400);
    shop.get("/orders?cursor=synnove@example.no", staff)
        .await
        .expect(400);
    shop.get("/Solbakken", staff).await.expect(404);
    let tampered = format!("{}x", shop.tokens.customer2);
    shop.get("/orders", &tampered).await.expect(401);
}

/// The passwords of the databases.
fn passwords(shop: &Shop) -> Vec<String> {
    let databases = shop.system.databases();
    [
        &databases.events_owner,
        &databases.events_reader,
        &databases.read_owner,
        &databases.read_reader,
    ]
    .into_iter()
    .filter_map(|url| {
        url.split_once("://")?
            .1
            .split_once('@')?
            .0
            .split_once(':')
            .map(|(_, password)| password.to_owned())
    })
    .collect()
}
