//! One license for a holder, type and day, and of some types a limited number in a lifetime, held across orders by
//! claims in the log.
//!
//! `domain` decides what an order holds. This module translates them to the log's claims, checks that the key of the
//! holder ids is the one that the log was begun with, and claims the days of orders that are older than claims.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::http::StatusCode;
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use domain::{CapClaim, ClaimChange, DayClaim, HolderKey, License, LineClaims, Order, PlaceOrder};
use envelope::{Metadata, Position};
use event_store::{
    Append, AppendError, Appender, Claim, Claims, CommandHandler, IdempotencyKey, Release, TakenClaim,
};
use events::{Event, OrderEvent, aggregate_type};
use futures_util::TryStreamExt as _;
use serde::Serialize;
use serde_json::json;
use service::problem::Problem;
use uuid::Uuid;

/// What kind of thing is claimed.
const SCOPE: &str = "license-day";
/// The same, for the licenses of a type that a holder may have in a lifetime.
const CAP_SCOPE: &str = "license-cap";
/// Under which keys the log remembers what was done once.
const ONCE: &str = "rule-seven";
/// How often the progress is logged, in orders.
const PROGRESS: usize = 10_000;

/// Every command on an order takes and gives back the days that follow from its events; a license that is revoked gives
/// back its own.
pub(crate) fn claiming(command_handler: CommandHandler, key: &Arc<HolderKey>) -> CommandHandler {
    let (key, of_licenses) = (Arc::clone(key), Arc::clone(key));
    command_handler
        .claiming::<Order>(move |order, _, events| changes(order.claim_change(events, &key)))
        .claiming::<License>(move |license, license_id, events| {
            changes(license.claim_change(license_id, events, &of_licenses))
        })
}

fn changes(change: Option<ClaimChange>) -> Claims {
    match change {
        None => Claims::default(),
        Some(ClaimChange::Take(claims)) => taking(claims),
        Some(ClaimChange::Release(licenses)) => Claims {
            release: licenses.into_iter().map(Release::All).collect(),
            ..Claims::default()
        },
        Some(ClaimChange::Move(license_id, claims)) => Claims {
            release: vec![Release::All(license_id)],
            ..taking(claims)
        },
    }
}

fn taking(LineClaims { days, caps }: LineClaims) -> Claims {
    let day = |day: DayClaim| Claim::unique(SCOPE, day.key, day.license_id);
    let cap = |cap: CapClaim| Claim::counted(CAP_SCOPE, cap.key, cap.license_id, cap.at_most.into());
    Claims {
        take: days
            .into_iter()
            .map(day)
            .chain(caps.into_iter().map(cap))
            .collect(),
        ..Claims::default()
    }
}

/// 422: another order holds days that this order asks for. Names the lines and the days. If the caller's own waiting order
/// holds the first of them, names that order and where to pay. 409: a holder has as many licenses of the type as a lifetime
/// allows.
pub(crate) async fn refused(
    command_handler: &CommandHandler,
    place: &PlaceOrder,
    taken: &[TakenClaim],
) -> Problem {
    let asked = place.claims();
    let is_taken = |key: &str| taken.iter().any(|claim| claim.key == key);
    let refused: Vec<&DayClaim> = asked.days.iter().filter(|day| is_taken(&day.key)).collect();
    let Some(first) = refused.first() else {
        return lifetime_cap_reached(asked.caps.iter().filter(|cap| is_taken(&cap.key)));
    };
    let own = own_waiting_order(command_handler, place.customer_id, &first.key).await;
    let (nb, en) = match &own {
        Some(own) => texts_of_own(own, first.date),
        None => texts(first.date),
    };
    let problem = license_exists(refused.iter().map(|day| (day.line, day.date)), nb, en);
    match own {
        Some(own) => problem.member("order", json!(own)),
        None => problem,
    }
}

fn license_exists(days: impl IntoIterator<Item = (u16, NaiveDate)>, nb: String, en: String) -> Problem {
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "license_exists", nb, en);
    days.into_iter().fold(problem, |problem, (line, date)| {
        let (nb, en) = texts(date);
        let pointer = format!("/lines/{}/activity_date", line.saturating_sub(1));
        problem.field(pointer, "license_exists", nb, en)
    })
}

