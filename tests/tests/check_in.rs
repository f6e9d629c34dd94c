//! `POST /licenses/{license_id}/check-in`: every scan at a gate is a fact.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::books::rows_equal_a_replay;
use system_tests::{Answer, Shop, answer, eventually};
use uuid::Uuid;

fn text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn ago(time: TimeDelta) -> String {
    text(Utc::now() - time)
}

fn scan(scan_id: Uuid, gate: &str, at: &str) -> Value {
    json!({"scan_id": scan_id, "at": at, "device_id": "tablet 2", "gate": gate, "verdict": "valid"})
}

/// Sends a scan without any header but the login, as a gate does.
async fn send(shop: &Shop, base: &str, token: &str, license_id: &str, scan: &Value) -> Answer {
    let url = format!("{base}/api/v1/licenses/{license_id}/check-in");
    let request = shop.http().post(url).bearer_auth(token).json(scan);
    answer(request).await.unwrap()
}

async fn check_in(shop: &Shop, license_id: &str, scan: &Value) -> Answer {
    let (base, organizer) = (shop.system.command_api_url(), &shop.tokens.organizer);
    send(shop, &base, organizer, license_id, scan).await.expect(200)
}

/// The license of a fulfilled order of this holder's.
async fn license_of(shop: &Shop, holder: &str) -> String {
    let placed = shop
        .place(&holder.replace(' ', "-"), &shop.order_for(holder))
        .await
        .expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    let order_id = placed.text_at("/order_id").to_owned();
    shop.order_with_status(&order_id, "fulfilled").await;
    let license = eventually("the license in the read model", || async {
        shop.licenses_of(&order_id).await.into_iter().next()
    })
    .await;
    license["license_id"].as_str().unwrap().to_owned()
}

async fn row(shop: &Shop, license_id: &str, position: u64) -> Value {
    let path = format!("/licenses/{license_id}?min_position={position}");
    shop.get(&path, &shop.tokens.staff).await.expect(200).body
}

async fn staff(shop: &Shop, license_id: &str, act: &str) -> Answer {
    let path = format!("/licenses/{license_id}/{act}");
    let because = json!({"reason": "so decided"});
    let key = Uuid::new_v4().to_string();
    shop.post(&path, &shop.tokens.staff, &key, &because)
        .await
        .expect(200)
}

