//! Which licenses lack money: orders whose money can't be collected and about which nothing was decided, from the log.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::pin::pin;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::Order;
use envelope::{EventPayload, Position, RecordedEvent};
use event_store::Log;
use events::{CaptureFailure, OrderEvent, aggregate_type};
use futures_util::TryStreamExt as _;
use serde::Serialize;
use service::postgres::{self, EventsDatabase, PoolOptions};
use service::{Found, Inconclusive};
use uuid::Uuid;
use vocabulary::Word as _;

#[derive(Subcommand)]
pub(crate) enum PaymentsCommand {
    /// List licenses whose money can't be collected, until that is decided (`POST /orders/{id}/capture-resolution`); exit
    /// status 1 if there are any, 2 if that could not be told
    Uncollected(UncollectedOptions),
}

#[derive(Args)]
pub(crate) struct UncollectedOptions {
    #[command(flatten)]
    database: EventsDatabase,
    /// Print the list as JSON
    #[arg(long, env = "JSON")]
    json: bool,
}

/// An order that waits for a decision.
#[derive(Debug, Serialize)]
struct Uncollected {
    order_id: Uuid,
    order_number: String,
    license_ids: Vec<Uuid>,
    reason: CaptureFailure,
    due_ore: i64,
    collected_ore: i64,
    refunded_ore: i64,
    collectable_ore: i64,
    since: DateTime<Utc>,
}

/// Does one of them. The list goes to standard output, everything else to standard error.
pub(crate) async fn run(command: PaymentsCommand) -> anyhow::Result<()> {
    let PaymentsCommand::Uncollected(options) = command;
    let url = options.database.url().context(Inconclusive)?;
    let limits = PoolOptions::default();
    let pool = postgres::pool(url.expose(), &limits, "command-api payments").context(Inconclusive)?;
    let found = list(&Log::new(pool)).await.context(Inconclusive)?;
    let text = if options.json {
        serde_json::to_string_pretty(&found)?
    } else {
        in_words(&found)
    };
    writeln!(stdout(), "{}", text.trim_end()).context("cannot write to standard output")?;
    if !found.is_empty() {
        bail!(Found::new(format!(
            "licenses of {} orders are without collected money",
            found.len()
        )));
    }
    Ok(())
}

/// Oldest first.
async fn list(log: &Log) -> anyhow::Result<Vec<Uncollected>> {
    let mut failures = pin!(log.events_of_types(&["CaptureFailed"], Position::START));
    let mut orders = BTreeSet::new();
    while let Some(failed) = failures.try_next().await? {
        orders.insert(failed.aggregate_id);
    }
    let mut found = Vec::new();
    for order_id in orders {
        found.extend(undecided(log, order_id).await?);
    }
    found.sort_by_key(|uncollected| (uncollected.since, uncollected.order_id));
    Ok(found)
}

async fn undecided(log: &Log, order_id: Uuid) -> anyhow::Result<Option<Uncollected>> {
    let recorded: Vec<RecordedEvent> = log
        .events_of(aggregate_type::ORDER, order_id, 0)
        .try_collect()
        .await?;
    let mut order = Order::default();
    let mut since = None;
    for recorded in &recorded {
        let (name, version) = (&recorded.event_type, &recorded.event_version);
        for event in OrderEvent::read(name, version, recorded.payload.get())? {
            if matches!(event, OrderEvent::CaptureFailed(_)) {
                since = Some(recorded.recorded_at);
            }
            cqrs_es::Aggregate::apply(&mut order, event);
        }
    }
    let (Some(failure), Some(placed), Some(since)) = (order.capture_failure(), order.placed(), since) else {
        return Ok(None);
    };
    Ok(Some(Uncollected {
        order_id,
        order_number: placed.order_number.clone(),
        license_ids: placed.lines.iter().map(|line| line.license_id).collect(),
        reason: failure.reason,
        due_ore: failure.due_ore,
        collected_ore: failure.collected_ore,
        refunded_ore: failure.refunded_ore,
        collectable_ore: failure.collectable_ore,
        since,
    }))
}

fn in_words(found: &[Uncollected]) -> String {
    if found.is_empty() {
        return "no order waits for a decision about its money".into();
    }
    let licenses: usize = found
        .iter()
        .map(|uncollected| uncollected.license_ids.len())
        .sum();
    let mut text = format!(
        "{licenses} licenses of {} orders are without collected money\n",
        found.len()
    );
    for Uncollected {
        order_id,
        order_number,
        license_ids,
        reason,
        due_ore,
        collected_ore,
        refunded_ore,
        collectable_ore,
        since,
    } in found
    {
        let reason = reason.as_str();
        let (since, count) = (since.format("%Y-%m-%d %H:%M:%SZ"), license_ids.len());
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "{order_number}  {order_id}  {reason} since {since}: {count} licenses, due {due_ore} øre, \
             collected {collected_ore}, refunded {refunded_ore}, can be collected {collectable_ore}"
        );
    }
    text
}
