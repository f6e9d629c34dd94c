//! The sales report and the activities, from rows as the projector writes them.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::{Value, json};
use stack::Role;
use uuid::Uuid;

use crate::rows;
use crate::support::App;

/// Two clubs with sales on three days, one of them in the ISO year before.
async fn app() -> Result<(App, Uuid)> {
    let app = App::start().await?;
    app.report_to(7).await?;
    let club = rows::club(&app.projector, "NMK Bodø").await?;
    let unknown = Uuid::now_v7();
    for (day, ore) in [
        ("2027-01-03", 1_000),
        ("2027-01-04", 20_000),
        ("2027-02-01", 300_001),
    ] {
        let (club, unknown) = (club.to_string(), unknown.to_string());
        for (dimension, value) in [
            ("all", ""),
            ("club", club.as_str()),
            ("club", unknown.as_str()),
            ("license_type", "konkurranse-bilcross"),
            ("category", "competition"),
            ("provider", "vipps"),
        ] {
            rows::sales(&app.projector, dimension, day, value, ore).await?;
        }
    }
    rows::license_type(&app.projector, json!({})).await?;
    Ok((app, club))
}

async fn report(app: &App, query: &str) -> Value {
    let answer = app
        .get(&format!("/api/v1/reports/sales{query}"), &app.staff())
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
    assert_eq!(answer.header("event-position"), "7");
    assert_eq!(answer.body["position"], 7);
    answer.body
}

/// Key and gross amount of each row.
fn keys(report: &Value) -> Vec<(&str, i64)> {
    let items = report["items"].as_array().unwrap();
    let of_row = |row: &'_ Value| row["gross_ore"].as_i64().unwrap();
    items
        .iter()
        .map(|row| (row["key"].as_str().unwrap(), of_row(row)))
        .collect()
}

#[tokio::test]
async fn sales_are_grouped_by_everything_they_can_be() -> Result<()> {
    let (app, club) = app().await?;
    let all = 321_001;
    let days = report(&app, "").await;
    assert_eq!(
        keys(&days),
        [
            ("2027-01-03", 1_000),
            ("2027-01-04", 20_000),
            ("2027-02-01", 300_001)
        ]
    );
    // January 3, 2027 is a Sunday of the week that began in 2026.
    assert_eq!(
        keys(&report(&app, "?group_by=week").await),
        [("2026-W53", 1_000), ("2027-W01", 20_000), ("2027-W05", 300_001)]
    );
    let months = report(&app, "?group_by=month").await;
    assert_eq!(keys(&months), [("2027-01", 21_000), ("2027-02", 300_001)]);
    let january = json!({
        "key": "2027-01", "name_nb": null, "name_en": null, "orders": 2, "licenses": 4, "receipts": 2, "credit_notes": 2,
        "gross_ore": 21_000, "refunded_ore": 2_100, "net_ore": 18_900, "tax_ore": 200,
    });
    assert_eq!(months["items"][0], january);
    let total = json!({
        "orders": 3, "licenses": 6, "receipts": 3, "credit_notes": 3, "gross_ore": all, "refunded_ore": 32_100,
        "net_ore": 288_901, "tax_ore": 300,
    });
    assert_eq!(months["total"], total);
    let clubs = report(&app, "?group_by=club").await;
    // Each order is of both clubs, and one order in the total.
    assert_eq!(clubs["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(clubs["total"], total);
    for row in clubs["items"].as_array().unwrap() {
        let named = row["key"] == club.to_string();
        assert_eq!(
            row["name_nb"],
            if named { json!("NMK Bodø") } else { json!(null) }
        );
    }
    let types = report(&app, "?group_by=license_type").await;
    assert_eq!(keys(&types), [("konkurranse-bilcross", all)]);
    assert_eq!(types["items"][0]["name_en"], "Bilcross");
    assert_eq!(
        keys(&report(&app, "?group_by=category").await),
        [("competition", all)]
    );
    assert_eq!(keys(&report(&app, "?group_by=provider").await), [("vipps", all)]);
    Ok(())
}

#[tokio::test]
async fn a_period_has_both_its_ends_and_may_be_empty() -> Result<()> {
    let (app, _) = app().await?;
    let one = report(&app, "?group_by=day&from=2027-01-04&to=2027-01-04").await;
    assert_eq!(keys(&one), [("2027-01-04", 20_000)]);
    assert_eq!(one["total"]["gross_ore"], 20_000);
    assert_eq!(
        keys(&report(&app, "?from=2027-01-05").await),
        [("2027-02-01", 300_001)]
    );
    let none = report(&app, "?group_by=club&to=2026-12-31").await;
    assert_eq!(none["items"], json!([]));
    assert_eq!(
        (&none["total"]["orders"], &none["total"]["net_ore"]),
        (&json!(0), &json!(0))
    );
    let staff = app.staff();
    for (query, code) in [
        ("?group_by=holder", "invalid_choice"),
        ("?from=2027-02-30", "invalid_date"),
        ("?from=2027-02-02&to=2027-02-01", "invalid_range"),
        ("?limit=1", "unknown_parameter"),
    ] {
        let answer = app.get(&format!("/api/v1/reports/sales{query}"), &staff).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.body["errors"][0]["code"], code, "{query}: {answer:?}");
    }
    Ok(())
}

/// The position is that of the projection that the rows belong to.
#[tokio::test]
async fn reports_wait_for_their_own_projection() -> Result<()> {
    let (app, _) = app().await?;
    app.project_to(100).await?;
    let staff = app.staff();
    for path in ["/api/v1/reports/sales", "/api/v1/activities"] {
        let late = app.get(&format!("{path}?min_position=100"), &staff).await;
        assert!(late.is(503, "projection_lagging"), "{late:?}");
        let soon = format!("{path}?min_position=9");
        let (answer, moved) = tokio::join!(app.get(&soon, &staff), app.report_to(9));
        moved?;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.header("event-position"), "9");
        app.report_to(7).await?;
    }
    Ok(())
}