fn lifetime_cap_reached<'a>(caps: impl IntoIterator<Item = &'a CapClaim>) -> Problem {
    let code = "lifetime_cap_reached";
    let problem = Problem::new(
        StatusCode::CONFLICT,
        code,
        "Personen har så mange lisenser av denne typen som én person kan ha.",
        "This person has as many licenses of this type as one person may have.",
    );
    caps.into_iter().fold(problem, |problem, cap| {
        let (pointer, most) = (
            format!("/lines/{}/holder", cap.line.saturating_sub(1)),
            cap.at_most,
        );
        let nb = format!("Én person kan ha høyst {most} lisenser av denne typen.");
        let en = format!("One person may have at most {most} licenses of this type.");
        problem.field(pointer, code, nb, en)
    })
}

/// The problems of a day that is taken and of a cap that is reached, as examples.
pub(crate) fn examples() -> [Problem; 2] {
    let date = NaiveDate::from_ymd_opt(2026, 6, 5).unwrap_or_default();
    let (nb, en) = texts(date);
    let cap = CapClaim {
        license_id: Uuid::nil(),
        line: 1,
        at_most: 4,
        key: String::new(),
    };
    [license_exists([(1, date)], nb, en), lifetime_cap_reached([&cap])]
}

/// 409: the corrected holder has a license of the type on a day already, or as many as a lifetime allows.
pub(crate) fn correction_refused(taken: &[TakenClaim]) -> Problem {
    let of_day = taken.iter().find(|claim| claim.scope == SCOPE);
    let Some(date) = of_day.and_then(|claim| claim.key.split(' ').nth(1)?.parse().ok()) else {
        return lifetime_cap_reached([]);
    };
    let (nb, en) = texts(date);
    Problem::new(StatusCode::CONFLICT, "license_exists", nb, en)
}

/// The problems of a correction, as examples.
pub(crate) fn examples_of_correction() -> [Problem; 2] {
    let (nb, en) = texts(NaiveDate::from_ymd_opt(2026, 6, 5).unwrap_or_default());
    [
        Problem::new(StatusCode::CONFLICT, "license_exists", nb, en),
        lifetime_cap_reached([]),
    ]
}

/// An order of the caller's that waits for its payment.
#[derive(Serialize)]
struct Waiting {
    order_id: Uuid,
    order_number: String,
    redirect_url: Option<String>,
    expires_at: DateTime<Utc>,
}

/// The customer's own order that holds this claim and waits for its payment. None also if the log can't be read.
async fn own_waiting_order(
    command_handler: &CommandHandler,
    customer_id: Uuid,
    key: &str,
) -> Option<Waiting> {
    let log = command_handler.log();
    let at = log.claimed_at(SCOPE, key).await.ok()??;
    let before = Position::new(at.get().saturating_sub(1));
    let recorded = log.read_after(before, 1).await.ok()?.pop()?;
    if recorded.aggregate_type != aggregate_type::ORDER {
        return None;
    }
    let order = command_handler
        .load::<Order>(recorded.aggregate_id)
        .await
        .ok()?
        .aggregate;
    let placed = order
        .placed()
        .filter(|placed| placed.customer_id == customer_id && order.awaits_payment())?;
    Some(Waiting {
        order_id: recorded.aggregate_id,
        order_number: placed.order_number.clone(),
        redirect_url: order.redirect_url().map(str::to_owned),
        expires_at: placed.expires_at,
    })
}

/// In Norwegian and in English.
fn texts(date: NaiveDate) -> (String, String) {
    let (nb, en) = (in_norwegian(date), in_english(date));
    (
        format!(
            "Personen har allerede en lisens av denne typen {nb}, eller en bestilling som venter på betaling."
        ),
        format!(
            "This person has a license of this type on {en} already, or an order that waits for its payment."
        ),
    )
}

fn texts_of_own(own: &Waiting, date: NaiveDate) -> (String, String) {
    let (nb, en, number) = (in_norwegian(date), in_english(date), &own.order_number);
    let until = domain::time_of_day(own.expires_at).format("%H.%M");
    (
        format!(
            "Du har allerede bestillingen {number} for {nb}, og den venter på betaling til kl. {until}. Betal den, eller avbestill den."
        ),
        format!(
            "You have the order {number} for {en} already; it waits for its payment until {until} in Norway. Pay it, or cancel it."
        ),
    )
}

