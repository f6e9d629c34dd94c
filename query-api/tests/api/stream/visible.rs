//! Everyone is told of what lists show them, and of nothing else.

use std::collections::BTreeSet;

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;
use stack::Role;
use uuid::Uuid;

use super::events::Events;
use crate::rows;
use crate::support::{App, user};

/// What a stream calls a row, its list, and its key.
const LISTED: [(&str, &str, &str); 7] = [
    ("order", "orders", "order_id"),
    ("license", "licenses", "license_id"),
    ("receipt", "receipts", "receipt_id"),
    ("batch", "batches", "batch_id"),
    ("letter", "letters", "letter_id"),
    ("suspension", "suspensions", "suspension_id"),
    ("user", "users", "user_id"),
];

/// Rows of two customers at two clubs, and one of each kind that only staff reads.
async fn rows(app: &App, clubs: [Uuid; 2]) -> Result<()> {
    let db = &app.projector;
    for (customer, clubs) in [
        ("kari", vec![clubs[0]]),
        ("kari", vec![clubs[1]]),
        ("ola", vec![clubs[0]]),
        ("ola", clubs.to_vec()),
        ("ola", vec![]),
        ("organizer", vec![clubs[1]]),
    ] {
        let customer_id = user(customer);
        rows::order(
            db,
            json!({"customer_id": customer_id, "club_ids": clubs, "position": 5}),
        )
        .await?;
        rows::receipt(db, json!({"customer_id": customer_id, "position": 6})).await?;
        for club_id in clubs {
            let license = json!({"customer_id": customer_id, "club_id": club_id, "position": 6});
            rows::license(db, license).await?;
        }
    }
    rows::batch(db, json!({"position": 7})).await?;
    db.batch_execute(
        "insert into letters (letter_id, order_id, order_number, kind, status, documents, created_at, updated_at, version, position)
         values (gen_random_uuid(), gen_random_uuid(), 'BL-1', 'receipt', 'sent', 1, now(), now(), 1, 8);
         insert into suspensions (suspension_id, kind, status, reason, created_at, updated_at, version, position)
         values (gen_random_uuid(), 'vehicle', 'active', 'x', now(), now(), 1, 9)",
    )
    .await?;
    for name in ["kari", "ola"] {
        db.execute(
            "insert into users (user_id, club_ids, created_at, updated_at, version, position)
             values ($1, '{}', now(), now(), 1, 9)",
            &[&user(name)],
        )
        .await?;
    }
    Ok(())
}

/// What lists show.
async fn listed(app: &App, token: &str) -> BTreeSet<(String, String)> {
    let mut listed = BTreeSet::new();
    for (name, list, key) in LISTED {
        let answer = app.get(&format!("/api/v1/{list}?limit=100"), token).await;
        if answer.status == StatusCode::OK {
            listed.extend(answer.column(key).into_iter().map(|id| (name.to_owned(), id)));
        } else if name == "user" {
            let me = app.get("/api/v1/users/me", token).await;
            let id = me.body["user_id"].as_str().map(str::to_owned);
            listed.extend(id.map(|id| (name.to_owned(), id)));
        }
    }
    listed
}

#[tokio::test]
async fn everyone_is_told_of_what_lists_show_and_of_nothing_else() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    let clubs = [Uuid::now_v7(), Uuid::now_v7()];
    let people = [
        ("kari", app.token(Role::Customer, "kari", &[]), 5),
        ("ola", app.token(Role::Customer, "ola", &[]), 10),
        ("nothing is theirs", app.token(Role::Customer, "eva", &[]), 0),
        (
            "clubs without the role",
            app.token(Role::Customer, "eva", &clubs),
            0,
        ),
        (
            "an organizer",
            app.token(Role::Organizer, "organizer", &clubs[..1]),
            8,
        ),
        (
            "an organizer of both",
            app.token(Role::Organizer, "both", &clubs),
            11,
        ),
        ("staff", app.staff(), 23),
        ("an admin", app.token(Role::Admin, "admin", &[]), 23),
    ];
    let mut live = Vec::new();
    for (_, token, _) in &people {
        let (events, before) = Events::open(&app, token, None).await;
        assert_eq!(before, [], "nothing has changed for who comes first");
        live.push(events);
    }
    let before = live[0].last_id.clone();
    rows(&app, clubs).await?;
    let club = rows::club(&app.projector, "Everyone sees a club").await?;
    app.projector
        .execute("update clubs set position = 20 where club_id = $1", &[&club])
        .await?;
    app.project_to(20).await?;
    for ((who, token, least), mut events) in people.into_iter().zip(live) {
        let told = events.changes_until(&club.to_string()).await;
        let listed = listed(&app, &token).await;
        assert_eq!(told, listed, "{who}");
        assert!(told.len() >= least, "{who}: {told:?}");
        // The same from the rows, for those who come back.
        let mut again = Events::begin(&app, &token, Some(&before)).await;
        assert_eq!(
            again.changes_until(&club.to_string()).await,
            listed,
            "{who}, again"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_login_is_needed_and_nothing_else_is_taken() -> Result<()> {
    let app = App::start().await?;
    let refused = app.get_anonymously("/api/v1/stream").await;
    assert!(refused.is(401, "unauthorized"), "{refused:?}");
    let refused = app.get("/api/v1/stream", "forged").await;
    assert!(refused.is(401, "token_invalid"), "{refused:?}");
    let refused = app.get("/api/v1/stream?type=order", &app.staff()).await;
    assert!(refused.is(400, "unknown_parameter"), "{refused:?}");
    let taken = app.get("/api/v1/stream", &app.staff()).await;
    assert_eq!(
        (
            taken.header("content-type"),
            taken.header("cache-control"),
            taken.header("x-accel-buffering")
        ),
        ("text/event-stream", "private, no-store", "no")
    );
    Ok(())
}
