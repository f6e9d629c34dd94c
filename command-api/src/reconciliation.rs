//! `command-api reconcile`: compares orders with their payments at the provider now, and heals what differs.

use std::io::{Write as _, stderr, stdout};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::Args;
use envelope::{Position, RecordedEvent};
use event_store::Log;
use futures_util::TryStreamExt as _;
use serde::Serialize;
use service::postgres::{self, EventsDatabase, PoolOptions};
use service::{Found, Inconclusive};
use uuid::Uuid;

use crate::payment_settings::PaymentArgs;
use crate::process::compare::Verdict;
use crate::process::context::Cashier;
use crate::process::reconcile::metadata;
use crate::process::sweep::{BEGINNINGS, is_recent};
use crate::shop_settings::{PersonalDataArgs, ShopArgs};
use crate::writing::start_writing;

/// How many orders are compared at once.
const AT_ONCE: usize = 8;
/// How often progress is told.
const TELL: Duration = Duration::from_secs(2);
/// Most orders of each kind in the report; more are only counted.
const LISTED: usize = 10_000;
/// How long the last commands may take to be written.
const LAST_WRITES: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct ReconcileOptions {
    #[command(flatten)]
    database: EventsDatabase,
    #[command(flatten)]
    payments: PaymentArgs,
    #[command(flatten)]
    shop: ShopArgs,
    #[command(flatten)]
    personal_data: PersonalDataArgs,
    /// Compare all orders placed since this day (UTC); without it, all of the last 40 days, and of the older ones those that
    /// are not settled
    #[arg(long, env = "RECONCILE_SINCE", value_name = "DATE")]
    since: Option<NaiveDate>,
    /// Print the report as JSON
    #[arg(long, env = "JSON")]
    json: bool,
}

/// What was found. Neither provider lists its payments, so payments without an order are not part of it.
#[derive(Default, Serialize)]
struct Report {
    /// Orders whose payments were read.
    compared: u64,
    /// Orders that ended long ago, whose payments were not read.
    settled: u64,
    agree: u64,
    healed: u64,
    differ: u64,
    unanswered: u64,
    orders: Vec<Line>,
}

/// An order that differed, or could not be compared.
#[derive(Serialize)]
struct Line {
    order_id: Uuid,
    outcome: &'static str,
    reason: String,
}

/// The report goes to standard output, everything else to standard error.
pub(crate) async fn run(options: ReconcileOptions) -> anyhow::Result<()> {
    let url = options.database.url().context(Inconclusive)?;
    let limits = PoolOptions::default();
    let pool = postgres::pool(url.expose(), &limits, "command-api reconcile").context(Inconclusive)?;
    event_store::check_schema(&pool).await.context(Inconclusive)?;
    let holder_key = Arc::new(options.shop.holder_key.key().context(Inconclusive)?);
    let vault = options.personal_data.vault().context(Inconclusive)?;
    let policy = options.shop.capture_policy().context(Inconclusive)?;
    let providers = options.payments.payments().context(Inconclusive)?.providers;
    let writing = start_writing(url.expose(), &pool, &vault, 0, &holder_key, None).await;
    let (command_handler, writing) = writing.context(Inconclusive)?;
    let cashier = Cashier {
        command_handler: command_handler.without_empty_outcomes(),
        providers,
        policy: Arc::new(policy),
    };
    let log = Log::new(pool).with_vault(vault);
    let report = compare_all(&log, &cashier, options.since).await;
    drop(cashier);
    let written = tokio::time::timeout(LAST_WRITES, writing).await;
    let report = report.context(Inconclusive)?;
    written.context(Inconclusive)?.context(Inconclusive)?;
    let text = if options.json {
        serde_json::to_string_pretty(&report)?
    } else {
        in_words(&report)
    };
    writeln!(stdout(), "{}", text.trim_end()).context("cannot write to standard output")?;
    if report.unanswered > 0 {
        return Err(anyhow::anyhow!(
            "{} orders could not be compared",
            report.unanswered
        ))
        .context(Inconclusive);
    }
    if report.differ > 0 {
        bail!(Found::new(format!(
            "{} orders differ from their payments",
            report.differ
        )));
    }
    Ok(())
}

