//! The days of the lists: from counters and from rows, always what the list itself returns.

mod refused;
mod sales;

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;
use stack::Role;

use self::sales::{CLUB, COUNTERS, OTHER_CLUB, ROWS, agreed, app};
use crate::rows;
use crate::support::{App, user};

/// What staff asks of orders, and where the answer is from.
const OF_ORDERS: &[(&str, i64)] = &[
    ("", COUNTERS),
    ("sort=created_at", COUNTERS),
    ("sort=-created_at&status=&q=", COUNTERS),
    ("sort=activity_date", COUNTERS),
    ("sort=-activity_date&status=paid", COUNTERS),
    ("status=cancelled", COUNTERS),
    ("status=expired", COUNTERS),
    ("club_id=00000000-0000-0000-0000-0000000000c1", COUNTERS),
    (
        "club_id=00000000-0000-0000-0000-0000000000C2&status=refunded",
        COUNTERS,
    ),
    ("club_id=00000000-0000-0000-0000-0000000000c3", COUNTERS),
    ("license_type=rally", COUNTERS),
    ("license_type=rall", COUNTERS),
    ("license_type=%27%20or%20true--", COUNTERS),
    ("provider=nexi&status=cancelled&sort=activity_date", COUNTERS),
    ("created_from=2026-10-25", COUNTERS),
    ("created_to=2026-10-25&status=paid", COUNTERS),
    ("created_from=2026-10-25&created_to=2026-10-25", COUNTERS),
    (
        "created_from=2026-10-25T00:00:00%2B02:00&created_to=2026-10-26T00:00:00%2B01:00",
        COUNTERS,
    ),
    (
        "created_from=2026-10-25T23:00:00Z&created_to=2026-10-25T23:00:00Z",
        COUNTERS,
    ),
    ("created_from=2026-10-24&provider=vipps", COUNTERS),
    ("created_from=2026-10-25T01:00:00Z", ROWS),
    ("created_to=2026-10-25T22:59:59.999999Z", ROWS),
    ("created_from=2026-10-25&sort=activity_date", ROWS),
    ("sort=activity_date&activity_to=2027-05-03", COUNTERS),
    (
        "sort=activity_date&activity_to=2027-05-03&license_type=bane",
        COUNTERS,
    ),
    ("activity_to=2027-05-03", ROWS),
    ("sort=activity_date&activity_from=2027-05-03", ROWS),
    (
        "sort=activity_date&activity_from=2027-05-03&activity_to=2027-05-03",
        ROWS,
    ),
    (
        "club_id=00000000-0000-0000-0000-0000000000c1&license_type=rally",
        ROWS,
    ),
    ("provider=vipps&license_type=rally&status=paid", ROWS),
    ("refund_state=refunded", ROWS),
    ("total_min_ore=1000&total_max_ore=3000&sort=activity_date", ROWS),
    ("q=sale3&status=paid", ROWS),
];

/// The same of licenses.
const OF_LICENSES: &[(&str, i64)] = &[
    ("", COUNTERS),
    ("sort=activity_date", COUNTERS),
    ("status=suspended", COUNTERS),
    ("club_id=00000000-0000-0000-0000-0000000000c2", COUNTERS),
    ("license_type=bane&status=revoked&sort=-activity_date", COUNTERS),
    ("category=test", COUNTERS),
    ("discipline=mc&status=issued", COUNTERS),
    ("role=passenger&sort=activity_date", COUNTERS),
    ("checked_in=true", COUNTERS),
    ("checked_in=false&status=suspended", COUNTERS),
    ("sort=activity_date&activity_to=2027-05-02&role=driver", COUNTERS),
    ("sort=activity_date&activity_from=2027-05-03", ROWS),
    (
        "sort=activity_date&activity_from=2027-05-02&activity_to=2027-05-03",
        ROWS,
    ),
    ("category=test&role=driver", ROWS),
    ("holder_id=00000000-0000-0000-0000-000000000001", ROWS),
    ("order_id=00000000-0000-0000-0000-000000000001", ROWS),
    ("q=sale3", ROWS),
];

