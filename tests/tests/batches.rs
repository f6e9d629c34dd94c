//! `POST /batches`: many commands of one kind, each judged by itself, once, whatever dies meanwhile.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::books::{connect, rows_equal_a_replay};
use system_tests::{Answer, Shop, answer, eventually_within};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_mins(2);

/// Sends a file of items.
async fn send(shop: &Shop, key: &str, address: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let url = format!("{}/api/v1/batches{address}", shop.system.command_api_url());
    let request = shop.http().post(url).bearer_auth(&shop.tokens.staff);
    let request = request
        .header("Idempotency-Key", key)
        .header("Content-Type", content_type);
    answer(request.body(body.into())).await.unwrap()
}

async fn submit(shop: &Shop, key: &str, kind: &str, items: &[Value]) -> String {
    let batch = json!({"kind": kind, "items": items});
    let submitted = shop
        .post("/batches", &shop.tokens.staff, key, &batch)
        .await
        .expect(202);
    assert_eq!(submitted.body["total"], items.len());
    submitted.text_at("/batch_id").to_owned()
}

/// The batch when all of its items are done.
async fn done(shop: &Shop, batch_id: &str) -> Value {
    let path = format!("/batches/{batch_id}");
    eventually_within(PATIENCE, "the batch is done", async || {
        let batch = shop.get(&path, &shop.tokens.staff).await;
        (batch.status == 200 && batch.body["status"] == "done").then_some(batch.body)
    })
    .await
}

/// All results of a batch that is done, in their order.
async fn results(shop: &Shop, batch_id: &str) -> Vec<Value> {
    let batch = done(shop, batch_id).await;
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/batches/{batch_id}/results?limit=100{after}");
        let page = shop.get(&path, &shop.tokens.staff).await.expect(200);
        all.extend(page.body["items"].as_array().unwrap().clone());
        match page.body["next_cursor"].as_str() {
            Some(cursor) => after = format!("&cursor={cursor}"),
            None => break,
        }
    }
    let failed = all.iter().filter(|result| result["outcome"] == "failed").count();
    assert_eq!(batch["total"], all.len());
    assert_eq!(batch["failed"], failed);
    assert_eq!(batch["succeeded"], all.len() - failed);
    for (place, result) in all.iter().enumerate() {
        assert_eq!(result["n"], place + 1, "{result}");
    }
    all
}

/// The outcome of each item: `done`, or the code of its problem with the fields that are wrong.
async fn outcomes(shop: &Shop, batch_id: &str) -> Vec<String> {
    let outcome = |result: &Value| {
        let Some(code) = result["code"].as_str() else {
            assert_eq!(result["outcome"], "succeeded");
            return "done".to_owned();
        };
        let fields = result["fields"].as_array().unwrap().iter();
        let fields = fields.map(|field| {
            format!(
                " {} {}",
                field["pointer"].as_str().unwrap(),
                field["code"].as_str().unwrap()
            )
        });
        format!("{code}{}", fields.collect::<String>())
    };
    results(shop, batch_id).await.iter().map(outcome).collect()
}

async fn count(shop: &Shop, sql: &str) -> i64 {
    let log = connect(&shop.system.databases().events_owner).await;
    log.query_one(sql, &[]).await.unwrap().get(0)
}

