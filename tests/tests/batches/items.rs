//! Each item is judged by itself, as its route would.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use stack::Options;
use system_tests::books::rows_equal_a_replay;
use system_tests::{Shop, answer};
use uuid::Uuid;

use super::{complimentary, count, outcomes, results, submit};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn each_kind_does_what_its_route_does_and_each_item_is_judged_by_itself() {
    let shop = Shop::open(Options::default()).await;
    let staff = &shop.tokens.staff;

    let prices = submit(
        &shop,
        "prices",
        "set_price",
        &[
            // The first of its type: it must not speak for those after it.
            json!({"code": "konkurranse-bilcross", "price_ore": "43000"}),
            json!({"code": "konkurranse-bilcross", "price_ore": 43_000}),
            json!({"code": "konkurranse-bilcross", "price_ore": 0}),
            json!({"code": "no-such-type", "price_ore": 1}),
            json!({"code": "no-such-type", "price_ore": 43_000}),
            json!({"code": "konkurranse-bilcross", "price_ore": 44_000}),
            json!({"code": "konkurranse-bilcross"}),
            json!({"price_ore": 1}),
            json!({"code": 7, "price_ore": 1}),
            json!({"code": "konkurranse-bilcross", "price_ore": 1, "more": true}),
        ],
    )
    .await;
    assert_eq!(
        outcomes(&shop, &prices).await,
        [
            "malformed_body /price_ore invalid_value",
            "done",
            "validation_failed /price_ore price_invalid",
            "not_found",
            "not_found",
            "done",
            "malformed_body /price_ore missing_field",
            "malformed_body /code missing_field",
            "malformed_body /code invalid_value",
            "unknown_field /more unknown_field",
        ]
    );

    let clubs = submit(
        &shop,
        "clubs",
        "upsert_club",
        &[
            json!({"name": "NMK Nyby"}),
            json!({"name": " nmk  NYBY", "status": "inactive"}),
            json!({"club_id": shop.clubs[0], "name": "NMK Testby Motorklubb"}),
            json!({"club_id": Uuid::nil(), "name": "Nobody"}),
            json!({"name": "KNA Stengt", "status": "inactive"}),
            json!({"name": ""}),
            json!({"status": "inactive"}),
            json!({"club_id": shop.clubs[1], "name": "NMK Testby Motorklubb"}),
        ],
    )
    .await;
    let of_clubs = outcomes(&shop, &clubs).await;
    assert_eq!(of_clubs[..5], ["done", "done", "done", "not_found", "done"]);
    assert!(of_clubs[5].starts_with("validation_failed /name"), "{of_clubs:?}");
    assert_eq!(
        of_clubs[6..],
        ["malformed_body /name missing_field", "club_exists"]
    );
    let targets = results(&shop, &clubs).await;
    assert_eq!(
        targets[0]["target"], targets[1]["target"],
        "one club in two spellings"
    );
    let found = shop.get("/clubs?q=nyby", staff).await.expect(200);
    assert_eq!(found.body["items"].as_array().unwrap().len(), 1);

    let suspended = submit(
        &shop,
        "suspensions",
        "suspend",
        &[
            json!({"person": {"name": "Ola Utestengt", "birth_date": "1990-05-17"}, "reason": "Decision 12/2026"}),
            json!({"vehicle": {"registration": "CD54321"}, "reason": "Technical control"}),
            json!({"reason": "Nobody"}),
        ],
    )
    .await;
    assert_eq!(
        outcomes(&shop, &suspended).await,
        ["done", "done", "validation_failed /person suspension_subject"]
    );

    let mut unknown_type = complimentary(&shop, "Kari Nordmann");
    unknown_type["license_type"] = json!("no-such-type");
    let mut no_reason = complimentary(&shop, "Per Nordmann");
    no_reason["reason"] = json!(" ");
    let given = submit(
        &shop,
        "given",
        "complimentary_license",
        &[
            complimentary(&shop, "Kari Nordmann"),
            complimentary(&shop, "Ola Utestengt"),
            unknown_type,
            no_reason,
            complimentary(&shop, "Liv Nordmann"),
        ],
    )
    .await;
    let of_given = outcomes(&shop, &given).await;
    assert_eq!(
        of_given[..3],
        [
            "done",
            "validation_failed /holder holder_suspended",
            "validation_failed /license_type license_type_unknown"
        ]
    );
    assert!(
        of_given[3].starts_with("validation_failed /reason"),
        "{of_given:?}"
    );
    assert_eq!(of_given[4], "done");
    let again = submit(
        &shop,
        "again",
        "complimentary_license",
        &[complimentary(&shop, "KARI nordmann")],
    )
    .await;
    assert_eq!(outcomes(&shop, &again).await, ["license_exists"]);
    // Rule 7 counts it, also when it is ordered.
    let refused = shop.place("ordered", &shop.order_for("Kari Nordmann")).await;
    assert_eq!(refused.expect(422).body["code"], "license_exists");

    let given = results(&shop, &given).await;
    let [kari, liv] = [0, 4].map(|place| given[place]["target"].as_str().unwrap().to_owned());
    let license = shop.get(&format!("/licenses/{kari}"), staff).await.expect(200);
    assert_eq!(
        (license.text_at("/status"), &license.body["price_ore"]),
        ("issued", &json!(0))
    );
    let pdf = format!(
        "{}/api/v1/licenses/{kari}/license.pdf",
        shop.system.query_api_url()
    );
    let pdf = answer(shop.http().get(pdf).bearer_auth(staff)).await.unwrap();
    assert_eq!(pdf.status, 200);

    let scan_id = Uuid::now_v7();
    let at = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let scan = |license_id: &str, scan_id: Uuid| {
        json!({"license_id": license_id, "scan_id": scan_id, "at": at, "device_id": "tablet 2",
            "gate": "Port 1", "verdict": "valid"})
    };
    let unknown = Uuid::now_v7().to_string();
    let scans = submit(
        &shop,
        "scans",
        "check_in",
        &[
            scan(&liv, scan_id),
            scan(&liv, scan_id),
            scan(&liv, Uuid::now_v7()),
            scan(&unknown, Uuid::now_v7()),
            scan("no-id", Uuid::now_v7()),
        ],
    )
    .await;
    assert_eq!(
        outcomes(&shop, &scans).await,
        [
            "done",
            "done",
            "done duplicate",
            "done unknown_license",
            "malformed_body /license_id invalid_value"
        ]
    );
    let path = format!("/licenses/{liv}");
    let checked_in = shop.get(&path, staff).await.expect(200);
    assert_eq!(checked_in.text_at("/status"), "checked_in");
    assert_eq!(checked_in.body["scan_count"], 2, "one scan came twice");

    let holder = json!({"name": "Kari Nordmann Hansen", "birth_date": "1990-05-17", "phone": "90000000"});
    let corrections = submit(
        &shop,
        "corrections",
        "correct_license",
        &[
            json!({"license_id": kari, "reason": "Misspelled", "holder": holder}),
            json!({"license_id": liv, "reason": "Misspelled", "holder": holder}),
            json!({"license_id": unknown, "reason": "Misspelled", "holder": holder}),
        ],
    )
    .await;
    assert_eq!(
        outcomes(&shop, &corrections).await,
        ["done", "license_state", "not_found"]
    );
    let revocations = submit(
        &shop,
        "revocations",
        "revoke_license",
        &[
            json!({"license_id": kari, "reason": "Expelled"}),
            json!({"license_id": kari, "reason": "Expelled again"}),
            json!({"license_id": liv, "reason": "Expelled", "refund": true}),
        ],
    )
    .await;
    assert_eq!(
        outcomes(&shop, &revocations).await,
        ["done", "done", "license_state"]
    );
    let revoked = shop.get(&format!("/licenses/{kari}"), staff).await.expect(200);
    assert_eq!(revoked.text_at("/status"), "revoked");
    assert_eq!(revoked.text_at("/holder/name"), "Kari Nordmann Hansen");

    // Who submitted it is in the events of its items.
    let actors = "select count(distinct metadata::jsonb->>'actor') from events
        where event_type in ('BatchSubmitted', 'LicenseGranted', 'LicenseTypePriceSet', 'SuspensionImposed')";
    assert_eq!(count(&shop, actors).await, 1);
    assert_eq!(count(&shop, "select count(*) from staged_chunks").await, 0);
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_fail_and_does_nothing() {
    let shop = Shop::open(Options::default()).await;
    let given = json!([complimentary(&shop, "Kari Nordmann")]);
    let given = submit(&shop, "given", "complimentary_license", given.as_array().unwrap()).await;
    assert_eq!(outcomes(&shop, &given).await, ["done"]);
    let before = "select count(*) from events where aggregate_type <> 'batch'";
    let events = count(&shop, before).await;
    let rehearse = async |key: &str, kind: &str, items: Value| {
        let batch = json!({"dry_run": true, "kind": kind, "items": items});
        let submitted = shop
            .post("/batches", &shop.tokens.staff, key, &batch)
            .await
            .expect(202);
        assert_eq!(submitted.body["dry_run"], true);
        outcomes(&shop, submitted.text_at("/batch_id")).await
    };
    let clubs = json!([{"name": "NMK Testby"}, {"name": "NMK Nyby"}, {"name": "NMK Nyby", "status": "inactive"}, {"name": ""}]);
    let of_clubs = rehearse("clubs", "upsert_club", clubs).await;
    assert_eq!(of_clubs[..3], ["done", "done", "done"]);
    assert!(of_clubs[3].starts_with("validation_failed /name"));
    let licenses = json!([
        complimentary(&shop, "Kari Nordmann"),
        complimentary(&shop, "Per Nordmann")
    ]);
    assert_eq!(
        rehearse("licenses", "complimentary_license", licenses).await,
        ["license_exists", "done"]
    );
    let prices = json!([{"code": "konkurranse-bilcross", "price_ore": 1}, {"code": "konkurranse-bilcross", "price_ore": 0}]);
    assert_eq!(
        rehearse("prices", "set_price", prices).await,
        ["done", "validation_failed /price_ore price_invalid"]
    );
    assert_eq!(count(&shop, before).await, events, "nothing was recorded");
    shop.close().await;
}
