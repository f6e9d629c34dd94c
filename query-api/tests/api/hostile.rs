//! Requests that are meant to break things find nothing, break nothing, and are refused with a reason.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::rows;
use crate::support::App;

#[tokio::test]
async fn sql_in_a_text_is_a_text() -> Result<()> {
    let app = App::start().await?;
    let staff = app.staff();
    rows::order(
        &app.projector,
        json!({"search": "robert'); drop table orders;-- $1 ?"}),
    )
    .await?;
    for (q, found) in [
        ("Robert%27%29%3B%20drop", 1),
        ("%27%20or%20%271%27%3D%271", 0),
        ("%24%31", 1),
        ("%3F", 1),
        ("%27%3B%20select%20pg_sleep%2810%29%3B--", 0),
    ] {
        for parameter in ["q", "license_type"] {
            let answer = app.get(&format!("/api/v1/orders?{parameter}={q}"), &staff).await;
            assert_eq!(answer.status, StatusCode::OK, "{parameter}={q}");
            let expected = if parameter == "q" { found } else { 0 };
            assert_eq!(answer.column("order_id").len(), expected, "{parameter}={q}");
        }
    }
    assert_eq!(
        app.get("/api/v1/orders", &staff).await.column("order_id").len(),
        1,
        "the table is still there"
    );
    Ok(())
}

#[tokio::test]
async fn texts_that_postgres_cannot_hold_or_keyboards_do_not_type_are_refused() -> Result<()> {
    let app = App::start().await?;
    let long = "a".repeat(101);
    for q in [
        "%00",
        "a%00b",
        "%07",
        "%1B%5B31m",
        "a%C2%85b",
        &long,
        &"%C3%B8".repeat(101),
    ] {
        let answer = app.get(&format!("/api/v1/orders?q={q}"), &app.staff()).await;
        assert!(answer.is(400, "invalid_parameter"), "{q}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], "/q");
    }
    for q in [
        "",
        "%20%20",
        "%E2%80%8B",
        &"%E2%82%AC".repeat(100),
        &"%C3%B8%20".repeat(50),
    ] {
        let answer = app.get(&format!("/api/v1/orders?q={q}"), &app.staff()).await;
        assert_eq!(answer.status, StatusCode::OK, "{q}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_with_those_that_exist() -> Result<()> {
    let app = App::start().await?;
    for path in [
        "orders?stat=paid",
        "licenses?limit=5&holder=x",
        "license-types?price=1",
        "clubs?Limit=5",
        "clubs?q%00=1",
    ] {
        let answer = app.get(&format!("/api/v1/{path}"), &app.staff()).await;
        assert!(answer.is(400, "unknown_parameter"), "{path}: {answer:?}");
        assert!(
            answer.body["detail"].as_str().unwrap().contains("fields"),
            "{path}: {answer:?}"
        );
    }
    let one = app
        .get(&format!("/api/v1/orders/{}?limit=5", Uuid::nil()), &app.staff())
        .await;
    assert!(one.is(400, "unknown_parameter"), "{one:?}");
    Ok(())
}

#[tokio::test]
async fn fields_choose_columns_and_only_columns() -> Result<()> {
    let app = App::start().await?;
    let id = rows::order(&app.projector, json!({})).await?;
    for (fields, expected) in [
        ("total_ore,order_id", vec!["order_id", "total_ore"]),
        ("status", vec!["status"]),
        ("status,status,%20version", vec!["status", "version"]),
    ] {
        for path in [
            format!("orders?fields={fields}"),
            format!("orders/{id}?fields={fields}"),
        ] {
            let answer = app.get(&format!("/api/v1/{path}"), &app.staff()).await;
            let row = if path.contains(&id.to_string()) {
                &answer.body
            } else {
                &answer.body["items"][0]
            };
            let names: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, expected, "{path}");
        }
    }
    for fields in [
        "search",
        "payment_reference",
        "order_id,position",
        "order_id,",
        "*",
        "order_id%3B",
        "pg_sleep(9)",
        "ORDER_ID",
    ] {
        let answer = app
            .get(&format!("/api/v1/orders?fields={fields}"), &app.staff())
            .await;
        assert!(answer.is(400, "unknown_field"), "{fields}: {answer:?}");
        let error = &answer.body["errors"][0];
        assert_eq!(error["pointer"], "/fields");
        assert!(
            error["message_en"]
                .as_str()
                .unwrap()
                .contains("order_id, order_number"),
            "{answer:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_searches_use_is_never_shown() -> Result<()> {
    let app = App::start().await?;
    rows::order(&app.projector, json!({"search": "needle"})).await?;
    rows::license(&app.projector, json!({"search": "needle"})).await?;
    for path in ["orders", "licenses"] {
        let answer = app.get(&format!("/api/v1/{path}?q=needle"), &app.staff()).await;
        assert_eq!(answer.body["items"].as_array().map(Vec::len), Some(1));
        assert!(!answer.body.to_string().contains("needle"), "{answer:?}");
    }
    Ok(())
}
