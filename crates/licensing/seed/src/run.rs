//! Plays a history and records it: one task decides, another seals and sends, and the database writes meanwhile.

use std::io::{Write as _, stdout};

use anyhow::{Context as _, bail};
use chrono::{NaiveDate, TimeDelta, Utc};
use command_api::{History, HistoryArgs};
use envelope::Position;
use event_store::Past;
use serde_json::json;
use service::Found;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::calendar::{Calendar, whole};
use crate::counts::Counts;
use crate::outlet::{Outlet, Part};
use crate::progress::Progress;
use crate::shop::Shop;

/// Orders of ten years of the real shop.
const ORDERS: usize = 100_000;
/// Households that buy in them: of two people each, about.
const HOUSEHOLDS: usize = 36_000;
/// How long the history has been over: longer than the shop compares its orders with the providers' books.
const OVER_FOR: TimeDelta = TimeDelta::days(41);
/// Parts that wait to be sent.
const WAITING: usize = 16;

/// Which history.
pub(crate) struct Plan {
    pub(crate) scale: f64,
    pub(crate) seed: u64,
    pub(crate) until: NaiveDate,
}

impl Plan {
    /// As the log remembers it.
    fn name(&self) -> String {
        format!("seed {} scale {} until {}", self.seed, self.scale, self.until)
    }

    fn check(&self) -> anyhow::Result<Calendar> {
        let calendar = Calendar::until(self.until);
        if calendar.until + OVER_FOR > Utc::now() {
            let latest = domain::today(Utc::now() - OVER_FOR);
            bail!(
                "--until: the shop compares the orders of its last 40 days with the providers, which know none of these: at most {latest}"
            );
        }
        Ok(calendar)
    }
}

/// Records the history, or what is missing of it, and reports.
pub(crate) async fn run(plan: &Plan, log: &HistoryArgs, as_json: bool) -> anyhow::Result<()> {
    let calendar = plan.check()?;
    let orders = whole(ORDERS, plan.scale).max(1);
    let history = History::begin(log, &plan.name()).await?;
    let before = history.recorded();
    if history.is_whole().await? {
        history.end(false).await?;
        return report(plan, "was there", before, None, as_json);
    }
    let (parts, waiting) = mpsc::channel(WAITING);
    let shop = Shop::new(
        (history.command_handler().clone(), history.holder_key().clone()),
        (plan.seed, calendar),
        whole(HOUSEHOLDS, plan.scale).max(10),
        Outlet::new(before, parts),
    )?;
    let playing = tokio::spawn(shop.play(orders));
    let mut progress = Progress::of(orders, before.get());
    let recorded = record(history, waiting, playing, &mut progress).await;
    progress.end();
    let (end, counts) = recorded?;
    report(plan, "recorded", end, Some((&counts, &progress)), as_json)
}

/// Takes parts until there are none, or until it is told to stop.
async fn record(
    mut history: History,
    mut waiting: mpsc::Receiver<Part>,
    playing: JoinHandle<anyhow::Result<(u64, Counts)>>,
    progress: &mut Progress,
) -> anyhow::Result<(Position, Counts)> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    loop {
        let next = tokio::select! {
            next = waiting.recv() => next,
            _ = interrupt.recv() => return interrupted(history).await,
            _ = terminate.recv() => return interrupted(history).await,
        };
        match next {
            Some(Part::Known(past, end)) => same(&history, &past, end).await?,
            Some(Part::Next(past, orders)) => {
                history.record(past).await?;
                progress.reached(history.recorded().get(), orders);
            }
            None => break,
        }
    }
    let (events, counts) = playing.await.context("the history")??;
    if events < history.recorded().get() {
        return Err(other_history());
    }
    Ok((history.end(true).await?, counts))
}

/// What is under way is recorded first.
async fn interrupted(history: History) -> anyhow::Result<(Position, Counts)> {
    let end = history.end(false).await?;
    bail!("interrupted after {end} events: the same command continues there; `make clean-data` begins again")
}

/// Whether the log ends as this history has it there.
async fn same(history: &History, past: &Past, end: Position) -> anyhow::Result<()> {
    let (found, last) = (history.event_at(end).await?, past.events.last());
    let same = found.zip(last).is_some_and(|(found, last)| {
        found.aggregate_id == last.aggregate_id
            && found.sequence == last.sequence
            && found.event_type == last.event_type
            && found.recorded_at == past.at
    });
    if same && end == history.recorded() {
        return Ok(());
    }
    Err(other_history())
}

fn other_history() -> anyhow::Error {
    Found::new(
        "the log does not end as this history does there: it was begun by another build, or holds other events. Take an empty log",
    )
    .into()
}

fn report(
    plan: &Plan,
    outcome: &str,
    end: Position,
    made: Option<(&Counts, &Progress)>,
    as_json: bool,
) -> anyhow::Result<()> {
    let text = if as_json {
        let speed = made.map(|(_, progress)| json!({"seconds": progress.seconds(), "events_per_second": progress.rate(end.get())}));
        json!({
            "outcome": outcome, "seed": plan.seed, "scale": plan.scale, "until": plan.until, "events": end,
            "counts": made.map(|(counts, _)| counts), "speed": speed,
        })
        .to_string()
    } else if let Some((counts, progress)) = made {
        format!(
            "recorded: {end} events ({}/s): {} orders, {} licenses, {} holders, {} receipts, {} scans",
            progress.rate(end.get()),
            counts.orders,
            counts.licenses,
            counts.holders.len(),
            counts.receipts,
            counts.scans
        )
    } else {
        format!("the log has this history already ({end} events in all)")
    };
    writeln!(stdout(), "{text}").context("cannot write to standard output")
}