fn complimentary(shop: &Shop, holder: &str) -> Value {
    let mut item = shop.line("konkurranse-bilcross", holder);
    item["reason"] = json!("Volunteer of the club");
    item
}

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
            json!({"code": "konkurranse-bilcross", "price_ore": 43_000}),
            json!({"code": "konkurranse-bilcross", "price_ore": 0}),
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
            "done",
            "validation_failed /price_ore price_invalid",
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
            "done",
            "done",
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

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of bad files")]
async fn files_are_taken_as_spreadsheets_write_them_or_refused_whole() {
    let shop = Shop::open(Options::default()).await;
    let csv = "\u{feff}name;status\r\nNMK Bodø;\r\n\"Bilklubb \"\"Åsen\"\"; øst\";inactive\r\n;\r\n";
    let address = "?kind=upsert_club";
    let submitted = send(&shop, "csv", address, "text/csv; charset=utf-8", csv)
        .await
        .expect(202);
    assert_eq!(submitted.body["total"], 2);
    let batch_id = submitted.text_at("/batch_id");
    assert_eq!(outcomes(&shop, batch_id).await, ["done", "done"]);
    let found = shop
        .get("/clubs?q=nmk%20bodø", &shop.tokens.staff)
        .await
        .expect(200);
    assert_eq!(found.body["items"][0]["name"], "NMK Bodø");
    // The same file under the same key is the same batch; another file is not.
    let again = send(&shop, "csv", address, "text/csv; charset=utf-8", csv)
        .await
        .expect(202);
    assert_eq!(
        (&again.text, again.header("idempotency-replayed")),
        (&submitted.text, Some("true"))
    );
    let other = send(&shop, "csv", address, "text/csv", "name\nNMK Annenby\n")
        .await
        .expect(422);
    assert_eq!(other.body["code"], "idempotency_key_reused");

    let lines = "{\"code\":\"banedag-racing\",\"price_ore\":50000}\n\n{\"code\":\"banedag-racing\"}";
    let submitted = send(
        &shop,
        "lines",
        "?kind=set_price&dry_run=false",
        "application/x-ndjson",
        lines,
    )
    .await;
    let submitted = submitted.expect(202);
    assert_eq!(
        outcomes(&shop, submitted.text_at("/batch_id")).await,
        ["done", "malformed_body /price_ore missing_field"]
    );

    let many = "{}\n".repeat(10_001);
    let mut large = b"name\n".to_vec();
    large.extend(vec![b'x'; 33 << 20]);
    let items = |items: &str| format!("{{\"kind\":\"set_price\",\"items\":{items}}}").into_bytes();
    for (name, address, content_type, body, status, code) in [
        (
            "windows-1252",
            address,
            "text/csv",
            b"name\nNMK Bod\xf8\n".to_vec(),
            422,
            "not_utf8",
        ),
        (
            "utf-16",
            address,
            "text/csv",
            b"\xff\xfen\0a\0".to_vec(),
            422,
            "not_utf8",
        ),
        (
            "columns",
            address,
            "text/csv",
            b"navn\nNMK\n".to_vec(),
            422,
            "csv_column_unknown",
        ),
        (
            "cells",
            address,
            "text/csv",
            b"name;status\nNMK\n".to_vec(),
            422,
            "csv_cells",
        ),
        (
            "header",
            address,
            "text/csv",
            Vec::new(),
            422,
            "csv_header_missing",
        ),
        (
            "empty",
            address,
            "text/csv",
            b"name\n".to_vec(),
            422,
            "batch_empty",
        ),
        ("large", address, "text/csv", large, 413, "body_too_large"),
        (
            "charset",
            address,
            "text/csv; charset=windows-1252",
            b"name\nNMK\n".to_vec(),
            415,
            "unsupported_media_type",
        ),
        (
            "type",
            address,
            "application/vnd.ms-excel",
            b"name\nNMK\n".to_vec(),
            415,
            "unsupported_media_type",
        ),
        (
            "no-kind",
            "",
            "text/csv",
            b"name\nNMK\n".to_vec(),
            422,
            "batch_kind",
        ),
        (
            "kinds",
            "?kind=upsert_club&kind=suspend",
            "text/csv",
            b"name\nNMK\n".to_vec(),
            422,
            "batch_kind",
        ),
        (
            "unknown-kind",
            "?kind=club",
            "text/csv",
            b"name\nNMK\n".to_vec(),
            422,
            "batch_kind",
        ),
        (
            "parameter",
            "?kinds=set_price",
            "application/json",
            items("[{}]"),
            400,
            "unknown_parameter",
        ),
        (
            "many",
            "?kind=set_price",
            "application/x-ndjson",
            many.into_bytes(),
            422,
            "batch_too_many",
        ),
        (
            "line",
            "?kind=set_price",
            "application/x-ndjson",
            b"{}\n{".to_vec(),
            400,
            "malformed_body",
        ),
        (
            "no-items",
            "",
            "application/json",
            items("[]"),
            422,
            "batch_empty",
        ),
        (
            "half",
            "",
            "application/json",
            items("[{}"),
            400,
            "malformed_body",
        ),
        (
            "deep",
            "",
            "application/json",
            items(&"[".repeat(1_000)),
            400,
            "malformed_body",
        ),
    ] {
        let refused = send(&shop, name, address, content_type, body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["code"]),
            (status, &json!(code)),
            "{name}: {}",
            refused.text
        );
    }
    let url = format!(
        "{}/api/v1/batches?kind=upsert_club",
        shop.system.command_api_url()
    );
    let request = || {
        shop.http()
            .post(&url)
            .header("Content-Type", "text/csv")
            .body("name\nNMK Tredjeby\n")
    };
    let packed = request()
        .bearer_auth(&shop.tokens.staff)
        .header("Idempotency-Key", "packed");
    answer(packed.header("Content-Encoding", "gzip"))
        .await
        .unwrap()
        .expect(415);
    let keyless = answer(request().bearer_auth(&shop.tokens.staff))
        .await
        .unwrap()
        .expect(400);
    assert_eq!(keyless.body["code"], "idempotency_key_missing");
    for token in [&shop.tokens.customer, &shop.tokens.organizer] {
        answer(request().bearer_auth(token).header("Idempotency-Key", "who"))
            .await
            .unwrap()
            .expect(403);
    }
    answer(request().header("Idempotency-Key", "who"))
        .await
        .unwrap()
        .expect(401);
    assert_eq!(
        count(&shop, "select count(*) from staged_chunks").await,
        0,
        "nothing is left of a refused file"
    );
    assert_eq!(
        count(
            &shop,
            "select count(*) from events where event_type = 'BatchSubmitted'"
        )
        .await,
        2
    );
    shop.close().await;
}