#[tokio::test]
async fn of_64_devices_one_has_the_check_in_and_63_are_duplicates_of_it() {
    let shop = Shop::open(Options {
        second_command_api: true,
        ..Options::default()
    })
    .await;
    let license_id = license_of(&shop, "Kari Nordmann").await;
    let bases = [
        shop.system.command_api_url(),
        shop.system.second_command_api_url().unwrap(),
    ];
    let at = ago(TimeDelta::minutes(5));
    let scans: Vec<Value> = (0..64)
        .map(|n| scan(Uuid::now_v7(), &format!("Port {n}"), &at))
        .collect();
    let organizer = &shop.tokens.organizer;
    let until_recorded = async |n: usize| {
        eventually("the scan is recorded", async || {
            let sent = send(&shop, &bases[n % 2], organizer, &license_id, &scans[n]).await;
            // A device keeps a scan in its queue while the license is busy.
            (sent.status != 409).then_some(sent)
        })
        .await
        .expect(200)
    };
    let answers = join_all((0..64).map(until_recorded)).await;
    let first: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.text_at("/outcome") == "first")
        .collect();
    assert_eq!(first.len(), 1);
    let check_in = &first[0].body["first"];
    assert_eq!(check_in["at"], json!(at));
    for answer in &answers {
        assert!(
            ["first", "duplicate"].contains(&answer.text_at("/outcome")),
            "{}",
            answer.text
        );
        assert_eq!(&answer.body["first"], check_in, "{}", answer.text);
    }

    // Sent again, in other words and by another person at another instance, each gets its own answer.
    for (n, before) in answers.iter().enumerate() {
        let mut again = scans[n].clone();
        again["reason"] = json!(null);
        again["clock_offset_ms"] = json!(null);
        let replayed = send(
            &shop,
            &bases[(n + 1) % 2],
            &shop.tokens.staff,
            &license_id,
            &again,
        )
        .await;
        assert_eq!((&replayed.text, replayed.status.as_u16()), (&before.text, 200));
        assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    }
    let last = answers.iter().map(Answer::position).max().unwrap();
    let row = row(&shop, &license_id, last).await;
    assert_eq!(
        (&row["status"], &row["scan_count"], &row["checked_in_gate"]),
        (&json!("checked_in"), &json!(64), &check_in["gate"])
    );
    let found = shop
        .get("/licenses?checked_in=true", &shop.tokens.organizer)
        .await
        .expect(200);
    assert_eq!(found.body["items"][0]["license_id"], json!(license_id));
    let others = shop
        .get("/licenses?checked_in=false", &shop.tokens.organizer)
        .await
        .expect(200);
    assert_eq!(others.body["items"], json!([]));
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_scan_that_arrives_late_is_labelled_and_never_refused() {
    let shop = Shop::open(Options::default()).await;
    let outcome = |answer: &Answer| answer.text_at("/outcome").to_owned();

    // Revoked, with scans from before and after.
    let license = license_of(&shop, "Kari Nordmann").await;
    let before = ago(TimeDelta::minutes(10));
    staff(&shop, &license, "revoke").await;
    let early = check_in(&shop, &license, &scan(Uuid::now_v7(), "Port 1", &before)).await;
    assert_eq!(
        (outcome(&early).as_str(), early.text_at("/license_status")),
        ("first", "revoked")
    );
    let late = text(Utc::now() + TimeDelta::seconds(5));
    let late = check_in(&shop, &license, &scan(Uuid::now_v7(), "Port 2", &late)).await;
    assert_eq!(
        (outcome(&late).as_str(), &late.body["first"]["gate"]),
        ("duplicate", &json!("Port 1"))
    );
    let shown = row(&shop, &license, late.position()).await;
    assert_eq!(
        (&shown["status"], &shown["scan_alert"], &shown["scan_count"]),
        (&json!("revoked"), &json!("after_revocation"), &json!(2))
    );

    // Revoked, and admitted from a stale list only afterwards.
    let license = license_of(&shop, "Ola Nordmann").await;
    staff(&shop, &license, "revoke").await;
    let late = text(Utc::now() + TimeDelta::seconds(5));
    let admitted = check_in(&shop, &license, &scan(Uuid::now_v7(), "Port 2", &late)).await;
    assert_eq!(outcome(&admitted), "after_revocation");
    assert_eq!(admitted.body["first"]["gate"], json!("Port 2"));
    let counted = shop
        .command_metric("bilsport_gate_scans_total", "after_revocation")
        .await;
    assert_eq!(counted, Some(1.0));

    // Suspended: a check-in that the reinstated license keeps.
    let license = license_of(&shop, "Per Nordmann").await;
    staff(&shop, &license, "suspend").await;
    let late = text(Utc::now() + TimeDelta::seconds(5));
    let admitted = check_in(&shop, &license, &scan(Uuid::now_v7(), "Port 2", &late)).await;
    assert_eq!(
        (outcome(&admitted).as_str(), admitted.text_at("/license_status")),
        ("first", "suspended")
    );
    let reinstated = staff(&shop, &license, "reinstate").await;
    assert_eq!(reinstated.text_at("/status"), "checked_in");
    let shown = row(&shop, &license, reinstated.position()).await;
    assert_eq!(shown["scan_alert"], json!("while_suspended"));

    // A second device that scanned earlier and reports later: shown as the earliest, and not the check-in.
    let earlier = ago(TimeDelta::hours(2));
    let second = check_in(&shop, &license, &scan(Uuid::now_v7(), "Port 9", &earlier)).await;
    assert_eq!(
        (outcome(&second).as_str(), &second.body["first"]["gate"]),
        ("duplicate", &json!("Port 2"))
    );
    let shown = row(&shop, &license, second.position()).await;
    assert_eq!(
        (
            &shown["checked_in_gate"],
            &shown["earliest_scan_gate"],
            &shown["earliest_scan_at"]
        ),
        (&json!("Port 2"), &json!("Port 9"), &json!(earlier))
    );

    // Not in the log: a forged code, or a restored log. Each scan is kept, and no row is made.
    let unknown = Uuid::new_v4().to_string();
    for _ in 0..2 {
        let scanned = check_in(&shop, &unknown, &scan(Uuid::now_v7(), "Port 1", &earlier)).await;
        assert_eq!(
            (outcome(&scanned).as_str(), &scanned.body["first"]),
            ("unknown_license", &json!(null))
        );
    }
    let counted = shop
        .command_metric("bilsport_gate_scans_total", "unknown_license")
        .await;
    assert_eq!(counted, Some(2.0));

    // A clock that can't be right.
    let license = license_of(&shop, "Eva Nordmann").await;
    for (n, at) in [Utc::now() + TimeDelta::days(400), Utc::now() - TimeDelta::days(8)]
        .into_iter()
        .enumerate()
    {
        let sent_at = Utc::now();
        let scanned = check_in(&shop, &license, &scan(Uuid::now_v7(), "Port 1", &text(at))).await;
        assert_eq!(scanned.body["at_suspect"], json!(true));
        if n == 0 {
            let first: DateTime<Utc> = scanned.text_at("/first/at").parse().unwrap();
            assert!(
                first >= sent_at - TimeDelta::seconds(1),
                "the time of receipt governs: {first}"
            );
        }
    }
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}

