//! Pages over HTTP: whole walks, limits, sorts, and cursors in the wrong hands.

use std::collections::BTreeSet;

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;
use stack::Role;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, user};

#[tokio::test]
async fn a_walk_sees_every_row_once_while_others_arrive() -> Result<()> {
    let app = App::start().await?;
    let mut before = BTreeSet::new();
    for n in 0..60 {
        // Twenty rows share each sort key.
        before.insert(
            rows::order(
                &app.projector,
                json!({"total_ore": n / 20, "order_number": n.to_string()}),
            )
            .await?
            .to_string(),
        );
    }
    for sort in [
        "created_at",
        "-created_at",
        "total_ore",
        "-total_ore",
        "activity_date",
        "-activity_date",
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app
                .get(
                    &format!("/api/v1/orders?limit=7&sort={sort}{cursor}"),
                    &app.staff(),
                )
                .await;
            assert_eq!(page.status, StatusCode::OK, "{page:?}");
            seen.extend(page.column("order_id"));
            rows::order(
                &app.projector,
                json!({"total_ore": 1, "created_at": "2026-05-01T09:00:00Z"}),
            )
            .await?;
            let Some(next) = page.body["next_cursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        let distinct: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(seen.len(), distinct.len(), "{sort}: a row was seen twice");
        assert!(before.is_subset(&distinct), "{sort}: a row was missed");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_has_fifty_rows_unless_asked_and_two_hundred_at_most() -> Result<()> {
    let app = App::start().await?;
    for n in 0..203 {
        rows::club(&app.projector, &format!("Klubb {n:03}")).await?;
    }
    for (query, expected, more) in [("", 50, true), ("?limit=200", 200, true), ("?limit=1", 1, true)] {
        let page = app.get_anonymously(&format!("/api/v1/clubs{query}")).await;
        assert_eq!(
            (page.column("name").len(), page.body["next_cursor"].is_string()),
            (expected, more),
            "{query}"
        );
        assert!(page.body.get("total").is_none());
    }
    let page = app
        .get_anonymously("/api/v1/clubs?sort=-name&limit=2&count=true&q=20")
        .await;
    assert_eq!(page.column("name"), ["Klubb 202", "Klubb 201"]);
    assert_eq!(page.body["total"], 3, "200 too");
    assert_eq!(page.body["total_is_estimate"], false);
    let next = page.body["next_cursor"].as_str().unwrap();
    let page = app
        .get_anonymously(&format!("/api/v1/clubs?sort=-name&limit=2&q=20&cursor={next}"))
        .await;
    assert_eq!(page.column("name"), ["Klubb 200"]);
    assert!(
        page.body["next_cursor"].is_null() && page.body["position"].is_u64(),
        "{page:?}"
    );
    for limit in [
        "0",
        "201",
        "-1",
        "1.5",
        "99999999999999999999",
        "abc",
        "%00",
        "0x10",
    ] {
        let page = app.get_anonymously(&format!("/api/v1/clubs?limit={limit}")).await;
        assert!(page.is(400, "invalid_parameter"), "{limit}: {page:?}");
        assert_eq!(page.body["errors"][0]["pointer"], "/limit");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_exactly_full_has_no_next() -> Result<()> {
    let app = App::start().await?;
    for n in 0..3 {
        rows::club(&app.projector, &format!("Klubb {n}")).await?;
    }
    let page = app.get_anonymously("/api/v1/clubs?limit=3").await;
    assert_eq!(
        (page.column("name").len(), &page.body["next_cursor"]),
        (3, &json!(null))
    );
    Ok(())
}

#[tokio::test]
async fn a_cursor_is_good_for_its_list_and_its_reader_only() -> Result<()> {
    let app = App::start().await?;
    let clubs = [Uuid::nil()];
    for n in 0..3 {
        rows::order(
            &app.projector,
            json!({"customer_id": user("kari"), "total_ore": n}),
        )
        .await?;
    }
    let kari = app.token(Role::Customer, "kari", &[]);
    let organizer = app.token(Role::Organizer, "organizer", &clubs);
    let page = app.get("/api/v1/orders?limit=1&status=fulfilled", &kari).await;
    let cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
    let same = format!("/api/v1/orders?status=fulfilled&fields=order_id&count=true&limit=2&cursor={cursor}");
    assert_eq!(
        app.get(&same, &kari).await.column("order_id").len(),
        2,
        "columns and size may change on the way"
    );
    let mut forged = cursor.clone().into_bytes();
    forged[60] = if forged[60] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged)?;
    for (what, path, token) in [
        (
            "another filter",
            format!("/api/v1/orders?status=paid&cursor={cursor}"),
            &kari,
        ),
        ("no filter", format!("/api/v1/orders?cursor={cursor}"), &kari),
        (
            "a further filter",
            format!("/api/v1/orders?status=fulfilled&q=a&cursor={cursor}"),
            &kari,
        ),
        (
            "another sort",
            format!("/api/v1/orders?status=fulfilled&sort=total_ore&cursor={cursor}"),
            &kari,
        ),
        (
            "another direction",
            format!("/api/v1/orders?status=fulfilled&sort=created_at&cursor={cursor}"),
            &kari,
        ),
        (
            "another reader",
            format!("/api/v1/orders?status=fulfilled&cursor={cursor}"),
            &organizer,
        ),
        (
            "another resource",
            format!("/api/v1/licenses?cursor={cursor}"),
            &kari,
        ),
        (
            "a public resource",
            format!("/api/v1/clubs?cursor={cursor}"),
            &kari,
        ),
        (
            "forged",
            format!("/api/v1/orders?status=fulfilled&cursor={forged}"),
            &kari,
        ),
        (
            "cut off",
            format!("/api/v1/orders?status=fulfilled&cursor={}", &cursor[..40]),
            &kari,
        ),
        (
            "no cursor at all",
            "/api/v1/orders?status=fulfilled&cursor=%00%F0%9F%8F%81'--".into(),
            &kari,
        ),
    ] {
        let answer = app.get(&path, token).await;
        assert!(answer.is(400, "cursor_invalid"), "{what}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cursor_ends_with_the_log_it_was_made_for() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    for n in 0..2 {
        rows::club(&app.projector, &format!("Klubb {n}")).await?;
    }
    let page = app.get_anonymously("/api/v1/clubs?limit=1").await;
    let next = format!(
        "/api/v1/clubs?limit=1&cursor={}",
        page.body["next_cursor"].as_str().unwrap()
    );
    assert_eq!(app.get_anonymously(&next).await.status, StatusCode::OK);
    app.projector
        .execute("update checkpoints set epoch = gen_random_uuid()", &[])
        .await?;
    assert!(app.get_anonymously(&next).await.is(400, "cursor_invalid"));
    Ok(())
}