#[tokio::test]
async fn activities_are_those_of_the_organizers_clubs() -> Result<()> {
    let app = App::start().await?;
    app.report_to(7).await?;
    let bodo = rows::club(&app.projector, "NMK Bodø").await?;
    let other = rows::club(&app.projector, "KNA Oslo").await?;
    for (club, date, sold) in [
        (bodo, "2026-06-05", 3),
        (bodo, "2026-06-06", 2),
        (other, "2026-06-05", 1),
    ] {
        rows::activity(&app.projector, club, date, sold).await?;
    }
    let path = "/api/v1/activities";
    for (role, clubs, sees) in [
        (Role::Staff, vec![], 3),
        (Role::Organizer, vec![bodo], 2),
        (Role::Organizer, vec![], 0),
        (Role::Customer, vec![], 0),
    ] {
        let token = app.token(role, "someone", &clubs);
        let answer = app.get(path, &token).await;
        assert_eq!(answer.column("club_id").len(), sees, "{role:?}: {answer:?}");
    }
    let staff = app.staff();
    for (query, sold) in [
        ("?sort=activity_date&q=bod%C3%B8", vec!["3", "2"]),
        ("?q=nmk+oslo", vec![]),
        ("?activity_from=2026-06-06", vec!["2"]),
        (
            "?activity_from=2026-06-05&activity_to=2026-06-05&q=kna",
            vec!["1"],
        ),
    ] {
        let answer = app.get(&format!("{path}{query}"), &staff).await;
        assert_eq!(answer.column("sold"), sold, "{query}");
    }
    let of_club = app.get(&format!("{path}?club_id={other}"), &staff).await;
    let types = json!([{"license_type": "konkurranse-bilcross", "sold": 1, "complimentary": 0, "checked_in": 1, "revoked": 0}]);
    assert_eq!(of_club.body["items"][0]["by_license_type"], types);
    assert_eq!(of_club.body["items"][0]["club_name"], "KNA Oslo");
    // Page by page.
    let first = app.get(&format!("{path}?limit=2&count=true"), &staff).await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    assert_eq!(first.body["total"], 3);
    let second = app.get(&format!("{path}?limit=2&cursor={cursor}"), &staff).await;
    assert_eq!(second.column("sold").len(), 1);
    Ok(())
}
