//! The fault campaign: customers come in an open loop while processes are killed and paused, connections cut, streams
//! damaged and disks filled, in an order that follows from a seed. At the end the books must be right: each acknowledged
//! purchase is there once and complete, each unanswered one none or one time, and the read model equals a replay.

mod customers;
pub(crate) mod dice;
pub mod fault;
mod inject;
mod recovery;
pub mod report;
pub mod schedule;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use stack::{DiskSizes, Options, Progress, SmallDisk};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::customers::{Ledger, Patience, Payment, Placed, pay, place, serve};
use self::fault::Fault;
use self::inject::{inject, revive};
use self::recovery::probe;
use self::report::{Commands, FaultReport, Machine, RecoveryReport, Report};
use self::schedule::{Planned, Round, Schedule};
use crate::purchase::Sales;
use crate::{Shop, books, privacy};

/// How long a process may take to be ready again.
const READY: Duration = Duration::from_mins(2);
/// The patience of the customers that repeat an unanswered order at the end: every second one of them.
const AT_LAST: Patience = Patience {
    tries: 20,
    one_try: Duration::from_secs(10),
    pause: Duration::from_millis(500),
    rest: Duration::from_mins(1),
};
/// The first number of the probes' orders, above all customers' numbers.
const PROBES: usize = 1_000_000;

/// The options of a campaign.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides the faults.
    pub seed: u64,
    /// No round starts after this time.
    pub lasts: Duration,
    /// The most rounds.
    pub rounds: usize,
    /// Customers a second.
    pub rate: f64,
    /// Where the programs' logs are kept if something is wrong.
    pub logs: Option<PathBuf>,
}

/// Runs a whole campaign. An error means that the campaign could not run; faults of the system are in the report.
pub async fn run(plan: &Plan, progress: Progress) -> anyhow::Result<Report> {
    let began = Instant::now();
    let mut report = Report::new(plan, Machine::here(), Utc::now());
    let small_disks = disks(plan, progress);
    let options = Options {
        second_command_api: true,
        proxied: true,
        small_disks,
        ..Options::default()
    };
    progress.line("start the system, two command-apis in it …");
    let shop = Arc::new(Shop::open_private(options).await);
    let closing = CancellationToken::new();
    let serving = tokio::spawn(serve(Arc::clone(&shop), plan.seed, plan.rate, closing.clone()));
    let mut sales = Vec::new();
    spoil(plan, &shop, &mut report, &mut sales, progress).await;
    closing.cancel();
    progress.line("closing time; the last customers leave …");
    let ledger = serving.await.context("the customers")?;
    let commands = settle(&shop, ledger, sales, &mut report, progress).await;
    audit(&shop, &commands, &mut report, progress).await;
    report.seconds = began.elapsed().as_secs_f64();
    if let (false, Some(kept)) = (report.is_clean(), &plan.logs) {
        // The system's own directory is removed with it.
        inject::copy(shop.system.logs(), kept).context("cannot keep the logs")?;
    }
    shop.system.stop().await;
    Ok(report)
}

/// Sizes of the small disks, if disks can be mounted here: large enough for the data of the whole campaign.
fn disks(plan: &Plan, progress: Progress) -> Option<DiskSizes> {
    let minutes = u32::try_from(plan.lasts.as_secs().div_ceil(60)).unwrap_or(u32::MAX);
    match SmallDisk::possible() {
        Ok(()) => Some(DiskSizes {
            postgres_mb: 600 + 60 * minutes.min(60),
            nats_mb: 100 + 20 * minutes.min(60),
        }),
        Err(error) => {
            progress.line(&format!(
                "DISKS ARE NOT FILLED, they can't be mounted here: {error:#}"
            ));
            None
        }
    }
}

/// Round after round of faults, until it is time.
async fn spoil(
    plan: &Plan,
    shop: &Shop,
    report: &mut Report,
    probes: &mut Vec<recovery::Probe>,
    progress: Progress,
) {
    let over = Instant::now() + plan.lasts;
    for (number, round) in (1..=plan.rounds).zip(Schedule::new(plan.seed)) {
        if Instant::now() + round.rest > over {
            return;
        }
        sleep(round.rest).await;
        let ended = one_round(shop, number, &round, report, progress).await;
        let probe = probe(shop, PROBES + number, ended).await;
        let kinds: Vec<&'static str> = round.faults.iter().map(|planned| planned.fault.kind()).collect();
        match (&probe.took, &probe.stopped) {
            (Some(took), _) => progress.line(&format!("  well again after {} ms", took.as_millis())),
            (None, stopped) => {
                let stopped = stopped.as_deref().unwrap_or("it is not known why");
                let complaint = format!("round {number}, {}: no recovery, {stopped}", kinds.join(" and "));
                progress.line(&complaint);
                report.complaints.push(complaint);
            }
        }
        report.recoveries.push(RecoveryReport {
            round: number,
            kinds,
            took_ms: probe.took.map(report::milliseconds),
        });
        probes.push(probe);
        come_back(shop, number, report).await;
    }
}

/// Waits until all are ready again.
async fn come_back(shop: &Shop, round: usize, report: &mut Report) {
    let full = report.faults.iter_mut().filter(|fault| fault.round == round);
    for fault in full {
        if let Some(server) = fault.full_disk_of
            && let Ok(true) = revive(shop, server).await
        {
            fault.seen += "; restarted afterwards, as it stayed unwell";
        }
    }
    for process in shop.system.processes() {
        let ready = timeout(READY, shop.system.wait_ready(process)).await;
        if let Ok(Err(error)) | Err(error) = ready.map_err(anyhow::Error::from) {
            let complaint = format!("round {round}: {process} did not come back: {error:#}");
            report.complaints.push(complaint);
        }
    }
}

