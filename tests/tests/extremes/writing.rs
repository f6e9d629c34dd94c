//! Sends every command with each of its fields at each of its extremes.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use system_tests::{Answer, Shop, in_days};

use crate::values::{DATES, EMAILS, MOMENTS, NUMBERS, PHONES, VEHICLE_NUMBERS, texts};

/// How many requests are in flight at once.
pub(crate) const AT_ONCE: usize = 8;

/// An accepted command: the id of its row, and the values that the row must have, by pointer.
pub(crate) struct Taken {
    pub(crate) id: String,
    pub(crate) expected: Vec<(String, Value)>,
}

/// Whether the command was accepted. Asserts that it was accepted or refused with a problem, and did not fail.
fn taken(answer: &Answer, what: &str) -> bool {
    let status = answer.status.as_u16();
    assert!(status < 500, "{what}: {}", answer.text);
    if status >= 400 {
        for text in ["/code", "/message_nb", "/message_en"] {
            assert!(!answer.text_at(text).is_empty(), "{what}: {}", answer.text);
        }
    }
    status < 300
}

/// A field, its values, and the form in which an accepted value is read back.
type Field = (&'static str, Vec<Value>, fn(&Value) -> Value);

fn same(given: &Value) -> Value {
    given.clone()
}

fn normalized(given: &Value) -> Value {
    given.as_str().map(text::normalize).into()
}

fn strings(values: &[&str]) -> Vec<Value> {
    values.iter().map(|value| json!(value)).collect()
}

/// Bodies with each field below `at` in turn at each of its extremes. The other fields are those of the body with the same
/// number.
fn variations(
    plain: &dyn Fn(usize) -> Value,
    at: &str,
    fields: &[Field],
) -> Vec<(Value, Vec<(String, Value)>)> {
    let mut variations = Vec::new();
    for (field, values, reads) in fields {
        let pointer = format!("{at}{field}");
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        for value in values {
            let mut body = plain(variations.len());
            body.pointer_mut(parent).expect("a parent")[name] = value.clone();
            variations.push((body, vec![(pointer.clone(), reads(value))]));
        }
    }
    variations
}

/// Sends each body, and returns the accepted ones by the id in the answer.
async fn send(
    shop: &Shop,
    path: &str,
    token: &str,
    id: &str,
    bodies: Vec<(Value, Vec<(String, Value)>)>,
) -> (Vec<Taken>, u64) {
    let numbered = bodies.into_iter().enumerate();
    let answers: Vec<Option<(Taken, u64)>> = stream::iter(numbered)
        .map(|(number, (body, expected))| async move {
            let key = format!("{path}-{number}");
            let answer = shop.post(path, token, &key, &body).await;
            let what = format!("{path} {:?}", expected.first());
            taken(&answer, &what).then(|| {
                let id = answer.text_at(id).to_owned();
                (Taken { id, expected }, answer.position())
            })
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (accepted, positions): (Vec<_>, Vec<_>) = answers.into_iter().flatten().unzip();
    (accepted, positions.into_iter().max().unwrap_or(0))
}

pub(crate) async fn clubs(shop: &Shop) -> (Vec<Taken>, u64) {
    let names: Vec<Value> = texts(120).into_iter().map(Value::from).collect();
    let fields: &[Field] = &[("/name", names, normalized)];
    let plain = json!({"name": "NMK"});
    send(
        shop,
        "/clubs",
        &shop.tokens.staff,
        "/club_id",
        variations(&|_| plain.clone(), "", fields),
    )
    .await
}

pub(crate) async fn license_types(shop: &Shop) -> (Vec<Taken>, u64) {
    let of = |most| texts(most).into_iter().map(Value::from).collect::<Vec<_>>();
    let ages = [
        json!(0),
        json!(1),
        json!(120),
        json!(121),
        json!(255),
        json!(256),
        json!(-1),
        json!(1.5),
    ];
    let fields: &[Field] = &[
        ("/discipline", of(64), normalized),
        ("/name_nb", of(120), normalized),
        ("/name_en", of(120), normalized),
        ("/price_ore", NUMBERS.clone(), same),
        ("/min_age", ages.to_vec(), same),
        ("/max_age", ages.to_vec(), same),
        ("/max_days", [0, 1, 3, 4, 255].map(Value::from).to_vec(), same),
        (
            "/category",
            strings(&[
                "competition",
                "training",
                "track_day",
                "passenger",
                "test",
                "none",
                "",
            ]),
            same,
        ),
        (
            "/role",
            strings(&["driver", "codriver", "companion", "passenger", "none", ""]),
            same,
        ),
    ];
    let plain = json!({
        "code": "x", "category": "track_day", "discipline": "x", "role": "driver",
        "name_nb": "x", "name_en": "x", "price_ore": 100,
    });
    let mut bodies = variations(&|_| plain.clone(), "", fields);
    for (number, (body, expected)) in bodies.iter_mut().enumerate() {
        let mut code = format!("extreme-{number}");
        if number == 0 {
            code = "x".repeat(64);
        }
        body["code"] = json!(code);
        expected.push(("/code".into(), json!(code)));
    }
    let codes = [&"x".repeat(65), "", "A", "æ", "a b", "a\u{0}", "-", "a/b"];
    bodies.extend(codes.map(|code| {
        let mut body = plain.clone();
        body["code"] = json!(code);
        (body, vec![("/code".to_owned(), json!(code))])
    }));
    let path = "/license-types";
    send(shop, path, &shop.tokens.staff, "/license_type_id", bodies).await
}

/// Sets prices of one type. All accepted ones must be in its list.
pub(crate) async fn prices(shop: &Shop) -> (Vec<(i64, DateTime<Utc>)>, u64) {
    let (staff, path) = (&shop.tokens.staff, "/license-types/banedag-racing/prices");
    let ahead = |days: i64| (Utc::now() + chrono::TimeDelta::days(days)).to_rfc3339();
    // Each from a second of its own: of two from one moment the later holds alone.
    let tomorrow = |number| Utc::now() + chrono::TimeDelta::days(1) + chrono::TimeDelta::seconds(number);
    let mut bodies: Vec<Value> = (0..)
        .zip(NUMBERS.iter())
        .map(|(number, ore)| json!({"price_ore": ore, "valid_from": tomorrow(number).to_rfc3339()}))
        .collect();
    let moments = MOMENTS.iter().map(|moment| (*moment).to_owned());
    let moments = moments.chain([0, 1, 365, 700, 730, 732, 733, 800, 30_000].map(ahead));
    bodies.extend(moments.map(|moment| json!({"price_ore": 100, "valid_from": moment})));
    let (mut accepted, mut position) = (Vec::new(), 0);
    for (number, body) in bodies.iter().enumerate() {
        let answer = shop.post(path, staff, &format!("price-{number}"), body).await;
        if taken(&answer, &body.to_string()) {
            let moment = body["valid_from"].as_str().expect("a moment").parse();
            accepted.push((
                body["price_ore"].as_i64().expect("øre"),
                moment.expect("what was taken is a moment"),
            ));
            position = answer.position();
        }
    }
    (accepted, position)
}

/// The order for another holder each time: one person has one license of a type and day.
fn somebody(order: &Value, number: usize) -> Value {
    let mut order = order.clone();
    let holder = &mut order["lines"][0]["holder"];
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).expect("a letter"));
    holder["name"] = json!(format!("Kari {}{}", letter(number / 26), letter(number)));
    let days = chrono::Days::new(u64::try_from(number).expect("small"));
    holder["birth_date"] = json!(chrono::NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day") + days);
    order
}

pub(crate) async fn orders(shop: &Shop) -> (Vec<Taken>, u64) {
    let mut plain = shop.order();
    plain["lines"][0]["license_type"] = json!("banedag-racing");
    plain["lines"][0]["holder"]["email"] = json!("kari@example.no");
    plain["lines"][0]["holder"]["guardian"] =
        json!({"name": "Ola Nordmann", "phone": "+4790000000", "consent": true});
    let names = || texts(120).into_iter().map(Value::from).collect::<Vec<_>>();
    let days = [0, 1, 29, 364, 365, 366, 367, 1000].map(|days| in_days(days).to_string());
    let days = days
        .iter()
        .map(String::as_str)
        .chain(DATES.iter().copied())
        .collect::<Vec<_>>();
    // The write side decides the stored form of numbers and addresses, so the values here have that form already.
    let fields: &[Field] = &[
        ("/activity_date", strings(&days), same),
        (
            "/activity_days",
            [0, 1, 2, 3, 4, 255, 256].map(Value::from).to_vec(),
            same,
        ),
        ("/holder/name", names(), normalized),
        ("/holder/birth_date", strings(&days), same),
        ("/holder/phone", strings(PHONES), same),
        ("/holder/email", strings(EMAILS), same),
        ("/holder/guardian/name", names(), normalized),
        ("/holder/guardian/phone", strings(PHONES), same),
        ("/vehicle/registration", strings(VEHICLE_NUMBERS), same),
        ("/vehicle/vehicle_license", strings(VEHICLE_NUMBERS), same),
        ("/vehicle/chassis", strings(VEHICLE_NUMBERS), same),
    ];
    let mut bodies = variations(&|number| somebody(&plain, number), "/lines/0", fields);
    for version in names() {
        let mut body = somebody(&plain, bodies.len());
        body["accept_terms_version"] = version;
        bodies.push((body, Vec::new()));
    }
    for lines in [0, 100, 101] {
        let mut body = plain.clone();
        let line = |number: u64| {
            let mut line = plain["lines"][0].clone();
            line["holder"]["name"] = json!(format!(
                "Kari {}",
                "x".repeat(usize::try_from(number).expect("small"))
            ));
            line["activity_days"] = json!(3);
            line
        };
        body["lines"] = (0..lines).map(line).collect();
        bodies.push((body, Vec::new()));
    }
    send(shop, "/orders", &shop.tokens.customer, "/order_id", bodies).await
}
