//! Waiting for one's own write.

use std::time::Duration;

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, DEADLINE};

#[tokio::test]
async fn every_answer_says_where_in_the_log_it_is_true() -> Result<()> {
    let app = App::start().await?;
    app.project_to(42).await?;
    let order = rows::order(&app.projector, json!({})).await?;
    for path in [
        "orders",
        "licenses",
        "license-types",
        "clubs",
        &format!("orders/{order}"),
        &format!("orders/{}", Uuid::nil()),
    ] {
        let answer = app.get(&format!("/api/v1/{path}"), &app.staff()).await;
        assert_eq!(answer.header("event-position"), "42", "{path}: {answer:?}");
        if !path.contains('/') {
            assert_eq!(answer.body["position"], 42, "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_reader_waits_for_its_write_and_is_woken_by_it() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    let order = Uuid::now_v7();
    let path = format!("/api/v1/orders/{order}?min_position=2");
    let token = app.staff();
    let reader = app.get(&path, &token);
    let writer = async {
        // The answer can only be right if the reader waited: at first there is neither row nor position.
        tokio::task::yield_now().await;
        rows::order(&app.projector, json!({"order_id": order})).await?;
        app.project_to(2).await
    };
    let (answer, written) = tokio::join!(reader, writer);
    written?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        (answer.header("event-position"), &answer.body["order_id"]),
        ("2", &json!(order))
    );
    Ok(())
}

#[tokio::test]
async fn a_notification_alone_wakes_those_who_wait() -> Result<()> {
    let app = App::start().await?;
    // The table says 0, so only a notification can say 7; repeated, since the poll takes it back.
    let notify = async {
        loop {
            app.projector
                .batch_execute("select pg_notify('projected', '7')")
                .await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        failed = notify => failed,
        reached = app.state.reads.places.projection().reach(7, "min_position") => {
            assert!(reached.is_ok(), "{reached:?}");
            Ok(())
        }
    }
}

#[tokio::test]
async fn nonsense_on_the_channel_is_ignored() -> Result<()> {
    let app = App::start().await?;
    app.project_to(3).await?;
    for payload in ["", "-1", "ten", "99999999999999999999"] {
        app.projector
            .execute("select pg_notify('projected', $1)", &[&payload])
            .await?;
    }
    app.project_to(4).await?;
    assert_eq!(
        app.get_anonymously("/api/v1/clubs?min_position=4").await.status,
        StatusCode::OK
    );
    Ok(())
}

#[tokio::test]
async fn the_header_does_the_same_and_a_reached_position_waits_for_nothing() -> Result<()> {
    let app = App::start().await?;
    app.project_to(9).await?;
    let answer = app.get_with("/api/v1/clubs", "", &[("min-position", "9")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = app
        .get_with("/api/v1/clubs", "", &[("min-position", "nine")])
        .await;
    assert!(answer.is(400, "invalid_parameter"), "{answer:?}");
    assert_eq!(answer.body["errors"][0]["pointer"], "/Min-Position");
    Ok(())
}

#[tokio::test]
async fn a_projection_that_lags_is_a_503_that_says_so() -> Result<()> {
    let app = App::start().await?;
    app.project_to(5).await?;
    app.get_until("/api/v1/clubs?min_position=5", "", StatusCode::OK)
        .await;
    for path in [
        "/api/v1/clubs?min_position=6",
        "/api/v1/orders?min_position=9223372036854775807",
    ] {
        // What the projector saw before says nothing: the log may have grown since.
        app.see_head(5).await?;
        let answer = tokio::time::timeout(DEADLINE, app.get(path, &app.staff())).await?;
        assert!(
            answer.body["detail"].as_str().unwrap().contains("position 5"),
            "{answer:?}"
        );
        assert!(answer.is(503, "projection_lagging"), "{answer:?}");
        assert_eq!(
            (answer.header("retry-after"), answer.header("event-position")),
            ("1", "5"),
            "{answer:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_position_that_the_log_does_not_hold_is_a_400_once_the_log_was_looked_at() -> Result<()> {
    let app = App::start().await?;
    app.project_to(5).await?;
    for (path, headers, pointer) in [
        ("clubs?min_position=9", &[][..], "/min_position"),
        ("orders?min_position=9223372036854775807", &[], "/min_position"),
        ("licenses", &[("min-position", "9")], "/Min-Position"),
    ] {
        let (path, staff) = (format!("/api/v1/{path}"), app.staff());
        let asked = app.get_with(&path, &staff, headers);
        let looking = async {
            loop {
                app.see_head(8).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let answer = tokio::select! {
            failed = looking => return failed,
            answer = asked => answer,
        };
        assert!(answer.is(400, "position_unknown"), "{path}: {answer:?}");
        assert_eq!(answer.header("event-position"), "5");
        let error = &answer.body["errors"][0];
        assert_eq!(error["pointer"], pointer);
        assert_eq!(error["message_en"], "The last position is 8.");
    }
    Ok(())
}

#[tokio::test]
async fn a_position_that_the_log_holds_is_waited_for_although_the_rows_lag() -> Result<()> {
    let app = App::start().await?;
    app.project_to(5).await?;
    let looking = async {
        loop {
            app.see_head(8).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::select! {
        failed = looking => return failed,
        answer = app.get_anonymously("/api/v1/clubs?min_position=8") => answer,
    };
    assert!(answer.is(503, "projection_lagging"), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_that_moved_without_a_word_is_seen_too() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    app.projector
        .execute("update checkpoints set position = 2", &[])
        .await?;
    let answer = app.get_anonymously("/api/v1/clubs?min_position=2").await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "the poll makes up for a lost notification: {answer:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_log_restored_to_an_earlier_point_is_followed_back() -> Result<()> {
    let app = App::start().await?;
    app.project_to(10).await?;
    app.get_until("/api/v1/clubs?min_position=10", "", StatusCode::OK)
        .await;
    app.projector
        .execute(
            "update checkpoints set position = 3, epoch = gen_random_uuid()",
            &[],
        )
        .await?;
    // At once: the rows decide, not an earlier notification.
    let answer = app.get_anonymously("/api/v1/clubs?min_position=10").await;
    assert!(answer.is(503, "projection_lagging"), "{answer:?}");
    assert_eq!(
        app.get_anonymously("/api/v1/clubs")
            .await
            .header("event-position"),
        "3"
    );
    Ok(())
}
