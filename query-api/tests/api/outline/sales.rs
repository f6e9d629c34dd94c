//! Sixty sales with their counters, and how an outline is compared with its list.

use std::collections::BTreeMap;

use anyhow::Result;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Oslo;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rows;
use crate::support::{App, user};

/// Where the projections are, so that an answer tells which one it is from.
pub(super) const ROWS: i64 = 9;
pub(super) const COUNTERS: i64 = 7;

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

pub(super) const CLUB: Uuid = Uuid::from_u128(0xc1);
pub(super) const OTHER_CLUB: Uuid = Uuid::from_u128(0xc2);

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
pub(super) async fn app() -> Result<App> {
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
pub(super) async fn agreed(app: &App, list: &str, query: &str, token: &str) -> i64 {
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
