//! Extremes of every field of every command, through the real system: each is refused in words or taken, and what was
//! taken is read back equal, in every list, in every order, by every filter. One row that can't be said would fail the
//! whole list that it is in.

mod reading;
mod values;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use stack::Options;
use system_tests::{Answer, Shop, in_days};

use reading::{Rows, every_way, rows};
use values::{DATES, EMAILS, MOMENTS, NUMBERS, PHONES, VEHICLE_NUMBERS, texts};

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// About how many rows of a list are looked for by everything that they say.
const SAMPLE: usize = 40;

/// What was taken: what identifies the row, and what it must say at which pointers.
struct Taken {
    id: String,
    expected: Vec<(String, Value)>,
}

/// Refused in words, or taken; never failed.
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

/// The values of one field, with how it reads when it was taken.
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

/// Each field in turn at each of its extremes, the others plain.
fn variations(plain: &Value, fields: &[Field]) -> Vec<(Value, Vec<(String, Value)>)> {
    let mut variations = Vec::new();
    for (pointer, values, reads) in fields {
        for value in values {
            let mut body = plain.clone();
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            body.pointer_mut(parent).expect("a parent")[name] = value.clone();
            variations.push((body, vec![((*pointer).to_owned(), reads(value))]));
        }
    }
    variations
}

/// Sends each body; gives what was taken, by the id in the answer.
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
    let (taken, positions): (Vec<_>, Vec<_>) = answers.into_iter().flatten().unzip();
    (taken, positions.into_iter().max().unwrap_or(0))
}

fn assert_said(rows: &Rows, taken: &[Taken]) {
    for Taken { id, expected } in taken {
        let row = rows
            .get(id)
            .unwrap_or_else(|| panic!("{id} is in no list: {expected:?}"));
        for (pointer, expected) in expected {
            assert_eq!(row.pointer(pointer), Some(expected), "{pointer} of {row}");
        }
    }
}

async fn clubs(shop: &Shop) -> (Vec<Taken>, u64) {
    let names: Vec<Value> = texts(120).into_iter().map(Value::from).collect();
    let fields: &[Field] = &[("/name", names, normalized)];
    let plain = json!({"name": "NMK"});
    send(
        shop,
        "/clubs",
        &shop.tokens.staff,
        "/club_id",
        variations(&plain, fields),
    )
    .await
}

