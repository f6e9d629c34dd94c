//! Each filter, alone: what it finds among rows that differ in just that.

use anyhow::Result;
use read_model::Term::{Number, Phone, Words};
use read_model::searched;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rows;
use crate::support::App;

const CLUB: Uuid = Uuid::from_u128(0xc1);
const CUSTOMER: Uuid = Uuid::from_u128(0xc2);

/// What differs, the row, the queries that find it, and those that do not.
type Case = (
    &'static str,
    Value,
    &'static [&'static str],
    &'static [&'static str],
);

#[expect(clippy::too_many_lines, reason = "a table with a row per filter")]
fn order_cases() -> Vec<Case> {
    vec![
        (
            "status",
            json!({"status": "refund_pending"}),
            &["status=refund_pending"],
            &["status=paid"],
        ),
        (
            "club",
            json!({"club_ids": [Uuid::nil(), CLUB]}),
            &["club_id=00000000-0000-0000-0000-0000000000c1"],
            &[],
        ),
        (
            "license type",
            json!({"license_types": ["a", "b"]}),
            &["license_type=a", "license_type=b"],
            &["license_type=c"],
        ),
        (
            "provider",
            json!({"payment_provider": "nexi"}),
            &["provider=nexi"],
            &["provider=vipps"],
        ),
        (
            "created late",
            json!({"created_at": "2026-12-01T00:00:00Z"}),
            &[
                "created_from=2026-12-01T00:00:00Z",
                "created_from=2026-12-01",
                "created_from=2026-11-30",
            ],
            &["created_from=2026-12-02"],
        ),
        (
            "created early",
            json!({"created_at": "2020-12-31T22:59:59Z"}),
            &["created_to=2020-12-31", "created_to=2020-12-31T22:59:59.001Z"],
            &["created_to=2020-12-30", "created_to=2020-12-31T22:59:59Z"],
        ),
        (
            "late activity",
            json!({"activity_from": "2027-01-01", "activity_to": "2027-01-01", "activity_dates": ["2027-01-01"]}),
            &[
                "activity_from=2027-01-01",
                "activity_from=2027-01-01&activity_to=2027-01-02",
            ],
            &["activity_from=2027-01-02"],
        ),
        (
            "early activity",
            json!({"activity_from": "2020-01-01", "activity_to": "2020-01-01", "activity_dates": ["2020-01-01"]}),
            &["activity_to=2020-01-01"],
            &["activity_to=2019-12-31"],
        ),
        (
            "two activities",
            json!({"activity_from": "2028-06-01", "activity_to": "2028-06-30",
                   "activity_dates": ["2028-06-01", "2028-06-02", "2028-06-03", "2028-06-30"]}),
            &[
                "activity_from=2028-06-03&activity_to=2028-06-03",
                "activity_from=2028-06-30&activity_to=2028-07-30",
            ],
            &["activity_from=2028-06-04&activity_to=2028-06-29"],
        ),
        (
            "dear",
            json!({"total_ore": 99_900}),
            &["total_min_ore=99900"],
            &["total_min_ore=99901"],
        ),
        (
            "cheap",
            json!({"total_ore": 100}),
            &["total_max_ore=100"],
            &["total_max_ore=99"],
        ),
        (
            "customer",
            json!({"customer_id": CUSTOMER}),
            &["customer_id=00000000-0000-0000-0000-0000000000c2"],
            &[],
        ),
        (
            "words",
            json!({"search": searched([
                Number("BL-7K2QM-4XN9D"), Words("Bjørn Ødegård"), Words("bjorn@example.no"), Number("EK 12345"),
                Phone("+47 900 12 345"), Words("100%_sikker"),
            ])}),
            &[
                "q=bl-7k2qm",
                "q=7K2QM4XN9D",
                "q=bl%207k2qm%204xn9d",
                "q=bj%C3%B8rn%C2%A0%20%C3%B8dega%CC%8Ard",
                "q=ek12345",
                "q=EK-12345",
                "q=ek%E2%80%9312345",
                "q=900%2012%20345",
                "q=90012345",
                "q=%2B47%20900%2012%20345",
                "q=004790012345",
                "q=12%20345",
                "q=%20%09bj%C3%B8rn%0A",
                "q=%C3%98DEG%C3%85RD",
                "q=bj%C3%B8rn",
                "q=12345%20bj%C3%B8rn",
                "q=EXAMPLE.no",
                "q=100%25_",
                "q=%C3%B8",
            ],
            &[
                "q=d",
                "q=svein",
                "q=900%2012%20346",
                "q=46%20900%2012%20345",
                "q=ek-12346",
                "q=7k2qm%20kari",
                "q=100%25%25",
                "q=____________________",
                "q=%25example%25",
                "q=%5C",
            ],
        ),
    ]
}