#[tokio::test]
async fn a_gate_is_of_its_club_and_a_scan_is_one_command() {
    let shop = Shop::open(Options::default()).await;
    let license = license_of(&shop, "Kari Nordmann").await;
    let base = shop.system.command_api_url();
    let scanned = scan(Uuid::now_v7(), "Port 1", &ago(TimeDelta::minutes(1)));
    let elsewhere = shop.system.tokens(&shop.clubs[1..]).unwrap().organizer;
    let missing = send(&shop, &base, &elsewhere, &license, &scanned)
        .await
        .expect(404);
    assert_eq!(missing.text_at("/code"), "not_found");
    for token in [&shop.tokens.customer, &shop.tokens.customer2] {
        send(&shop, &base, token, &license, &scanned).await.expect(403);
    }
    let first = check_in(&shop, &license, &scanned).await;
    // Neither is the answer of a scan that another club's organizer repeats.
    send(&shop, &base, &elsewhere, &license, &scanned)
        .await
        .expect(404);

    let mut other = scanned.clone();
    other["gate"] = json!("Port 2");
    let another = send(&shop, &base, &shop.tokens.organizer, &license, &other)
        .await
        .expect(422);
    assert_eq!(another.text_at("/code"), "idempotency_key_reused");
    let url = format!("{base}/api/v1/licenses/{license}/check-in");
    let with_key = async |key: &str| {
        let request = shop.http().post(&url).bearer_auth(&shop.tokens.organizer);
        answer(request.header("Idempotency-Key", key).json(&scanned))
            .await
            .unwrap()
    };
    let mismatch = with_key("another").await.expect(400);
    assert_eq!(mismatch.text_at("/code"), "idempotency_key_mismatch");
    let same = with_key(scanned["scan_id"].as_str().unwrap()).await.expect(200);
    assert_eq!(same.text, first.text);

    for (field, value, status, code) in [
        ("gate", json!(""), 422, "required"),
        ("device_id", json!("x".repeat(65)), 422, "text_too_long"),
        ("verdict", json!("wrong_day"), 422, "verdict_not_admitted"),
        ("clock_offset_ms", json!(i64::MAX), 422, "clock_offset_invalid"),
        ("reason", json!("01010750160"), 422, "national_identity_number"),
        ("verdict", json!("maybe"), 400, ""),
        ("at", json!("yesterday"), 400, ""),
        ("scan_id", json!("7"), 400, ""),
        ("holder", json!("Kari"), 400, ""),
    ] {
        let mut bad = scan(Uuid::now_v7(), "Port 1", &ago(TimeDelta::minutes(1)));
        bad[field] = value;
        let refused = send(&shop, &base, &shop.tokens.organizer, &license, &bad)
            .await
            .expect(status);
        if status == 422 {
            assert_eq!(refused.text_at("/errors/0/code"), code, "{field}");
        }
    }

    // Killed with a scan under way: the device sends it again, and it is recorded once.
    let queued = scan(Uuid::now_v7(), "Port 3", &ago(TimeDelta::minutes(1)));
    let (sent, killed) = tokio::join!(
        shop.http()
            .post(&url)
            .bearer_auth(&shop.tokens.organizer)
            .json(&queued)
            .send(),
        shop.system.kill(Process::CommandApi)
    );
    drop(sent);
    killed.unwrap();
    shop.system.wait_ready(Process::CommandApi).await.unwrap();
    let recorded = check_in(&shop, &license, &queued).await;
    assert_eq!(recorded.text_at("/outcome"), "duplicate");
    let shown = row(&shop, &license, recorded.position()).await;
    assert_eq!(shown["scan_count"], json!(2));
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}
