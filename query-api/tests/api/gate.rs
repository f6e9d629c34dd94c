//! What a gate gets: codes, keys, revocations, and the public view of a license.

use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Days, NaiveDate, Utc};
use documents::qr::{Payload, PublicKey, Refusal, judge, short_hash};
use serde_json::{Value, json};
use stack::Role;
use uuid::Uuid;

use crate::rows;
use crate::support::{Answer, App, eventually};

const KEYS: &str = "/.well-known/license-keys.json";

fn today() -> NaiveDate {
    Utc::now().with_timezone(&chrono_tz::Europe::Oslo).date_naive()
}

fn bytes(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

/// The keys of a list, as a gate reads them.
fn published(list: &Value) -> Vec<PublicKey> {
    let keys = list["keys"].as_array().unwrap().iter();
    keys.map(|key| PublicKey {
        id: u16::try_from(key["kid"].as_u64().unwrap()).unwrap(),
        key: bytes(&key["public_key"]).try_into().unwrap(),
        not_before: key["not_before"].as_str().unwrap().parse().unwrap(),
        not_after: key["not_after"].as_str().unwrap().parse().unwrap(),
    })
    .collect()
}

/// Whether the root key signed a text. It is in no answer: gates have it built in.
fn is_signed(app: &App, text: &str, list: &Value) -> bool {
    let root = app.state.signer.as_ref().unwrap().ring().root_public();
    let root = URL_SAFE_NO_PAD.decode(root).unwrap();
    UnparsedPublicKey::new(&ED25519, root)
        .verify(text.as_bytes(), &bytes(&list["signature"]))
        .is_ok()
}

async fn code(app: &App, id: Uuid) -> Value {
    let answer = app
        .get(&format!("/api/v1/licenses/{id}?fields=qr"), &app.staff())
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.body["qr"].clone()
}

#[tokio::test]
async fn a_code_is_there_on_request_and_says_what_the_row_says() -> Result<()> {
    let app = App::start().await?;
    let vehicle = json!({"registration": "EK12345", "chassis": "123"});
    let day = today() + Days::new(20);
    let id = rows::license(
        &app.projector,
        json!({"vehicle": vehicle, "activity_date": day, "activity_days": 2}),
    )
    .await?;
    let plain = app.get(&format!("/api/v1/licenses/{id}"), &app.staff()).await;
    assert_eq!(plain.body.get("qr"), None, "{plain:?}");
    let list = app
        .get("/api/v1/licenses?fields=qr,license_id", &app.staff())
        .await;
    let text = code(&app, id).await;
    assert_eq!(list.body["items"], json!([{"license_id": id, "qr": text}]));
    let keys = published(&app.get_anonymously(KEYS).await.body);
    let payload = judge(text.as_str().context("a code")?, &keys);
    let expected = Payload {
        key_id: 1,
        license_id: id,
        license_type: short_hash(b"konkurranse-bilcross"),
        club: short_hash(Uuid::nil().as_bytes()),
        first_day: day,
        days: 2,
        birth_date: "1990-05-17".parse()?,
        vehicle: short_hash(b"EK12345"),
        name: "Kari Nordmann".into(),
    };
    assert_eq!(payload, Ok(expected));
    for (change, has_code) in [
        ("status = 'suspended'", true),
        ("status = 'checked_in'", true),
        ("holder_erased_at = now()", false),
        ("holder_erased_at = null, activity_date = '2150-01-01'", false),
        ("activity_date = '2001-01-01'", false),
        ("status = 'revoked'", false),
    ] {
        app.projector
            .batch_execute(&format!("update licenses set {change}"))
            .await?;
        assert_eq!(code(&app, id).await.is_string(), has_code, "{change}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rotated_key_signs_from_its_beginning_and_older_codes_stay_good() -> Result<()> {
    let app = App::start().await?;
    let id = rows::license(&app.projector, json!({"activity_date": today() + Days::new(20)})).await?;
    let old = code(&app, id).await;
    app.keys.run(&["rotate", "--begins-in-hours=24"])?;
    app.keys.run(&["rotate", "--begins-in-hours=0"])?;
    let keys = eventually("three keys are published", async || {
        let list = app.get_anonymously(KEYS).await;
        Some(published(&list.body)).filter(|keys| keys.len() == 3)
    })
    .await;
    let new = code(&app, id).await;
    let key_of = |text: &Value| judge(text.as_str().unwrap(), &keys).map(|payload| payload.key_id);
    assert_eq!(
        (key_of(&old), key_of(&new)),
        (Ok(1), Ok(3)),
        "the second begins tomorrow"
    );
    assert_eq!(
        judge(new.as_str().unwrap(), &keys[..1]),
        Err(Refusal::UnknownKey),
        "a gate with an old list asks for a new one"
    );
    // A file that is damaged changes nothing but the health of the service.
    std::fs::write(app.keys.file(), "{")?;
    eventually("the health names the file", async || {
        let readiness = format!("{:?}", app.health.readiness());
        readiness.contains("license keys cannot be read").then_some(())
    })
    .await;
    assert_eq!(code(&app, id).await, new);
    Ok(())
}

#[tokio::test]
async fn the_list_of_keys_is_signed_and_may_be_cached() -> Result<()> {
    let app = App::start().await?;
    let answer = app.get_anonymously(KEYS).await;
    let list = &answer.body;
    let mut text = format!("bilsport-license-keys-1\n{}\n", list["at"].as_str().unwrap());
    for key in list["keys"].as_array().unwrap() {
        let of = |name: &str| key[name].as_str().unwrap();
        let row = format!(
            "{} {} {} {}\n",
            key["kid"],
            of("public_key"),
            of("not_before"),
            of("not_after")
        );
        text += &row;
    }
    assert!(is_signed(&app, &text, list), "{list}");
    assert!(!is_signed(&app, &text.replace(" 20", " 21"), list));
    assert!(
        answer.header("cache-control").starts_with("public, max-age="),
        "{answer:?}"
    );
    let shown = answer.bytes;
    let file = std::fs::read_to_string(app.keys.file())?;
    let file: Value = serde_json::from_str(&file)?;
    let seed = file["keys"][0]["seed"].as_str().unwrap();
    assert!(!String::from_utf8(shown)?.contains(seed));
    let refused = app.get_anonymously(&format!("{KEYS}?x=1")).await;
    assert!(refused.is(400, "unknown_parameter"), "{refused:?}");
    Ok(())
}

/// The text that is signed of a list of revocations.
fn signed(list: &Value) -> String {
    let of = |name: &str| list[name].as_str().unwrap();
    let scope = list["since"]
        .as_u64()
        .map_or("full".to_owned(), |since| format!("since {since}"));
    let mut text = format!(
        "bilsport-revocations-1\n{}\n{}\n{}\n{scope}\n",
        of("epoch"),
        list["position"],
        of("at")
    );
    for (mark, name) in [("+", "full"), ("+", "added"), ("-", "removed")] {
        for hash in list[name].as_array().into_iter().flatten() {
            text = text + mark + hash.as_str().unwrap() + "\n";
        }
    }
    text
}

fn hash(id: Uuid) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, id.as_bytes());
    digest.as_ref()[..8]
        .iter()
        .fold(String::new(), |all, byte| all + &format!("{byte:02x}"))
}

async fn revocations(app: &App, query: &str) -> Answer {
    let answer = app.get_anonymously(&format!("/revocations{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(is_signed(app, &signed(&answer.body), &answer.body), "{answer:?}");
    answer
}

#[tokio::test]
async fn revocations_are_those_of_yesterday_and_later_and_change_with_each_event() -> Result<()> {
    let app = App::start().await?;
    app.project_to(50).await?;
    let void = |status: &str, ago: u64, days: u32, position: u64| {
        json!({"status": status, "activity_date": today() - Days::new(ago), "activity_days": days, "position": position,
               "revocation_position": position})
    };
    let yesterday = rows::license(&app.projector, void("revoked", 1, 1, 10)).await?;
    rows::license(&app.projector, void("revoked", 2, 1, 11)).await?;
    let long = rows::license(&app.projector, void("suspended", 2, 3, 12)).await?;
    let restored = rows::license(&app.projector, void("issued", 0, 1, 13)).await?;
    rows::license(&app.projector, json!({"activity_date": today(), "position": 14})).await?;
    let full = revocations(&app, "").await;
    let mut expected = vec![hash(yesterday), hash(long)];
    expected.sort();
    assert_eq!(full.body["full"], json!(expected));
    assert_eq!(
        (&full.body["position"], &full.body["epoch"]),
        (&json!(50), &json!(Uuid::nil()))
    );
    assert_eq!(
        full.header("cache-control"),
        "public, max-age=30, stale-while-revalidate=60"
    );
    assert_eq!(full.header("event-position"), "50");

    for (since, added, removed) in [
        (10, vec![hash(long)], vec![hash(restored)]),
        (12, vec![], vec![hash(restored)]),
        (13, vec![], vec![]),
        (9_000_000, vec![], vec![]),
    ] {
        let changes = revocations(&app, &format!("?since={since}")).await;
        assert_eq!(changes.body["added"], json!(added), "{since}");
        assert_eq!(changes.body["removed"], json!(removed), "{since}");
        assert_eq!(changes.body["since"], since);
    }
    let same = revocations(&app, &format!("?since=13&epoch={}", Uuid::nil())).await;
    assert_eq!(same.body.get("full"), None);
    let other = revocations(&app, &format!("?since=13&epoch={}", Uuid::new_v4())).await;
    assert_eq!(other.body["full"], json!(expected));
    for (query, code) in [
        ("?since=-1", "invalid_parameter"),
        ("?since=x", "invalid_parameter"),
        ("?from=1", "unknown_parameter"),
    ] {
        let refused = app.get_anonymously(&format!("/revocations{query}")).await;
        assert!(refused.is(400, code), "{refused:?}");
    }
    let tag = full.header("etag").to_owned();
    let again = app.get_with("/revocations", "", &[("if-none-match", &tag)]).await;
    let at = |answer: &Answer| {
        answer.body["at"]
            .as_str()
            .and_then(|at| at.parse::<DateTime<Utc>>().ok())
    };
    assert!(
        again.status == StatusCode::NOT_MODIFIED || at(&again) > at(&full),
        "{again:?}"
    );
    Ok(())
}

#[tokio::test]
async fn anyone_may_verify_a_license_and_learns_no_name() -> Result<()> {
    let app = App::start().await?;
    let id = rows::license(&app.projector, json!({"holder_email": "kari@example.no"})).await?;
    let path = format!("/api/v1/licenses/{id}/verification");
    let answer = app.get_anonymously(&path).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        answer.body["holder"],
        json!({"initials": "K.N.", "birth_year": 1990})
    );
    assert_eq!(
        (&answer.body["status"], &answer.body["license_id"]),
        (&json!("issued"), &json!(id))
    );
    let text = String::from_utf8(answer.bytes.clone())?;
    for personal in ["Kari", "Nordmann", "05-17", "example", "22 22"] {
        assert!(!text.contains(personal), "{text}");
    }
    assert!(answer.header("cache-control").starts_with("public"), "{answer:?}");
    app.projector
        .batch_execute("update licenses set holder_erased_at = now()")
        .await?;
    let erased = app.get_anonymously(&path).await;
    assert_eq!(erased.body["holder"], json!({"initials": "", "birth_year": null}));
    let unknown = app
        .get_anonymously(&format!("/api/v1/licenses/{}/verification", Uuid::new_v4()))
        .await;
    assert!(unknown.is(404, "not_found"), "{unknown:?}");
    let malformed = app.get_anonymously("/api/v1/licenses/1/verification").await;
    assert!(malformed.is(400, "malformed_path"), "{malformed:?}");
    Ok(())
}

#[tokio::test]
async fn without_keys_everything_else_works() -> Result<()> {
    let mut app = App::start().await?;
    let id = rows::license(&app.projector, json!({})).await?;
    app.change(|state| state.signer = None);
    let customer = app.token(Role::Staff, "staff", &[]);
    for path in [
        KEYS.to_owned(),
        "/revocations".into(),
        format!("/api/v1/licenses/{id}?fields=qr"),
        format!("/api/v1/licenses/{id}/license.pdf"),
    ] {
        let answer = app.get(&path, &customer).await;
        assert!(answer.is(503, "license_keys_missing"), "{path}: {answer:?}");
    }
    let row = app.get(&format!("/api/v1/licenses/{id}"), &customer).await;
    assert_eq!(row.status, StatusCode::OK, "{row:?}");
    Ok(())
}