#[tokio::test]
async fn the_days_are_those_of_the_list_whatever_staff_filters_by() -> Result<()> {
    let app = app().await?;
    let staff = app.staff();
    for (list, asked) in [("orders", OF_ORDERS), ("licenses", OF_LICENSES)] {
        for (query, position) in asked {
            assert_eq!(
                agreed(&app, list, query, &staff).await,
                *position,
                "{list}?{query}"
            );
        }
    }
    Ok(())
}

/// Counters count what is everyone's, so others than staff never get what they say.
#[tokio::test]
async fn the_days_are_those_of_the_readers_own_list() -> Result<()> {
    let app = app().await?;
    for (role, subject, clubs) in [
        (Role::Customer, "kari", vec![]),
        (Role::Customer, "someone", vec![]),
        (Role::Organizer, "ola", vec![CLUB]),
        (Role::Organizer, "someone", vec![CLUB, OTHER_CLUB]),
        (Role::Organizer, "someone", vec![]),
    ] {
        let token = app.token(role, subject, &clubs);
        for (list, asked) in [("orders", OF_ORDERS), ("licenses", OF_LICENSES)] {
            for (query, _) in asked.iter().step_by(3) {
                let position = agreed(&app, list, query, &token).await;
                assert_eq!(position, ROWS, "{list}?{query} by {role:?}");
            }
        }
    }
    let admin = app.token(Role::Admin, "admin", &[]);
    assert_eq!(agreed(&app, "orders", "", &admin).await, COUNTERS);
    Ok(())
}

/// What an outline is for: a day and a number become the row that is there.
#[tokio::test]
async fn a_day_leads_to_its_rows() -> Result<()> {
    let app = app().await?;
    let staff = app.staff();
    for (list, key, shown) in [
        ("orders", "created_at", "created_at"),
        ("orders", "activity_date", "activity_from"),
        ("licenses", "created_at", "created_at"),
    ] {
        let outline = app
            .get(&format!("/api/v1/{list}/outline?sort={key}"), &staff)
            .await;
        let all = app
            .get(
                &format!("/api/v1/{list}?sort={key}&fields={shown}&limit=200"),
                &staff,
            )
            .await
            .column(shown);
        let mut before = 0;
        for day in outline.body["days"].as_array().expect("days") {
            let (day, rows) = (
                day[0].as_str().expect("a day"),
                day[1].as_u64().expect("a number"),
            );
            let path = format!("/api/v1/{list}?sort={key}&fields={shown}&limit=200&seek={day}");
            let from_day = app.get(&path, &staff).await.column(shown);
            assert_eq!(from_day, all[before..], "{list} by {key} from {day}");
            before += usize::try_from(rows)?;
        }
        assert_eq!(before, all.len());
    }
    Ok(())
}

#[tokio::test]
async fn rows_without_counters_are_counted_while_they_are_few() -> Result<()> {
    let app = App::start().await?;
    app.project_to(ROWS).await?;
    app.report_to(COUNTERS).await?;
    rows::order(&app.projector, json!({"customer_id": user("kari")})).await?;
    let more = "insert into orders select (jsonb_populate_record(o, jsonb_build_object('order_id', gen_random_uuid()))).*
                from orders o, generate_series(1, $1)";
    app.projector.execute(more, &[&9_999]).await?;
    let kari = app.token(Role::Customer, "kari", &[]);
    let path = "/api/v1/orders/outline";
    let all = app.get(path, &kari).await;
    assert_eq!(
        all.body,
        json!({"key": "created_at", "days": [["2026-05-01", 10_000]], "total": 10_000, "covered": true, "position": ROWS})
    );
    rows::order(&app.projector, json!({"customer_id": user("kari")})).await?;
    let uncounted =
        json!({"key": "created_at", "days": [], "total": null, "covered": false, "position": ROWS});
    assert_eq!(app.get(path, &kari).await.body, uncounted);
    let staff = app.staff();
    let by_amount = app.get(&format!("{path}?total_min_ore=1"), &staff).await;
    assert_eq!(by_amount.body, uncounted);
    // Fewer of them, and none.
    let few = app.get(&format!("{path}?total_min_ore=42001"), &staff).await;
    assert_eq!(
        (&few.body["days"], &few.body["covered"]),
        (&json!([]), &json!(true))
    );
    assert_eq!(few.body["total"], 0);
    // Counters have no bound.
    let count = "insert into reports.outline values ('orders', 'created_at', 'all', '', '2026-05-01', 'fulfilled', 1500000)";
    app.projector.batch_execute(count).await?;
    let counted = app.get(path, &staff).await;
    assert_eq!(counted.body["days"], json!([["2026-05-01", 1_500_000]]));
    Ok(())
}

