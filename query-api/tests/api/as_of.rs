//! The catalogue as of another moment: what was offered then, at the price of then.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::rows;
use crate::support::App;

/// `old` was sold in 2025 and retired, `new` came in 2026 and changes its price in 2090.
async fn catalogue() -> Result<App> {
    let app = App::start().await?;
    let prices = |prices: &[(i64, &'static str)]| {
        let listed: Vec<Value> = prices
            .iter()
            .map(|(price_ore, valid_from)| json!({"price_ore": price_ore, "valid_from": valid_from}))
            .collect();
        let (ore, from): (Vec<_>, Vec<_>) = prices.iter().copied().unzip();
        (listed, ore, from)
    };
    for (code, created_at, retired_at, listed) in [
        (
            "old",
            "2025-01-10T00:00:00Z",
            Some("2026-03-01T00:00:00Z"),
            prices(&[(100, "2025-02-01T00:00:00Z"), (200, "2025-06-05T10:00:00Z")]),
        ),
        (
            "new",
            "2026-01-10T00:00:00Z",
            None,
            prices(&[(300, "2026-01-10T00:00:00Z"), (400, "2090-01-01T00:00:00Z")]),
        ),
    ] {
        let (prices, prices_ore, prices_valid_from) = listed;
        let status = if retired_at.is_some() { "retired" } else { "active" };
        let row = json!({
            "code": code, "created_at": created_at, "retired_at": retired_at, "status": status, "search": code,
            "prices": prices, "prices_ore": prices_ore, "prices_valid_from": prices_valid_from,
        });
        rows::license_type(&app.projector, row).await?;
    }
    Ok(app)
}

async fn as_of(app: &App, query: &str) -> Vec<(String, Value)> {
    let path = format!("/api/v1/license-types?sort=code&{query}");
    let answer = app.get_anonymously(&path).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
    let items = answer.body["items"].as_array().cloned().unwrap_or_default();
    items
        .into_iter()
        .map(|item| {
            (
                item["code"].as_str().unwrap_or_default().to_owned(),
                item["price_ore"].clone(),
            )
        })
        .collect()
}

#[tokio::test]
async fn what_was_offered_is_listed_at_the_price_of_then() -> Result<()> {
    let app = catalogue().await?;
    let (old, new) = (
        |price: Value| ("old".to_owned(), price),
        |price: Value| ("new".to_owned(), price),
    );
    for (moment, expected) in [
        ("2025-01-09T23:59:59Z", vec![]),
        // It exists, and has no price yet.
        ("2025-01-10T00:00:00Z", vec![old(Value::Null)]),
        ("2025-06-05T09:59:59.999999Z", vec![old(json!(100))]),
        ("2025-06-05T10:00:00Z", vec![old(json!(200))]),
        ("2025-06-05T12:00:00%2B02:00", vec![old(json!(200))]),
        // A day is its first moment in Norway.
        ("2025-06-05", vec![old(json!(100))]),
        ("2025-06-06", vec![old(json!(200))]),
        ("2026-02-01", vec![new(json!(300)), old(json!(200))]),
        ("2026-03-01T00:00:00Z", vec![new(json!(300))]),
        ("2095-01-01", vec![new(json!(400))]),
    ] {
        assert_eq!(
            as_of(&app, &format!("as_of={moment}")).await,
            expected,
            "{moment}"
        );
    }
    // Without it, and with an empty one: today.
    for query in ["", "as_of="] {
        assert_eq!(
            as_of(&app, query).await,
            [new(json!(300)), old(json!(200))],
            "{query}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn it_goes_with_the_other_parameters_and_with_pages() -> Result<()> {
    let app = catalogue().await?;
    let both = "as_of=2026-02-01";
    let codes = async |query: String| {
        let rows = as_of(&app, &query).await.into_iter();
        rows.map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(
        codes(format!("{both}&status=active")).await,
        ["new"],
        "sold then and now"
    );
    assert_eq!(codes(format!("{both}&q=old")).await, ["old"]);
    // A price alone is computed as of then.
    let path = format!("/api/v1/license-types?fields=price_ore&sort=-code&{both}");
    let alone = app.get_anonymously(&path).await;
    assert_eq!(
        alone.body["items"],
        json!([{"price_ore": 200}, {"price_ore": 300}])
    );
    let counted = format!("/api/v1/license-types?sort=code&limit=1&count=true&{both}");
    let first = app.get_anonymously(&counted).await;
    assert_eq!(
        (first.column("code"), &first.body["total"]),
        (vec!["new".to_owned()], &json!(2))
    );
    let cursor = first.body["next_cursor"].as_str().unwrap_or_default();
    let next = app.get_anonymously(&format!("{counted}&cursor={cursor}")).await;
    assert_eq!(next.column("code"), ["old"]);
    assert_eq!(next.body["items"][0]["price_ore"], 200);
    // A page of another moment is none of this list.
    let other = counted.replace("2026-02-01", "2026-02-02");
    let refused = app.get_anonymously(&format!("{other}&cursor={cursor}")).await;
    assert!(refused.is(400, "cursor_invalid"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_no_moment_is_refused() -> Result<()> {
    let app = App::start().await?;
    for wrong in [
        "yesterday",
        "2026-02-30",
        "2026-6-5",
        "1899-12-31",
        "2101-01-01",
        "2026-06-05T10:00:00",
        "2026-06-05T25:00:00Z",
        "%00",
        "1",
    ] {
        let answer = app
            .get_anonymously(&format!("/api/v1/license-types?as_of={wrong}"))
            .await;
        assert!(answer.is(400, "invalid_parameter"), "{wrong}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], "/as_of", "{wrong}");
    }
    let twice = app
        .get_anonymously("/api/v1/license-types?as_of=2026-01-01&as_of=2026-01-02")
        .await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST, "{twice:?}");
    let elsewhere = app.get_anonymously("/api/v1/clubs?as_of=2026-01-01").await;
    assert!(elsewhere.is(400, "unknown_parameter"), "{elsewhere:?}");
    Ok(())
}