/// All faults of a round; gives the end of the last one.
async fn one_round(
    shop: &Shop,
    number: usize,
    round: &Round,
    report: &mut Report,
    progress: Progress,
) -> Instant {
    let began = Instant::now();
    let injecting = round.faults.iter().map(async |planned| {
        let Planned { fault, after, lasts } = *planned;
        sleep(after).await;
        progress.line(&format!("round {number}: {fault} for {} ms", lasts.as_millis()));
        if let Fault::DiskFull(server) = fault
            && shop.system.servers().disk(server).is_none()
        {
            return (planned, None);
        }
        (planned, Some(inject(shop, fault, lasts).await))
    });
    let mut last_ended = began;
    for (planned, injected) in join_all(injecting).await {
        let (outcome, seen) = match injected {
            None => (
                "skipped",
                "its disk is not a small one: mounting one needs root".to_owned(),
            ),
            Some(Ok(injected)) => {
                last_ended = last_ended.max(injected.ended);
                ("done", injected.seen)
            }
            Some(Err(error)) => {
                let complaint = format!("round {number}: {} could not be done: {error:#}", planned.fault);
                report.complaints.push(complaint);
                ("failed", format!("{error:#}"))
            }
        };
        report.faults.push(FaultReport {
            round: number,
            kind: planned.fault.kind(),
            fault: planned.fault.to_string(),
            after_ms: planned.after.as_millis().try_into().unwrap_or(u64::MAX),
            lasts_ms: planned.lasts.as_millis().try_into().unwrap_or(u64::MAX),
            full_disk_of: match planned.fault {
                Fault::DiskFull(server) if outcome == "done" => Some(server),
                _ => None,
            },
            outcome,
            seen,
        });
    }
    last_ended
}

/// Resolves the unanswered orders: looks each up in the log, repeats every second one under its key, and abandons the
/// others. Then pays all acknowledged orders that are not paid yet.
async fn settle(
    shop: &Shop,
    ledger: Ledger,
    probes: Vec<recovery::Probe>,
    report: &mut Report,
    progress: Progress,
) -> Sales {
    let mut sales = Sales::default();
    let mut paid = ledger.acknowledged;
    let mut unknown = ledger.unknown;
    for probe in probes {
        match probe.purchase {
            Some(purchase) => paid.push(purchase),
            None => unknown.push((probe.key, probe.number)),
        }
    }
    let refused = ledger.refused;
    let mut commands = Commands {
        offered: ledger.offered + report.recoveries.len(),
        shed: ledger.shed,
        acknowledged: paid.len(),
        refused: refused.len(),
        unknown: unknown.len(),
        read_back: ledger.read_back
            + report
                .recoveries
                .iter()
                .filter(|one| one.took_ms.is_some())
                .count(),
        ..Commands::default()
    };
    report
        .complaints
        .extend(refused.into_iter().map(|refusal| format!("refused: {refusal}")));
    report.acknowledged_after(&ledger.took);
    progress.line(&format!("{} outcomes are unknown, and looked up", unknown.len()));
    let log = books::connect(&shop.system.databases().events_reader).await;
    let in_log = books::log::orders_by_request(&log).await;
    for (at, (key, number)) in unknown.into_iter().enumerate() {
        let placed = in_log.get(&key).map_or(0, Vec::len);
        commands.unknown_in_log += usize::from(placed > 0);
        if at % 2 == 1 {
            sales.abandoned.push(key);
            continue;
        }
        match place(shop, &key, number, AT_LAST).await {
            Placed::Acknowledged(purchase) => {
                commands.retried += 1;
                paid.push((purchase, false));
            }
            // The order has expired, so it can't be paid any more.
            Placed::Over => sales.abandoned.push(key),
            Placed::Refused(why) => report.complaints.push(format!("refused at last: {key}: {why}")),
            Placed::Unknown => {
                report.complaints.push(format!(
                    "{key}: still not acknowledged, after everything is well again"
                ));
                sales.abandoned.push(key);
            }
        }
    }
    for (purchase, approved) in paid {
        if !approved {
            match pay(shop, &purchase, Instant::now() + AT_LAST.rest).await {
                Payment::Approved => {}
                // The stored answer is from the order's placing, and the order has expired since.
                Payment::TooLate => {
                    sales.abandoned.push(purchase.key);
                    continue;
                }
                Payment::Refused => report.complaints.push(format!("{} can't be paid", purchase.key)),
            }
        }
        sales.purchases.push(purchase);
    }
    report.commands = commands;
    sales
}

/// Audits the books. A panic counts as a complaint, so that there is always a report.
async fn audit(shop: &Shop, sales: &Sales, report: &mut Report, progress: Progress) {
    progress.line("wait until everything is at rest, and look into the books …");
    let resting = AssertUnwindSafe(books::come_to_rest(shop, sales)).catch_unwind();
    if let Err(panic) = resting.await {
        report
            .complaints
            .push(format!("it does not come to rest: {}", said(&*panic)));
    }
    match AssertUnwindSafe(books::audit(shop, sales)).catch_unwind().await {
        Ok(found) => {
            report.commands.lost = found.lost;
            report.commands.doubled = found.doubled;
            report.commands.abandoned = sales.abandoned.len();
            report.commands.abandoned_in_log = found.abandoned_in_log;
            report.events = found.events;
            report.verify = found.verify;
            report.seals = found.seals;
            report.complaints.extend(found.complaints);
        }
        Err(panic) => report
            .complaints
            .push(format!("the books can't be read: {}", said(&*panic))),
    }
    report.complaints.extend(privacy::complaints(shop));
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}