/// Between a migration and the end of the rebuild that it asks for, the counters are not those of the log.
#[tokio::test]
async fn counters_of_another_log_say_nothing() -> Result<()> {
    let app = app().await?;
    let stale = "update reports.checkpoints set stale_since = now()";
    app.projector.batch_execute(stale).await?;
    let staff = app.staff();
    let answer = app.get("/api/v1/orders/outline", &staff).await;
    assert_eq!(
        answer.body,
        json!({"key": "created_at", "days": [], "total": null, "covered": false, "position": COUNTERS})
    );
    assert_eq!(
        (answer.header("event-stale"), answer.header("cache-control")),
        ("true", "no-store")
    );
    // What is counted in the rows is not concerned.
    assert_eq!(agreed(&app, "orders", "q=sale3", &staff).await, ROWS);
    // Nor does a database that no projector has written to have counters.
    app.projector
        .batch_execute("delete from reports.checkpoints; delete from checkpoints; delete from reports.outline; delete from orders")
        .await?;
    for query in ["", "?q=sale3"] {
        let empty = app.get(&format!("/api/v1/orders/outline{query}"), &staff).await;
        assert_eq!(
            (&empty.body["total"], &empty.body["position"]),
            (&json!(0), &json!(0)),
            "{empty:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_outline_waits_for_the_projection_that_it_is_from() -> Result<()> {
    let app = app().await?;
    let staff = app.staff();
    for (query, here, beyond) in [("", COUNTERS, COUNTERS + 1), ("q=sale3", ROWS, ROWS + 1)] {
        let path = |position| format!("/api/v1/licenses/outline?{query}&min_position={position}");
        let at = app.get_until(&path(here), &staff, StatusCode::OK).await;
        assert_eq!(at.body["position"], here, "{query}");
        let late = app.get(&path(beyond), &staff).await;
        assert!(late.is(503, "projection_lagging"), "{query}: {late:?}");
    }
    let soon = "/api/v1/licenses/outline?min_position=11";
    let (answer, moved) = tokio::join!(app.get(soon, &staff), app.report_to(11));
    moved?;
    assert_eq!(
        (answer.status, &answer.body["position"]),
        (StatusCode::OK, &json!(11))
    );
    Ok(())
}

#[tokio::test]
async fn a_copy_holds_until_a_count_changes() -> Result<()> {
    let app = app().await?;
    let staff = app.staff();
    let mut elsewhere = 0;
    for (query, change) in [
        (
            "",
            "update reports.outline set row_count = row_count + 1 where list = 'orders' and dimension = 'all'",
        ),
        (
            "?q=sale3",
            "update orders set created_at = created_at + interval '3 days'",
        ),
    ] {
        let path = format!("/api/v1/orders/outline{query}");
        let first = app.get(&path, &staff).await;
        let known = [("if-none-match", first.header("etag"))];
        // Events elsewhere.
        elsewhere += 1;
        app.project_to(ROWS + elsewhere).await?;
        app.report_to(COUNTERS + elsewhere).await?;
        let again = app.get_with(&path, &staff, &known).await;
        assert_eq!(
            (again.status, again.body.is_null()),
            (StatusCode::NOT_MODIFIED, true),
            "{path}"
        );
        assert_eq!(again.header("etag"), first.header("etag"));
        assert_ne!(again.header("event-position"), first.header("event-position"));
        app.projector.batch_execute(change).await?;
        let changed = app.get_with(&path, &staff, &known).await;
        assert_eq!(changed.status, StatusCode::OK, "{path}");
        assert_ne!(changed.header("etag"), first.header("etag"));
    }
    Ok(())
}
