//! Slow requests of one kind take nothing from the others, and one reader has only some of them under way.

use anyhow::Result;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use stack::Role;
use tokio_postgres::Client;

use crate::support::{App, LANE, Reading, connect, eventually, fresh_databases};

const SEARCH: &str = "/api/v1/orders?q=kari";
/// Statements that wait for a lock.
const WAITING: &str = "select count(*) from pg_stat_activity where application_name = 'query-api'
    and datname = current_database() and wait_event_type = 'Lock'";

/// The service, with statements that may take long.
async fn start() -> Result<App> {
    let databases = fresh_databases().await?;
    read_model::migrate(&databases.read_owner).await?;
    let projector = connect(&databases.read_owner).await?;
    let reading = Reading {
        statement_timeout_s: 60,
        ..Reading::default()
    };
    App::reading(databases, projector, reading).await
}

async fn waiting(client: &Client) -> Result<usize> {
    let count: i64 = client.query_one(WAITING, &[]).await?.get(0);
    Ok(usize::try_from(count)?)
}

/// Nothing of this table can be read until the transaction ends.
async fn lock_orders(app: &App) -> Result<()> {
    app.projector
        .batch_execute("begin; lock table orders in access exclusive mode")
        .await?;
    Ok(())
}

#[tokio::test]
async fn eight_slow_searches_of_staff_cost_customers_and_the_public_nothing() -> Result<()> {
    let app = start().await?;
    let watcher = connect(&app.databases.read_reader).await?;
    lock_orders(&app).await?;
    let searches: FuturesUnordered<_> = (0..8)
        .map(|number| {
            let token = app.token(Role::Staff, &format!("staff-{number}"), &[]);
            let app = &app;
            async move { app.get(SEARCH, &token).await }
        })
        .collect();
    let others = async {
        eventually(
            "the searches have all connections that they may have",
            async || (waiting(&watcher).await.ok()? == LANE).then_some(()),
        )
        .await;
        let customer = app.token(Role::Customer, "customer", &[]);
        for _ in 0..10 {
            for (path, token) in [
                ("/api/v1/licenses", &customer),
                ("/api/v1/licenses?q=kari&count=true", &customer),
                ("/api/v1/receipts?limit=1", &app.staff()),
                ("/api/v1/clubs?q=nmk&count=true", &String::new()),
            ] {
                let answer = app.get(path, token).await;
                assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
            }
        }
        assert_eq!(
            waiting(&watcher).await?,
            LANE,
            "they were served while the searches waited"
        );
        app.projector.batch_execute("rollback").await?;
        anyhow::Ok(())
    };
    let (searches, served) = tokio::join!(searches.collect::<Vec<_>>(), others);
    served?;
    let found = searches
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    assert!(found >= LANE, "{searches:?}");
    for refused in searches.iter().filter(|answer| answer.status != StatusCode::OK) {
        assert!(refused.is(503, "reads_busy"), "{refused:?}");
        assert_eq!(refused.header("retry-after"), "1");
    }
    Ok(())
}

#[tokio::test]
async fn a_full_lane_is_said_and_empties_again() -> Result<()> {
    let app = start().await?;
    let watcher = connect(&app.databases.read_reader).await?;
    lock_orders(&app).await?;
    let customers: FuturesUnordered<_> = (0..=LANE)
        .map(|number| {
            let token = app.token(Role::Customer, &format!("customer-{number}"), &[]);
            let app = &app;
            async move { app.get("/api/v1/orders", &token).await }
        })
        .collect();
    let mut customers = customers;
    // One has no connection: it is the first with an answer.
    let refused = customers.next().await.expect("an answer");
    assert!(refused.is(503, "reads_busy"), "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.body["message_nb"].is_string(), "{refused:?}");
    assert_eq!(waiting(&watcher).await?, LANE);
    app.projector.batch_execute("rollback").await?;
    while let Some(answer) = customers.next().await {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_reader_has_two_searches_under_way_and_no_third() -> Result<()> {
    let app = start().await?;
    let watcher = connect(&app.databases.read_reader).await?;
    lock_orders(&app).await?;
    let (staff, other) = (app.staff(), app.token(Role::Staff, "other", &[]));
    let under_way = async {
        tokio::join!(
            app.get(SEARCH, &staff),
            app.get("/api/v1/orders?count=true", &staff)
        )
    };
    let others = async {
        eventually("two searches are under way", async || {
            (waiting(&watcher).await.ok()? == 2).then_some(())
        })
        .await;
        for path in [SEARCH, "/api/v1/licenses?q=kari", "/api/v1/exports/licenses"] {
            let refused = app.get(path, &staff).await;
            assert!(refused.is(429, "too_many_at_once"), "{path}: {refused:?}");
            assert_eq!(refused.header("retry-after"), "1");
            assert!(refused.body["message_nb"].is_string() && refused.body["message_en"].is_string());
        }
        for (path, token) in [("/api/v1/licenses?q=kari", &other), ("/api/v1/licenses", &staff)] {
            let answer = app.get(path, token).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        }
        assert_eq!(waiting(&watcher).await?, 2, "the two are still under way");
        app.projector.batch_execute("rollback").await?;
        anyhow::Ok(())
    };
    let ((search, count), served) = tokio::join!(under_way, others);
    served?;
    assert_eq!((search.status, count.status), (StatusCode::OK, StatusCode::OK));
    let again = app.get(SEARCH, &staff).await;
    assert_eq!(
        again.status,
        StatusCode::OK,
        "the seats are free again: {again:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_no_statement_behind() -> Result<()> {
    let app = start().await?;
    let watcher = connect(&app.databases.read_reader).await?;
    lock_orders(&app).await?;
    let staff = app.staff();
    {
        let search = std::pin::pin!(app.get(SEARCH, &staff));
        let under_way = eventually("the search is under way", async || {
            (waiting(&watcher).await.ok()? == 1).then_some(())
        });
        tokio::select! {
            answer = search => panic!("{answer:?}"),
            () = under_way => {}
        }
    }
    eventually("its statement is cancelled", async || {
        (waiting(&watcher).await.ok()? == 0).then_some(())
    })
    .await;
    app.projector.batch_execute("rollback").await?;
    assert_eq!(app.get(SEARCH, &staff).await.status, StatusCode::OK);
    Ok(())
}
