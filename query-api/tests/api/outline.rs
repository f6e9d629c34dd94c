//! The days of the lists: from counters and from rows, always what the list itself returns.

mod refused;

use std::collections::BTreeMap;

use anyhow::Result;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Oslo;
use serde_json::{Value, json};
use stack::Role;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, user};

/// Where the projections are, so that an answer tells which one it is from.
const ROWS: i64 = 9;
const COUNTERS: i64 = 7;

/// The counters of these rows, as the projector keeps them.
const COUNT: &str = "
    insert into reports.outline
    select 'orders', sort_key, dimension, value, day, status, count(*)
    from orders
    cross join lateral (values ('created_at', (created_at at time zone 'Europe/Oslo')::date), ('activity_date', activity_from))
        as days (sort_key, day)
    cross join lateral (
        select 'all' as dimension, '' as value
        union all select 'club_id', club::text from unnest(club_ids) club
        union all select 'license_type', type from unnest(license_types) type
        union all select 'provider', payment_provider
    ) as filters
    group by sort_key, dimension, value, day, status;
    insert into reports.outline
    select 'licenses', sort_key, dimension, value, day, status, count(*)
    from licenses
    cross join lateral (values ('created_at', (created_at at time zone 'Europe/Oslo')::date), ('activity_date', activity_date))
        as days (sort_key, day)
    cross join lateral (
        values ('all', ''), ('club_id', club_id::text), ('license_type', license_type), ('category', category),
               ('discipline', discipline), ('role', role), ('checked_in', (checked_in_at is not null)::text)
    ) as filters (dimension, value)
    group by sort_key, dimension, value, day, status";

const CLUB: Uuid = Uuid::from_u128(0xc1);
const OTHER_CLUB: Uuid = Uuid::from_u128(0xc2);

/// An order with the license of its first line. No two have all in common; several are on each day, and some where days meet.
async fn sale(app: &App, number: i64) -> Result<()> {
    let turn = |of: i64| usize::try_from(number % of).unwrap_or_default();
    let noon: DateTime<Utc> = "2026-10-20T10:00:00Z".parse()?;
    let created_at = match number % 5 {
        // Midnight in Norway before and after the end of summer time, and the moment before it.
        0 => "2026-10-24T22:00:00Z".parse()?,
        1 => "2026-10-25T22:59:59.999999Z".parse()?,
        2 => "2026-10-25T23:00:00Z".parse()?,
        _ => noon + TimeDelta::hours(7 * number),
    };
    let activity = NaiveDate::from_ymd_opt(2027, 5, 1).unwrap_or_default() + TimeDelta::days(number % 6);
    let last = activity + TimeDelta::days(number % 3);
    let dates: Vec<NaiveDate> = activity.iter_days().take_while(|day| *day <= last).collect();
    let clubs = [vec![CLUB], vec![OTHER_CLUB], vec![CLUB, OTHER_CLUB]][turn(3)].clone();
    let types = [vec!["bane"], vec!["bane", "rally"]][turn(2)].clone();
    let pick = |of: &[&'static str]| of[turn(i64::try_from(of.len()).unwrap_or(1))];
    let (order_status, provider) = (
        pick(&["fulfilled", "cancelled", "refunded", "paid"]),
        pick(&["vipps", "nexi"]),
    );
    let (license_status, category) = (
        pick(&["issued", "checked_in", "suspended", "revoked"]),
        pick(&["track_day", "test"]),
    );
    let (discipline, role) = (pick(&["bil", "mc", "rally"]), pick(&["driver", "passenger"]));
    let is_odd = number % 2 == 1;
    let customer = user(["kari", "ola", "per"][turn(3)]);
    let order_id = rows::order(
        &app.projector,
        json!({
            "order_number": format!("BL-{number:05}"), "customer_id": customer, "created_at": created_at,
            "status": order_status, "payment_provider": provider,
            "club_ids": clubs, "license_types": types, "activity_from": activity, "activity_to": last,
            "activity_dates": dates, "total_ore": number * 100, "search": format!(" bl{number:05} sale{}", number % 7),
            "refund_state": is_odd.then_some("refunded"),
        }),
    )
    .await?;
    rows::license(
        &app.projector,
        json!({
            "order_id": order_id, "customer_id": customer, "created_at": created_at, "activity_date": activity,
            "activity_days": number % 3 + 1, "status": license_status,
            "club_id": clubs[0], "license_type": types[types.len() - 1], "category": category,
            "discipline": discipline, "role": role,
            "holder_id": Uuid::from_u128(u128::from(number.unsigned_abs() % 4)), "position": number,
            "checked_in_at": is_odd.then_some("2027-05-01T10:00:00Z"), "search": format!(" sale{}", number % 7),
        }),
    )
    .await?;
    Ok(())
}

/// Sixty sales, and where the projections are.
async fn app() -> Result<App> {
    let app = App::start().await?;
    for number in 0..60 {
        sale(&app, number).await?;
    }
    app.projector.batch_execute(COUNT).await?;
    app.project_to(ROWS).await?;
    app.report_to(COUNTERS).await?;
    Ok(app)
}

/// The days of a list, counted on its pages.
async fn days_of_pages(app: &App, list: &str, query: &str, token: &str) -> Value {
    let key = if query.contains("activity_date") && list == "orders" {
        "activity_from"
    } else if query.contains("activity_date") {
        "activity_date"
    } else {
        "created_at"
    };
    let mut days: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/{list}?{query}&fields={key}&limit=25&cursor={cursor}");
        let page = app.get(&path, token).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {page:?}");
        for value in page.column(key) {
            let day = value.parse::<NaiveDate>().unwrap_or_else(|_| {
                let moment: DateTime<Utc> = value.parse().expect("a day or a moment");
                moment.with_timezone(&Oslo).date_naive()
            });
            *days.entry(day).or_default() += 1;
        }
        match page.body["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return json!(days.into_iter().collect::<Vec<_>>()),
        }
    }
}

/// Asks for an outline, which has to be what the pages say. Gives its position.
async fn agreed(app: &App, list: &str, query: &str, token: &str) -> i64 {
    let path = format!("/api/v1/{list}/outline?{query}");
    let answer = app.get(&path, token).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    assert_eq!(answer.header("cache-control"), "private, no-store", "{path}");
    let expected = days_of_pages(app, list, query, token).await;
    assert_eq!(answer.body["days"], expected, "{path}");
    let rows: i64 = expected
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|day| day[1].as_i64())
        .sum();
    let key = if query.contains("activity_date") {
        "activity_date"
    } else {
        "created_at"
    };
    assert_eq!(
        (
            &answer.body["key"],
            &answer.body["total"],
            &answer.body["covered"]
        ),
        (&json!(key), &json!(rows), &json!(true)),
        "{path}"
    );
    let position = answer.body["position"].as_i64().unwrap_or_default();
    assert_eq!(answer.header("event-position"), position.to_string(), "{path}");
    position
}

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