async fn license_types(shop: &Shop) -> (Vec<Taken>, u64) {
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
    let mut bodies = variations(&plain, fields);
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

/// Prices of one type: all that were taken must be in its list.
async fn prices(shop: &Shop) -> (Vec<(i64, DateTime<Utc>)>, u64) {
    let (staff, path) = (&shop.tokens.staff, "/license-types/banedag-racing/prices");
    let ahead = |days: i64| (Utc::now() + chrono::TimeDelta::days(days)).to_rfc3339();
    let mut bodies: Vec<Value> = NUMBERS
        .iter()
        .map(|ore| json!({"price_ore": ore, "valid_from": ahead(1)}))
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

/// The order for somebody else each time: one person has one license of a type and day.
fn somebody(order: &Value, number: usize) -> Value {
    let mut order = order.clone();
    let holder = &mut order["lines"][0]["holder"];
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).expect("a letter"));
    holder["name"] = json!(format!("Kari {}{}", letter(number / 26), letter(number)));
    let days = chrono::Days::new(u64::try_from(number).expect("small"));
    holder["birth_date"] = json!(chrono::NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day") + days);
    order
}

async fn orders(shop: &Shop) -> (Vec<Taken>, u64) {
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
    let line = "/lines/0";
    // Of numbers and addresses the stored form is the write side's to say: those given in it read as given.
    let fields: &[(&str, Vec<Value>, fn(&Value) -> Value)] = &[
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
    let fields = fields
        .iter()
        .map(|(pointer, values, reads)| (format!("{line}{pointer}"), values, reads));
    let mut bodies = Vec::new();
    for (pointer, values, reads) in fields {
        for value in values {
            let mut body = somebody(&plain, bodies.len());
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            body.pointer_mut(parent).expect("a parent")[name] = value.clone();
            bodies.push((body, vec![(pointer.clone(), reads(value))]));
        }
    }
    let named = bodies.len();
    bodies.extend(names().into_iter().map(|version| {
        let mut body = plain.clone();
        body["accept_terms_version"] = version;
        (body, Vec::new())
    }));
    for (number, (body, _)) in bodies.iter_mut().enumerate().skip(named) {
        *body = somebody(body, number);
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

#[tokio::test]
async fn what_is_taken_is_read_back_equal_in_every_list() {
    let shop = Shop::open(Options::default()).await;
    let (clubs, first) = clubs(&shop).await;
    let (types, second) = license_types(&shop).await;
    let (orders, third) = orders(&shop).await;
    let (prices, last) = prices(&shop).await;
    // Not everything was refused.
    for (what, count, least) in [
        ("clubs", clubs.len(), 15),
        ("license types", types.len(), 60),
        ("orders", orders.len(), 60),
        ("prices", prices.len(), 8),
    ] {
        assert!(count >= least, "{what}: only {count} were taken");
    }
    let position = first.max(second).max(third).max(last);
    shop.get(&format!("/clubs?min_position={position}"), &shop.tokens.staff)
        .await
        .expect(200);

    let said = every_way(&shop, "/clubs", "club_id").await;
    assert_said(&said, &clubs);
    let said = every_way(&shop, "/license-types", "license_type_id").await;
    // The price is first set with the type, and today's.
    assert_said(&said, &types);
    let listed = said
        .values()
        .find(|row| row["code"] == "banedag-racing")
        .expect("the type");
    for (ore, valid_from) in &prices {
        let is = |price: &Value| {
            let from = price["valid_from"]
                .as_str()
                .and_then(|from| from.parse::<DateTime<Utc>>().ok());
            // In microseconds; and a moment that passed while it was sent is now.
            let later = from.map(|from| from.timestamp_micros() - valid_from.timestamp_micros());
            let now = *valid_from <= Utc::now();
            price["price_ore"] == *ore
                && later.is_some_and(|later| later == 0 || now && (0..60_000_000).contains(&later))
        };
        let said = listed["prices"].as_array().expect("prices");
        assert!(said.iter().any(is), "{ore} from {valid_from} in {listed}");
    }

    let said = every_way(&shop, "/orders", "order_id").await;
    assert_said(&said, &orders);
    every_filter_finds(&shop, "/orders", "order_id", &said).await;
    licenses(&shop, &said).await;
    shop.close().await;
}

/// Pays all orders, and reads the licenses in every way.
async fn licenses(shop: &Shop, orders: &Rows) {
    let pending: Vec<(&String, &Value)> = orders
        .iter()
        .filter(|(_, order)| order["status"] == "payment_pending")
        .collect();
    let mut due: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, order) in &pending {
        due.insert(id, order["lines"].as_array().map_or(0, Vec::len));
    }
    stream::iter(&pending)
        .for_each_concurrent(AT_ONCE, |(_, order)| async move {
            let url = order["payment"]["redirect_url"].as_str().expect("where to pay");
            let approved = shop
                .http()
                .post(format!("{url}/approve"))
                .header("Accept", "application/json");
            assert!(approved.send().await.expect("an answer").status().is_success());
        })
        .await;
    let expected: usize = due.values().sum();
    system_tests::eventually("every paid line has its license", async || {
        let page = shop
            .get("/licenses?limit=1&count=true", &shop.tokens.staff)
            .await
            .expect(200);
        (page.body["total"] == expected).then_some(())
    })
    .await;
    let said = every_way(shop, "/licenses", "license_id").await;
    for license in said.values() {
        let order = &orders[license["order_id"].as_str().expect("an order")];
        let line = license["line"]
            .as_u64()
            .and_then(|line| usize::try_from(line).ok())
            .expect("a line");
        let sold = &order["lines"][line - 1];
        for field in [
            "holder",
            "vehicle",
            "activity_date",
            "activity_days",
            "price_ore",
            "club_name",
        ] {
            assert_eq!(license[field], sold[field], "{field} of {license}");
        }
    }
    every_filter_finds(shop, "/licenses", "license_id", &said).await;
}

/// What a row says finds the row.
async fn every_filter_finds(shop: &Shop, path: &str, id: &str, said: &Rows) {
    let sample: Vec<&Value> = said.values().step_by(said.len() / SAMPLE + 1).collect();
    stream::iter(sample)
        .for_each_concurrent(AT_ONCE, |row| async move {
            for (filter, wanted) in reading_of(path, row) {
                let filter: String = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(filter)
                    .finish();
                let found = rows(shop, &format!("{path}?limit=200&{filter}"), id).await;
                assert!(
                    found.contains_key(row[id].as_str().expect("an id")),
                    "{wanted} of {row} by {filter}"
                );
            }
        })
        .await;
}

type Filter = Vec<(&'static str, String)>;

/// Filters that a row satisfies, each with what it is about.
fn reading_of(path: &str, row: &Value) -> Vec<(Filter, &'static str)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let line = if path == "/orders" { &row["lines"][0] } else { row };
    let mut filters: Vec<(Filter, &'static str)> = Vec::new();
    let mut one = |name: &'static str, value: Option<String>| {
        if let Some(value) = value {
            filters.push((vec![(name, value)], name));
        }
    };
    one("status", text(&row["status"]));
    one("club_id", text(&line["club_id"]));
    one("license_type", text(&line["license_type"]));
    one(
        "q",
        text(&row["order_number"]).map(|number| number.to_lowercase()),
    );
    one(
        "q",
        text(&row["order_number"]).map(|number| number.replace('-', "")),
    );
    let holder = &line["holder"];
    // At most a hundred characters are searched for.
    let short = |text: String| text.chars().take(100).collect::<String>();
    one("q", text(&holder["name"]).map(short));
    // Capitals of some letters are those of others.
    let capitals = |name: String| {
        let capitals = name.to_uppercase();
        (text::fold(&capitals) == text::fold(&name)).then_some(short(capitals))
    };
    one("q", text(&holder["name"]).and_then(capitals));
    one("q", text(&holder["phone"]));
    one("q", text(&holder["phone"]).map(|phone| phone.replace("+47", "")));
    one("q", text(&holder["email"]).map(short));
    for number in ["registration", "vehicle_license", "chassis"] {
        one("q", text(&line["vehicle"][number]));
        one(
            "q",
            text(&line["vehicle"][number]).map(|number| number.to_lowercase()),
        );
    }
    if let Some(day) = text(&line["activity_date"]) {
        filters.push((
            vec![("activity_from", day.clone()), ("activity_to", day)],
            "its day",
        ));
    }
    if let (Some(total), Some(created)) = (row["total_ore"].as_i64(), text(&row["created_at"])) {
        filters.push((
            vec![
                ("total_min_ore", total.to_string()),
                ("total_max_ore", total.to_string()),
            ],
            "its total",
        ));
        filters.push((vec![("created_from", created)], "its moment"));
    }
    filters
}
