//! Documents over HTTP: for whom, in which language, and when there is none.

use anyhow::Result;
use axum::http::StatusCode;
use chrono::{Days, Utc};
use serde_json::json;
use stack::Role;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, user};

async fn license(app: &App) -> Result<Uuid> {
    let day = Utc::now().date_naive() + Days::new(20);
    rows::license(
        &app.projector,
        json!({"activity_date": day, "customer_id": user("kari")}),
    )
    .await
}

#[tokio::test]
async fn a_license_is_a_pdf_for_those_who_may_see_it() -> Result<()> {
    let app = App::start().await?;
    app.project_to(3).await?;
    let path = format!("/api/v1/licenses/{}/license.pdf", license(&app).await?);
    let owner = app.token(Role::Customer, "kari", &[]);
    let organizer = |club| app.token(Role::Organizer, "per", &[club]);
    for token in [&owner, &organizer(Uuid::nil()), &app.staff()] {
        let answer = app.get(&path, token).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert!(answer.bytes.starts_with(b"%PDF-1.7"));
        assert_eq!(answer.header("content-type"), "application/pdf");
        assert_eq!(answer.header("cache-control"), "private, no-store");
        assert_eq!(
            answer.header("content-disposition"),
            "inline; filename=\"lisens-BL-00000-00001-1.pdf\""
        );
        assert_eq!(answer.header("event-position"), "3");
    }
    let stranger = app.token(Role::Customer, "ola", &[]);
    for token in [&stranger, &organizer(Uuid::from_u128(1))] {
        let answer = app.get(&path, token).await;
        assert!(answer.is(404, "not_found"), "{answer:?}");
    }
    let anonymous = app.get_anonymously(&path).await;
    assert!(anonymous.is(401, "unauthorized"), "{anonymous:?}");

    let nb = app.get(&path, &owner).await;
    let en = app.get(&format!("{path}?lang=en"), &owner).await;
    assert_ne!(nb.bytes, en.bytes);
    assert!(en.header("content-disposition").contains("license-BL"), "{en:?}");
    let again = app
        .get_with(&path, &owner, &[("if-none-match", nb.header("etag"))])
        .await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    for (query, code) in [
        ("?lang=sv", "invalid_parameter"),
        ("?language=nb", "unknown_parameter"),
    ] {
        let refused = app.get(&format!("{path}{query}"), &owner).await;
        assert!(refused.is(400, code), "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_license_that_is_no_longer_good_has_no_document() -> Result<()> {
    let app = App::start().await?;
    let path = format!("/api/v1/licenses/{}/license.pdf", license(&app).await?);
    for (change, code) in [
        ("status = 'revoked'", "license_revoked"),
        (
            "status = 'issued', activity_date = '2001-01-01'",
            "license_without_code",
        ),
    ] {
        app.projector
            .batch_execute(&format!("update licenses set {change}"))
            .await?;
        let answer = app.get(&path, &app.staff()).await;
        assert!(answer.is(409, code), "{answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_receipt_and_a_credit_note_are_pdfs_for_the_buyer_and_staff() -> Result<()> {
    let mut app = App::start().await?;
    let receipt = rows::receipt(&app.projector, json!({"customer_id": user("kari")})).await?;
    let note = json!({"customer_id": user("kari"), "kind": "credit_note", "corrects": "2026-000042",
                      "receipt_number": "2026-000043"});
    let note = rows::receipt(&app.projector, note).await?;
    let owner = app.token(Role::Customer, "kari", &[]);
    for (id, name) in [
        (receipt, "kvittering-2026-000042"),
        (note, "kreditnota-2026-000043"),
    ] {
        let path = format!("/api/v1/receipts/{id}/receipt.pdf");
        for token in [&owner, &app.staff()] {
            let answer = app.get(&path, token).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert!(answer.bytes.starts_with(b"%PDF-1.7"));
            assert!(answer.header("content-disposition").contains(name), "{answer:?}");
        }
        let stranger = app.get(&path, &app.token(Role::Customer, "ola", &[])).await;
        assert!(stranger.is(404, "not_found"), "{stranger:?}");
    }
    app.change(|state| state.seller = None);
    let answer = app
        .get(&format!("/api/v1/receipts/{receipt}/receipt.pdf"), &owner)
        .await;
    assert!(answer.is(503, "seller_missing"), "{answer:?}");
    Ok(())
}
