//! Usual pages are read by statements that stay prepared.

use anyhow::Result;
use query::Asker;
use serde_json::json;
use stack::Role;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, LANE};

/// How many statements the next connection of the people's lane keeps.
async fn kept(app: &App) -> i64 {
    let count = "select count(*) from pg_prepared_statements";
    app.state
        .reads
        .ask("kept", Asker::person(Uuid::nil()), |client| {
            Box::pin(async move { Ok(client.query_one(count, &[]).await?.get(0)) })
        })
        .await
        .expect("a count")
}

#[tokio::test]
async fn usual_pages_are_prepared_and_others_leave_nothing() -> Result<()> {
    let app = App::start().await?;
    let staff = app.staff();
    rows::order(&app.projector, json!({})).await?;
    for _ in 0..2 * LANE {
        assert_eq!(app.get("/api/v1/orders", &staff).await.column("status").len(), 1);
        let one = app
            .get("/api/v1/orders?status=fulfilled&fields=order_id", &staff)
            .await;
        assert_eq!(one.status, 200);
        let counted = app
            .get("/api/v1/orders?provider=vipps&total_min_ore=1", &staff)
            .await;
        assert_eq!(counted.status, 200);
    }
    let mut most = 0;
    for _ in 0..LANE {
        most = most.max(kept(&app).await);
    }
    // That of the orders, and what the authenticator asks for at most.
    assert!((1..=2).contains(&most), "{most}");
    // As many shapes as there are limits, each way: a connection keeps a bounded number.
    for limit in 1..=200 {
        for sort in ["created_at", "-created_at", "total_ore", "-total_ore"] {
            let page = app
                .get(&format!("/api/v1/orders?limit={limit}&sort={sort}"), &staff)
                .await;
            assert_eq!(page.status, 200);
        }
        let kept = kept(&app).await;
        assert!(kept <= 130, "{kept} after limit {limit}");
        most = most.max(kept);
    }
    assert!(most > 20, "{most}");
    Ok(())
}

#[tokio::test]
async fn a_table_of_other_columns_takes_the_place_of_one_that_was_prepared_for() -> Result<()> {
    let app = App::start().await?;
    let customer = app.token(Role::Staff, "staff", &[]);
    rows::license(&app.projector, json!({"activity_days": 2})).await?;
    let ask = async || app.get("/api/v1/licenses", &customer).await;
    for _ in 0..3 * LANE {
        assert_eq!(ask().await.body["items"][0]["activity_days"], 2);
    }
    app.projector
        .batch_execute("alter table licenses alter column activity_days type bigint")
        .await?;
    for _ in 0..3 * LANE {
        let answer = ask().await;
        assert_eq!(answer.body["items"][0]["activity_days"], 2, "{answer:?}");
    }
    Ok(())
}
