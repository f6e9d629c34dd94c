//! Batches and their results: pages, filters, and that only staff see them.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;
use stack::Role;
use uuid::Uuid;

use crate::rows;
use crate::support::App;

#[tokio::test]
async fn staff_find_batches_newest_first_by_kind_and_status() -> Result<()> {
    let app = App::start().await?;
    app.project_to(9).await?;
    let mut ids = Vec::new();
    for (n, (kind, status)) in [
        ("set_price", "done"),
        ("check_in", "done"),
        ("check_in", "running"),
    ]
    .into_iter()
    .enumerate()
    {
        let submitted_at = format!("2026-11-0{}T10:00:00Z", n + 1);
        let row = json!({"kind": kind, "status": status, "submitted_at": submitted_at});
        ids.insert(0, rows::batch(&app.projector, row).await?.to_string());
    }
    let staff = app.staff();
    for (query, found) in [
        ("", &ids[..]),
        ("?sort=-submitted_at", &ids),
        ("?status=running", &ids[..1]),
        ("?kind=check_in", &ids[..2]),
        ("?kind=check_in&status=done", &ids[1..2]),
        ("?kind=suspend", &[]),
    ] {
        let list = app.get(&format!("/api/v1/batches{query}"), &staff).await;
        assert_eq!(list.status, StatusCode::OK, "{query}: {list:?}");
        assert_eq!(list.column("batch_id"), found, "{query}");
    }
    let first = app.get("/api/v1/batches?limit=2", &staff).await;
    let cursor = first.body["next_cursor"].as_str().expect("a second page");
    let rest = app
        .get(&format!("/api/v1/batches?limit=2&cursor={cursor}"), &staff)
        .await;
    assert_eq!(rest.column("batch_id"), ids[2..]);
    for query in ["?status=finished", "?kind=letters"] {
        let refused = app.get(&format!("/api/v1/batches{query}"), &staff).await;
        assert!(refused.is(400, "invalid_parameter"), "{query}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_says_how_far_it_is() -> Result<()> {
    let app = App::start().await?;
    app.project_to(9).await?;
    let changes =
        json!({"status": "running", "total": 500, "succeeded": 249, "failed": 1, "finished_at": null});
    let batch_id = rows::batch(&app.projector, changes).await?;
    let path = format!("/api/v1/batches/{batch_id}?min_position=9");
    let answer = app.get(&path, &app.staff()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let expected = json!({
        "batch_id": batch_id, "kind": "set_price", "dry_run": false, "status": "running", "total": 500,
        "succeeded": 249, "failed": 1, "submitted_by": "6f1d3a52-8a0e-5c1f-9a54-0b7c55a1d2e3",
        "submitted_at": "2026-11-02T10:00:02.123456Z", "finished_at": null, "version": 3, "position": 4711,
    });
    assert_eq!(answer.body, expected);
    assert_eq!(answer.header("event-position"), "9");
    Ok(())
}

#[tokio::test]
async fn results_come_by_number_and_by_outcome() -> Result<()> {
    let app = App::start().await?;
    app.project_to(9).await?;
    let batch_id = rows::batch(&app.projector, json!({})).await?;
    let other = rows::batch(&app.projector, json!({})).await?;
    // Neither in their order nor in that of their ids.
    for n in [3, 1, 12, 7, 2, 5, 4, 11, 6, 9, 10, 8] {
        let changes = match n % 4 {
            0 => json!({"batch_id": batch_id, "n": n}),
            _ => json!({"batch_id": batch_id, "n": n, "outcome": "succeeded", "code": null, "fields": []}),
        };
        rows::batch_item(&app.projector, changes).await?;
    }
    rows::batch_item(&app.projector, json!({"batch_id": other, "n": 1})).await?;
    let (path, staff) = (format!("/api/v1/batches/{batch_id}/results"), app.staff());
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}?limit=5{cursor}"), &staff).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        seen.extend(page.column("n"));
        let Some(next) = page.body["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    let all: Vec<String> = (1..=12).map(|n| n.to_string()).collect();
    assert_eq!(seen, all);

    let failed = app
        .get(
            &format!("{path}?outcome=failed&count=true&min_position=9"),
            &staff,
        )
        .await;
    assert_eq!(failed.column("n"), ["4", "8", "12"]);
    assert_eq!(failed.body["total"], 3);
    let expected = json!({
        "n": 4, "outcome": "failed", "target": "konkurranse-bilcross", "code": "validation_failed",
        "fields": [{"pointer": "/price_ore", "code": "price_invalid"}],
    });
    assert_eq!(failed.body["items"][0], expected);
    let succeeded = app
        .get(&format!("{path}?outcome=succeeded&sort=-n"), &staff)
        .await;
    assert_eq!(succeeded.column("n")[0], "11");
    assert_eq!(succeeded.body["items"][0]["code"], json!(null));
    for query in ["?outcome=lost", "?batch_id=1", &format!("?batch_id={other}")] {
        let refused = app.get(&format!("{path}{query}"), &staff).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_without_results_is_there_and_an_unknown_one_is_not() -> Result<()> {
    let app = App::start().await?;
    app.project_to(9).await?;
    let staff = app.staff();
    let batch_id = rows::batch(&app.projector, json!({"status": "running"})).await?;
    let empty = app
        .get(&format!("/api/v1/batches/{batch_id}/results"), &staff)
        .await;
    assert_eq!(empty.status, StatusCode::OK, "{empty:?}");
    assert_eq!(empty.body["items"], json!([]));
    let unknown = Uuid::now_v7();
    for path in [format!("{unknown}"), format!("{unknown}/results")] {
        let answer = app.get(&format!("/api/v1/batches/{path}"), &staff).await;
        assert!(answer.is(404, "not_found"), "{path}: {answer:?}");
    }
    for path in ["7", "7/results"] {
        let answer = app.get(&format!("/api/v1/batches/{path}"), &staff).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn only_staff_see_batches() -> Result<()> {
    let app = App::start().await?;
    let batch_id = rows::batch(&app.projector, json!({})).await?;
    let paths = ["", &format!("/{batch_id}"), &format!("/{batch_id}/results")];
    for path in paths.map(|path| format!("/api/v1/batches{path}")) {
        for role in [Role::Staff, Role::Admin] {
            let answer = app.get(&path, &app.token(role, "kari", &[])).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        }
        for role in [Role::Customer, Role::Organizer] {
            let answer = app.get(&path, &app.token(role, "ola", &[Uuid::nil()])).await;
            assert!(answer.is(404, "not_found"), "{path}: {answer:?}");
        }
        let anonymous = app.get_anonymously(&path).await;
        assert!(anonymous.is(401, "unauthorized"), "{path}: {anonymous:?}");
    }
    Ok(())
}

/// A license that staff gave has no order: everything else of it is as of any license.
#[tokio::test]
async fn a_complimentary_license_reads_like_any_other() -> Result<()> {
    let app = App::start().await?;
    app.project_to(9).await?;
    let grant_id = Uuid::now_v7();
    let day = chrono::Utc::now().date_naive() + chrono::Days::new(20);
    let changes =
        json!({"order_id": grant_id, "order_number": "BL-GRANT-1", "price_ore": 0, "activity_date": day});
    let license_id = rows::license(&app.projector, changes).await?;
    rows::license(&app.projector, json!({})).await?;
    let staff = app.staff();
    let one = app
        .get(
            &format!("/api/v1/licenses/{license_id}?fields=price_ore,order_id,qr"),
            &staff,
        )
        .await;
    assert_eq!(one.status, StatusCode::OK, "{one:?}");
    assert_eq!(one.body["price_ore"], 0);
    assert!(one.body["qr"].is_string(), "{one:?}");
    let of_order = app
        .get(&format!("/api/v1/licenses?order_id={grant_id}"), &staff)
        .await;
    assert_eq!(of_order.column("license_id"), [license_id.to_string()]);
    let document = app
        .get(&format!("/api/v1/licenses/{license_id}/license.pdf"), &staff)
        .await;
    assert_eq!(document.status, StatusCode::OK, "{document:?}");
    assert!(document.bytes.starts_with(b"%PDF-1.7"));
    for path in ["", "/timeline"] {
        let order = app.get(&format!("/api/v1/orders/{grant_id}{path}"), &staff).await;
        assert!(order.is(404, "not_found"), "{path}: {order:?}");
    }
    Ok(())
}