/// Memory holds the orders of one moment, and the lines of the report.
async fn compare_all(log: &Log, cashier: &Cashier, since: Option<NaiveDate>) -> anyhow::Result<Report> {
    let head = log.head().await?.position;
    let since = since.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let after = match since {
        Some(moment) => before(log, head, moment).await?,
        None => Position::START,
    };
    let orders = pin!(log.events_of_types(BEGINNINGS, after));
    let now = Utc::now();
    let mut compared = orders
        .map_ok(|placed| async move { Ok(compare(cashier, &placed, since, now).await) })
        .try_buffered(AT_ONCE);
    let (mut report, mut told) = (Report::default(), Instant::now());
    while let Some((placed_at, order_id, verdict)) = compared.try_next().await? {
        report.note(order_id, verdict);
        if told.elapsed() > TELL {
            told = Instant::now();
            tell(&report, placed_at, head);
        }
    }
    tell(&report, head, head);
    Ok(report)
}

async fn compare(
    cashier: &Cashier,
    placed: &RecordedEvent,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> (Position, Uuid, Result<Verdict, String>) {
    let order_id = placed.aggregate_id;
    let verdict = if since.is_some_and(|since| placed.recorded_at < since) {
        Ok(Verdict::Settled)
    } else {
        let all = since.is_some() || is_recent(placed, now);
        let compared = cashier.compare(order_id, all, metadata("reconcile")).await;
        compared.map_err(|error| error.to_string())
    };
    (placed.position, order_id, verdict)
}

/// A position before the first event at or after the moment. Moments follow positions but for the clocks of the writers.
async fn before(log: &Log, head: Position, moment: DateTime<Utc>) -> anyhow::Result<Position> {
    /// More than clocks differ.
    const MARGIN: u64 = 1000;
    let (mut low, mut high) = (0, head.get());
    while low < high {
        let middle = low + (high - low) / 2;
        let event = log.read_after(Position::new(middle), 1).await?;
        match event.first() {
            Some(event) if event.recorded_at < moment => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(Position::new(low.saturating_sub(MARGIN)))
}

impl Report {
    fn note(&mut self, order_id: Uuid, verdict: Result<Verdict, String>) {
        let (count, line) = match verdict {
            Ok(Verdict::Settled) => {
                self.settled += 1;
                return;
            }
            Ok(Verdict::Agrees) => (&mut self.agree, None),
            Ok(Verdict::Healed(found)) => (&mut self.healed, Some(("healed", found.as_str().to_owned()))),
            Ok(Verdict::Differs(left)) => (&mut self.differ, Some(("differs", left.as_str().to_owned()))),
            Err(error) => (&mut self.unanswered, Some(("unanswered", error))),
        };
        *count += 1;
        self.compared += 1;
        if let Some((outcome, reason)) = line
            && self.orders.len() < LISTED
        {
            self.orders.push(Line {
                order_id,
                outcome,
                reason,
            });
        }
    }
}

fn tell(report: &Report, at: Position, head: Position) {
    let Report {
        compared,
        settled,
        healed,
        differ,
        ..
    } = report;
    // Without a terminal to tell it to, the work goes on.
    let _ = writeln!(
        stderr(),
        "position {at} of {head}: {compared} orders compared, {settled} settled, {healed} healed, {differ} differ"
    );
}

fn in_words(report: &Report) -> String {
    let Report {
        compared,
        settled,
        agree,
        healed,
        differ,
        unanswered,
        orders,
    } = report;
    let mut lines = vec![
        format!(
            "{compared} orders compared with their payments: {agree} agree, {healed} healed, {differ} differ, \
             {unanswered} could not be compared"
        ),
        format!("{settled} orders were settled, and their payments not read"),
        "payments without an order are not looked for: the providers do not list payments".to_owned(),
    ];
    lines.extend(orders.iter().map(
        |Line {
             order_id,
             outcome,
             reason,
         }| format!("{order_id}  {outcome}: {reason}"),
    ));
    lines.join("\n")
}