fn license_cases() -> Vec<Case> {
    vec![
        (
            "order",
            json!({"order_id": CLUB}),
            &["order_id=00000000-0000-0000-0000-0000000000c1"],
            &[],
        ),
        (
            "status",
            json!({"status": "checked_in"}),
            &["status=checked_in"],
            &["status=revoked"],
        ),
        (
            "club",
            json!({"club_id": CLUB}),
            &["club_id=00000000-0000-0000-0000-0000000000c1"],
            &[],
        ),
        (
            "license type",
            json!({"license_type": "bane"}),
            &["license_type=bane"],
            &["license_type=ban"],
        ),
        (
            "category",
            json!({"category": "track_day"}),
            &["category=track_day"],
            &["category=test"],
        ),
        (
            "discipline",
            json!({"discipline": "rally"}),
            &["discipline=rally"],
            &["discipline=drift"],
        ),
        (
            "role",
            json!({"role": "passenger"}),
            &["role=passenger"],
            &["role=codriver"],
        ),
        (
            "activity",
            json!({"activity_date": "2027-06-04", "activity_days": 3}),
            &[
                "activity_from=2027-06-06",
                "activity_from=2027-06-04&activity_to=2027-06-04",
            ],
            &[
                "activity_from=2027-06-07",
                "activity_from=2027-06-01&activity_to=2027-06-03",
            ],
        ),
        (
            "words",
            json!({"search": searched([Words("Ærlig Ås"), Number("EK12345")])}),
            &["q=%C3%A5s%20%C3%A6rlig", "q=ek123", "q=EK%2012345"],
            &["q=rl", "q=kari"],
        ),
    ]
}

#[tokio::test]
async fn orders() -> Result<()> {
    let app = App::start().await?;
    let staff = app.staff();
    for (name, row, finds, misses) in order_cases() {
        // Nothing else may match, so each case has a table of its own: one ordinary order, and this one.
        app.projector.batch_execute("truncate orders").await?;
        rows::order(&app.projector, json!({"order_number": "ordinary"})).await?;
        let id = rows::order(&app.projector, row).await?.to_string();
        for query in finds {
            let found = app
                .get(&format!("/api/v1/orders?count=true&{query}"), &staff)
                .await;
            assert_eq!(
                found.column("order_id"),
                std::slice::from_ref(&id),
                "{name}: {query}"
            );
            assert_eq!(found.body["total"], 1, "{name}: {query}");
        }
        for query in misses {
            let found = app.get(&format!("/api/v1/orders?{query}"), &staff).await;
            assert!(!found.column("order_id").contains(&id), "{name}: {query}");
        }
    }
    let blank = app.get("/api/v1/orders?license_type=&q=%20", &staff).await;
    assert_eq!(
        blank.column("order_id").len(),
        2,
        "an empty field of a form filters nothing"
    );
    Ok(())
}