/// Refuses a key that is not the one this log was begun with, and claims, once, the days of orders that were placed
/// before there were claims.
pub(crate) async fn begin(
    command_handler: &CommandHandler,
    appender: Appender,
    key: &HolderKey,
) -> anyhow::Result<()> {
    let appender = &appender;
    let fingerprint = key.fingerprint();
    match once(appender, "holder-key", fingerprint, Claims::default()).await {
        Ok(()) => {}
        Err(AppendError::KeyReused) => bail!(
            "the holder key is not the one that this log was begun with: with another key the same person is another \
             holder, and rule 7 would not hold. Give the first key by HOLDER_KEY_FILE"
        ),
        Err(error) => return Err(error).context("the holder key could not be checked"),
    }
    let done = command_handler.log().outcome(ONCE, "older-orders").await?;
    if done.is_some() {
        return Ok(());
    }
    let (days, contested) = claim_older_orders(command_handler, appender, key).await?;
    once(appender, "older-orders", "done", Claims::default()).await?;
    tracing::info!(days, contested, "the days of older orders are claimed");
    Ok(())
}

/// How many days were claimed, and how many could not be, because an older license holds them: both licenses stay.
async fn claim_older_orders(
    command_handler: &CommandHandler,
    appender: &Appender,
    key: &HolderKey,
) -> anyhow::Result<(usize, usize)> {
    let today = domain::today(Utc::now());
    let (mut looked_at, mut claimed, mut contested) = (0, 0, 0);
    let log = command_handler.log();
    let mut placings = std::pin::pin!(log.events_of_types(&["OrderPlaced"], Position::START));
    while let Some(recorded) = placings.try_next().await? {
        looked_at += 1;
        if looked_at % PROGRESS == 0 {
            tracing::info!(orders = looked_at, claimed, "claiming the days of older orders");
        }
        let events = Event::read(&recorded)?;
        if !events.iter().any(|event| is_ahead(event, today)) {
            continue;
        }
        let order = command_handler
            .load::<Order>(recorded.aggregate_id)
            .await?
            .aggregate;
        let held = order.held_claims(key).days;
        let ahead = held.into_iter().filter(|day| day.date >= today);
        // Day by day: one that is taken costs no other.
        for day in ahead {
            let name = format!("{} {}", day.license_id, day.date);
            let claim = LineClaims {
                days: vec![day],
                caps: Vec::new(),
            };
            match once(appender, &name, "claim", taking(claim)).await {
                Ok(()) => claimed += 1,
                Err(AppendError::ClaimTaken(_)) => {
                    contested += 1;
                    tracing::warn!(order_id = %recorded.aggregate_id, "an older order holds a day that another one has");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok((claimed, contested))
}

fn is_ahead(event: &Event, today: NaiveDate) -> bool {
    let Event::Order(OrderEvent::OrderPlaced(placed)) = event else {
        return false;
    };
    placed
        .lines
        .iter()
        .any(|line| domain::last_day(line.activity_date, line.activity_days) >= today)
}

/// Takes claims under a key of this module. Done before, it changes nothing.
async fn once(
    appender: &Appender,
    key: &str,
    request: impl AsRef<[u8]>,
    claims: Claims,
) -> Result<(), AppendError> {
    let append = Append {
        key: IdempotencyKey::new(ONCE, key, request),
        response: "{}".into(),
        events: Vec::new(),
        claims,
        metadata: Metadata::default(),
    };
    appender.append(append).await.map(|_| ())
}

fn in_norwegian(date: NaiveDate) -> String {
    const MONTHS: [&str; 12] = [
        "januar",
        "februar",
        "mars",
        "april",
        "mai",
        "juni",
        "juli",
        "august",
        "september",
        "oktober",
        "november",
        "desember",
    ];
    format!(
        "{}. {} {}",
        date.day(),
        MONTHS[date.month0() as usize],
        date.year()
    )
}

fn in_english(date: NaiveDate) -> String {
    date.format("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::{in_english, in_norwegian};

    #[test]
    fn days_are_written_as_people_write_them() {
        let day = NaiveDate::from_ymd_opt(2026, 6, 5).unwrap();
        assert_eq!(in_norwegian(day), "5. juni 2026");
        assert_eq!(in_english(day), "5 June 2026");
    }
}
