//! Lists that begin anywhere, pages back, and what has changed since a position.

use anyhow::Result;
use serde_json::{Value, json};

use crate::rows;
use crate::support::{Answer, App};

async fn order(app: &App, created_at: &str, total_ore: i64) -> Result<()> {
    let changes = json!({"created_at": created_at, "total_ore": total_ore});
    rows::order(&app.projector, changes).await.map(drop)
}

async fn orders(app: &App, query: &str) -> Answer {
    let path = format!("/api/v1/orders?fields=total_ore&{query}");
    app.get(&path, &app.staff()).await
}

fn totals(page: &Answer) -> Vec<i64> {
    let items = page.body["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["total_ore"].as_i64()).collect()
}

fn cursor<'a>(page: &'a Answer, name: &str) -> Option<&'a str> {
    let cursor = &page.body[name];
    assert!(cursor.is_string() || cursor.is_null(), "{page:?}");
    cursor.as_str()
}

#[tokio::test]
async fn the_way_forth_is_the_way_back() -> Result<()> {
    let app = App::start().await?;
    for n in 0..10 {
        order(&app, "2026-05-01T10:00:00Z", n).await?;
    }
    let first = orders(&app, "sort=total_ore&limit=4").await;
    assert_eq!(
        (totals(&first), cursor(&first, "prev_cursor")),
        (vec![0, 1, 2, 3], None)
    );
    let next = cursor(&first, "next_cursor").unwrap();
    let second = orders(&app, &format!("sort=total_ore&limit=4&cursor={next}")).await;
    assert_eq!(totals(&second), [4, 5, 6, 7]);
    let next = cursor(&second, "next_cursor").unwrap();
    let third = orders(&app, &format!("sort=total_ore&limit=4&cursor={next}")).await;
    assert_eq!(
        (totals(&third), cursor(&third, "next_cursor")),
        (vec![8, 9], None)
    );
    let back = cursor(&third, "prev_cursor").unwrap();
    let back = orders(&app, &format!("sort=total_ore&limit=4&cursor={back}")).await;
    assert_eq!(totals(&back), [4, 5, 6, 7]);
    // Another size on the way.
    let back = cursor(&back, "prev_cursor").unwrap();
    let back = orders(&app, &format!("sort=total_ore&limit=3&cursor={back}")).await;
    assert_eq!(totals(&back), [1, 2, 3]);
    let begin = cursor(&back, "prev_cursor").unwrap();
    let begin = orders(&app, &format!("sort=total_ore&limit=3&cursor={begin}")).await;
    assert_eq!((totals(&begin), cursor(&begin, "prev_cursor")), (vec![0], None));
    // A cursor of the way back is bound like one of the way forth.
    let foreign = cursor(&third, "prev_cursor").unwrap();
    let refused = orders(&app, &format!("sort=-total_ore&cursor={foreign}")).await;
    assert!(refused.is(400, "cursor_invalid"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_page_whose_rows_are_gone_leads_back() -> Result<()> {
    let app = App::start().await?;
    for n in 0..4 {
        order(&app, "2026-05-01T10:00:00Z", n).await?;
    }
    let first = orders(&app, "sort=total_ore&limit=2").await;
    let next = cursor(&first, "next_cursor").unwrap();
    app.projector
        .execute("delete from orders where total_ore > 1", &[])
        .await?;
    let empty = orders(&app, &format!("sort=total_ore&limit=2&cursor={next}")).await;
    assert_eq!((totals(&empty), cursor(&empty, "next_cursor")), (vec![], None));
    let back = cursor(&empty, "prev_cursor").unwrap();
    let back = orders(&app, &format!("sort=total_ore&limit=2&cursor={back}")).await;
    assert_eq!(totals(&back), [0, 1]);
    Ok(())
}

#[tokio::test]
async fn a_day_is_sought_as_norway_has_it() -> Result<()> {
    let app = App::start().await?;
    // Midnight in Norway is 22:00 in UTC.
    for (n, created_at) in [
        "2026-06-04T21:59:59.999999Z",
        "2026-06-04T22:00:00Z",
        "2026-06-05T21:59:59.999999Z",
        "2026-06-05T22:00:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        order(&app, created_at, i64::try_from(n)?).await?;
    }
    for (query, expected) in [
        ("sort=created_at&seek=2026-06-05", &[1, 2, 3][..]),
        ("sort=-created_at&seek=2026-06-05", &[2, 1, 0]),
        ("sort=created_at&seek=2026-06-05T21:59:59.999999Z", &[2, 3]),
        ("sort=-created_at&seek=2026-06-05T22:00:00Z", &[3, 2, 1, 0]),
        ("sort=-created_at&seek=2000-01-01", &[]),
        ("sort=-total_ore&seek=1", &[1, 0]),
        ("sort=total_ore&seek=-5", &[0, 1, 2, 3]),
        ("sort=activity_date&seek=2026-06-06", &[]),
        ("seek=", &[3, 2, 1, 0]),
    ] {
        assert_eq!(totals(&orders(&app, query).await), expected, "{query}");
    }
    // Whatever lies before a list that was begun anywhere is one page back.
    let sought = orders(&app, "sort=created_at&seek=2026-06-05").await;
    let back = cursor(&sought, "prev_cursor").unwrap();
    let back = orders(&app, &format!("sort=created_at&cursor={back}")).await;
    assert_eq!(totals(&back), [0]);
    let beyond = orders(&app, "sort=-created_at&seek=2000-01-01").await;
    let back = cursor(&beyond, "prev_cursor").unwrap();
    let back = orders(&app, &format!("sort=-created_at&cursor={back}")).await;
    assert_eq!(totals(&back), [3, 2, 1, 0]);
    Ok(())
}

#[tokio::test]
async fn names_are_sought_in_their_order() -> Result<()> {
    let app = App::start().await?;
    for name in ["Asker", "Bodø", "Ærlig", "Østfold", "Ålesund"] {
        rows::club(&app.projector, name).await?;
    }
    for (seek, expected) in [
        ("b", &["Bodø", "Ærlig", "Østfold", "Ålesund"][..]),
        ("%C3%B8", &["Østfold", "Ålesund"]),
        ("aa", &["Ålesund"]),
        ("0", &["Asker", "Bodø", "Ærlig", "Østfold", "Ålesund"]),
    ] {
        let page = app.get_anonymously(&format!("/api/v1/clubs?seek={seek}")).await;
        assert_eq!(page.column("name"), expected, "{seek}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_sought_is_refused() -> Result<()> {
    let app = App::start().await?;
    order(&app, "2026-05-01T10:00:00Z", 1).await?;
    order(&app, "2026-05-01T10:00:00Z", 2).await?;
    let page = orders(&app, "limit=1").await;
    let cursor = cursor(&page, "next_cursor").unwrap();
    for (query, code) in [
        ("seek=yesterday".to_owned(), "invalid_moment"),
        ("seek=2026-13-01".to_owned(), "invalid_moment"),
        ("seek=2026-06-05T10:00:00+02:00".to_owned(), "invalid_moment"),
        ("sort=total_ore&seek=2026-06-05".to_owned(), "invalid_number"),
        (
            "sort=total_ore&seek=9223372036854775808".to_owned(),
            "invalid_number",
        ),
        (
            "sort=activity_date&seek=2026-06-05T10:00:00Z".to_owned(),
            "invalid_date",
        ),
        (
            format!("limit=1&seek=2026-06-05&cursor={cursor}"),
            "conflicting_parameter",
        ),
    ] {
        let refused = orders(&app, &query).await;
        assert!(refused.is(400, "invalid_parameter"), "{query}: {refused:?}");
        let error = &refused.body["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!("/seek"), &json!(code)),
            "{query}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_device_gets_what_it_lacks_and_nothing_else() -> Result<()> {
    let app = App::start().await?;
    app.project_to(40).await?;
    for (position, status) in [
        (10, "issued"),
        (30, "revoked"),
        (20, "checked_in"),
        (40, "issued"),
    ] {
        let changes = json!({"position": position, "status": status, "price_ore": position});
        rows::license(&app.projector, changes).await?;
    }
    let staff = app.staff();
    let changed = async |query: &str| {
        let page = app
            .get(
                &format!("/api/v1/licenses?fields=price_ore,status&{query}"),
                &staff,
            )
            .await;
        let rows: Vec<Value> = page.body["items"].as_array().cloned().unwrap_or_default();
        let prices: Vec<i64> = rows
            .iter()
            .map(|row| row["price_ore"].as_i64().unwrap())
            .collect();
        (prices, page)
    };
    assert_eq!(changed("changed_since=0").await.0, [10, 20, 30, 40]);
    let (prices, page) = changed("changed_since=10&limit=2").await;
    assert_eq!(prices, [20, 30]);
    assert_eq!(
        page.body["items"][1]["status"], "revoked",
        "one that is revoked is there"
    );
    let next = page.body["next_cursor"].as_str().unwrap();
    let (prices, page) = changed(&format!("changed_since=10&limit=2&cursor={next}")).await;
    assert_eq!((prices, &page.body["next_cursor"]), (vec![40], &json!(null)));
    // From here on.
    assert_eq!(page.body["position"], 40);
    assert_eq!(changed("changed_since=40").await.0, [0; 0]);
    assert_eq!(changed("changed_since=10&sort=position").await.0, [20, 30, 40]);
    let (_, refused) = changed("changed_since=10&sort=-created_at").await;
    assert!(refused.is(400, "invalid_parameter"), "{refused:?}");
    assert_eq!(refused.body["errors"][0]["pointer"], "/sort");
    for sort in ["position", "-position"] {
        let (_, refused) = changed(&format!("sort={sort}")).await;
        assert!(refused.is(400, "invalid_parameter"), "{refused:?}");
        assert_eq!(refused.body["errors"][0]["code"], "missing_filter");
    }
    Ok(())
}