#[tokio::test]
async fn licenses() -> Result<()> {
    let app = App::start().await?;
    let staff = app.staff();
    for (name, row, finds, misses) in license_cases() {
        app.projector.batch_execute("truncate licenses").await?;
        rows::license(&app.projector, json!({})).await?;
        let id = rows::license(&app.projector, row).await?.to_string();
        for query in finds {
            let found = app.get(&format!("/api/v1/licenses?{query}"), &staff).await;
            assert_eq!(
                found.column("license_id"),
                std::slice::from_ref(&id),
                "{name}: {query}"
            );
        }
        for query in misses {
            let found = app.get(&format!("/api/v1/licenses?{query}"), &staff).await;
            assert!(!found.column("license_id").contains(&id), "{name}: {query}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_catalogue_and_clubs() -> Result<()> {
    let app = App::start().await?;
    rows::license_type(
        &app.projector,
        json!({"code": "a", "name_nb": "Bilcross", "name_en": "Bilcross", "search": "a bilcross bilcross"}),
    )
    .await?;
    rows::license_type(
        &app.projector,
        json!({"code": "b", "name_nb": "Båt", "name_en": "Boat", "category": "test", "role": "passenger",
               "status": "retired", "search": searched([Words("b"), Words("Båt"), Words("Boat")])}),
    )
    .await?;
    for (query, expected) in [
        ("", &["a", "b"][..]),
        ("sort=-code", &["b", "a"]),
        ("sort=name_nb", &["a", "b"]),
        ("category=test", &["b"]),
        ("role=driver", &["a"]),
        ("status=retired", &["b"]),
        ("q=b%C3%85t", &["b"]),
        ("q=boat", &["b"]),
        ("q=bat", &["b"]),
        ("q=at", &[]),
        ("status=active&role=passenger", &[]),
    ] {
        let found = app
            .get_anonymously(&format!("/api/v1/license-types?{query}"))
            .await;
        assert_eq!(found.column("code"), expected, "{query}");
    }
    let found = app.get_anonymously("/api/v1/license-types?category=test").await;
    assert_eq!(found.body["items"][0]["price_ore"], 42_000);
    rows::club(&app.projector, "Ålesund Motorsport").await?;
    rows::club(&app.projector, "NMK Bodø").await?;
    let found = app.get_anonymously("/api/v1/clubs?q=%C3%A5LESUND").await;
    assert_eq!(found.column("name"), ["Ålesund Motorsport"]);
    Ok(())
}

#[tokio::test]
async fn the_current_terms_come_first_then_earlier_ones_then_those_to_come() -> Result<()> {
    let app = App::start().await?;
    for (sequence, (version, from)) in (1_u64..).zip([
        ("first", "2020-01-01T00:00:00Z"),
        ("never", "2021-01-01T00:00:00Z"),
        ("second", "2021-01-01T00:00:00Z"),
        ("far", "2098-01-01T00:00:00Z"),
        ("soon", "2097-01-01T00:00:00Z"),
        ("current", "2022-01-01T00:00:00Z"),
    ]) {
        rows::terms(&app.projector, version, from, sequence).await?;
    }
    let found = app.get_anonymously("/api/v1/terms").await;
    let status = |name: &str| {
        let items = found.body["items"].as_array().unwrap();
        let row = items.iter().find(|row| row["terms_version"] == name).unwrap();
        row["status"].as_str().unwrap().to_owned()
    };
    let names = found.column("terms_version");
    assert_eq!(
        (names[0].as_str(), &names[3..]),
        ("current", &["first", "far", "soon"].map(String::from)[..])
    );
    assert_eq!(status("current"), "current");
    for outdated in ["first", "never", "second"] {
        assert_eq!(status(outdated), "outdated", "{outdated}");
    }
    assert_eq!(status("far"), "upcoming");
    for (query, expected) in [
        ("status=current", &["current"][..]),
        ("status=upcoming", &["far", "soon"]),
    ] {
        let found = app.get_anonymously(&format!("/api/v1/terms?{query}")).await;
        assert_eq!(found.column("terms_version"), expected, "{query}");
    }
    // Page by page, in the same order.
    let (mut paged, mut next) = (Vec::new(), String::new());
    loop {
        let page = app.get_anonymously(&format!("/api/v1/terms?limit=2{next}")).await;
        paged.extend(page.column("terms_version"));
        match page.body["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, names);
    Ok(())
}