#[tokio::test]
async fn operators_submit_files_on_the_command_line() {
    let shop = Shop::open(Options::default()).await;
    let directory = std::env::temp_dir().join(format!("batches-{}", Uuid::now_v7()));
    std::fs::create_dir(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = async |arguments: &[&str]| {
        let arguments = [&["batch"], arguments].concat();
        let mut command = shop.system.command(Process::CommandApi, &arguments).unwrap();
        command.env("JSON", "true").stdin(std::process::Stdio::null());
        let output = command.output().await.unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (
            output.status.code().unwrap(),
            said,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let prices = file("prices.csv", "code;price_kr\nkonkurranse-bilcross;430,50\n");
    let (status, report, _) = run(&["submit", "--kind", "set_price", &prices]).await;
    assert_eq!(
        (status, &report["succeeded"], &report["status"]),
        (0, &json!(1), &json!("done"))
    );
    // The same file is the same batch, until it is said to be another one.
    let (_, again, _) = run(&["submit", "--kind", "set_price", &prices]).await;
    assert_eq!(again, report);
    let (_, other, _) = run(&["submit", "--kind", "set_price", "--again", "2", &prices]).await;
    assert_ne!(other["batch_id"], report["batch_id"]);
    let clubs = file("clubs.ndjson", "{\"name\":\"NMK Nyby\"}\n{\"nam\":1}\n");
    let (status, report, said) = run(&["submit", "--kind", "upsert_club", "--dry-run", &clubs]).await;
    assert_eq!(
        (status, &report["dry_run"], &report["failed"]),
        (1, &json!(true), &json!(1)),
        "{said}"
    );
    let failure = &report["failures"][0];
    assert_eq!(
        (&failure["n"], &failure["code"]),
        (&json!(2), &json!("unknown_field"))
    );
    assert!(said.contains("1 items failed"), "{said}");
    let (status, looked, _) = run(&["status", report["batch_id"].as_str().unwrap()]).await;
    assert_eq!((status, &looked), (1, &report));

    let latin = directory.join("latin.csv");
    std::fs::write(&latin, b"name\nNMK Bod\xf8\n").unwrap();
    let nowhere = Uuid::now_v7().to_string();
    for (arguments, why) in [
        (
            &["submit", "--kind", "upsert_club", latin.to_str().unwrap()][..],
            "Line 2 is not UTF-8",
        ),
        (&["submit", &clubs][..], "Say what the items are"),
        (
            &["submit", "--kind", "upsert_club", "/nowhere.csv"][..],
            "cannot read /nowhere.csv",
        ),
        (&["submit", "--kind", "upsert_club", "-"][..], "--format"),
        (&["status", &nowhere][..], "there is no batch"),
        (&["submit", "--kind", "clubs", &clubs][..], "upsert_club"),
    ] {
        let (status, _, said) = run(arguments).await;
        assert!(
            status == 2 && said.contains(why),
            "{arguments:?}: {status} {said}"
        );
    }
    assert_eq!(count(&shop, "select count(*) from staged_chunks").await, 0);
    std::fs::remove_dir_all(directory).unwrap();
    shop.close().await;
}

/// How many people each killed batch suspends.
const PEOPLE: usize = 2_000;

#[tokio::test]
async fn no_item_is_done_twice_or_left_out_when_command_api_is_killed() {
    let shop = Shop::open_private(Options {
        second_command_api: true,
        ..Options::default()
    })
    .await;
    let person = |number: usize| {
        let name = format!("Ola {}", letters(number));
        json!({"person": {"name": name, "birth_date": "1990-05-17"}, "reason": "Decision 12/2026"})
    };
    let items: Vec<Value> = (0..PEOPLE).map(person).collect();
    let batch_id = submit(&shop, "suspensions", "suspend", &items).await;
    let log = connect(&shop.system.databases().events_owner).await;
    let imposed = "select count(*) from events where event_type = 'SuspensionImposed'";
    for round in 1..=2 {
        let enough = i64::try_from(round * PEOPLE / 5).unwrap();
        eventually_within(PATIENCE, "some of the items", async || {
            let count: i64 = log.query_one(imposed, &[]).await.ok()?.get(0);
            (count >= enough).then_some(())
        })
        .await;
        // Whichever of them does the batch.
        for victim in [Process::CommandApi, Process::CommandApi2] {
            shop.system.kill(victim).await.unwrap();
            shop.system.wait_ready(victim).await.unwrap();
        }
    }
    let all = results(&shop, &batch_id).await;
    assert!(
        all.iter().all(|result| result["outcome"] == "succeeded"),
        "{all:?}"
    );
    let count: i64 = log.query_one(imposed, &[]).await.unwrap().get(0);
    assert_eq!(count, i64::try_from(PEOPLE).unwrap(), "each once");
    let left: i64 = log
        .query_one("select count(*) from staged_chunks", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
    assert!(
        shop.place("on", &shop.order_for(&format!("Ola {}", letters(7))))
            .await
            .status
            == 422
    );
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}

/// A name without digits.
fn letters(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return name;
        }
    }
}
