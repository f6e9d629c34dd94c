//! The payment campaign: customers buy through both providers while every misbehaviour of the emulator is on and both
//! instances of command-api are killed at random. When everything is at rest the provider's books and the log must agree to
//! the øre: no order is charged twice, no license is without money that was or can be collected, and no payment is without
//! licenses or a refund.

mod audit;
mod customers;
mod misbehaviour;
pub mod report;
mod rest;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use stack::{Options, Process, Progress};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::customers::sell;
use self::report::{Machine, Report};
use crate::Shop;
use crate::campaign::dice::Dice;

/// Both instances.
const COMMAND_APIS: [Process; 2] = [Process::CommandApi, Process::CommandApi2];
/// About how many kills there are, however many customers come and however fast.
const KILLS: usize = 20;
/// The fewest customers between two kills.
const BETWEEN_KILLS: usize = 20;
/// How long an order of the campaign may stay unpaid, in seconds: some expire while it runs.
const TIME_TO_PAY_S: u32 = 40;
/// How often progress is told, in purchases.
const TELL_EVERY: usize = 250;

/// The options of a payment campaign.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides what each customer does, what goes wrong at the provider, and the customers between kills.
    pub seed: u64,
    /// How many customers come.
    pub purchases: usize,
    /// Customers at once.
    pub at_once: usize,
    /// How long everything may take to come to rest afterwards.
    pub rest: Duration,
    /// Where the programs' logs are kept if something is wrong.
    pub logs: Option<PathBuf>,
}

/// Runs a whole campaign. An error means that the campaign could not run; faults of the system are in the report.
pub async fn run(plan: &Plan, progress: Progress) -> anyhow::Result<Report> {
    let began = Instant::now();
    let mut report = Report::new(plan, Machine::here(), Utc::now());
    progress.line("start the system, two command-apis in it …");
    let shop = Arc::new(Shop::open_private(options()).await);
    misbehaviour::begin(&shop, plan.seed).await?;

    let over = CancellationToken::new();
    let (served, watched) = watch::channel(0);
    let killing = tokio::spawn(kill(Arc::clone(&shop), plan.clone(), watched, over.clone()));
    let selling = Instant::now();
    report.customers = sell(&shop, plan, |done| {
        served.send_replace(done);
        if done % TELL_EVERY == 0 {
            let (of, seconds) = (plan.purchases, selling.elapsed().as_secs());
            progress.line(&format!("{done} of {of} customers were here after {seconds} s"));
        }
    })
    .await?;
    report.selling_seconds = selling.elapsed().as_secs_f64();
    over.cancel();
    report.kills = killing.await.context("the killer")??;
    report.misbehaviours = misbehaviour::end(&shop).await?;
    for process in shop.system.processes() {
        shop.system.wait_ready(process).await?;
    }

    progress.line("no more customers; wait until nothing is under way …");
    if let Err(restless) = rest::come_to_rest(&shop, plan.rest).await {
        report
            .complaints
            .push(format!("it does not come to rest: {restless:#}"));
    }
    progress.line("reconcile, and compare the books …");
    let (code, reconciled) = rest::reconcile(&shop).await?;
    if code != Some(0) {
        let said = reconciled.to_string();
        report
            .complaints
            .push(format!("reconcile ends with {code:?}: {said}"));
    }
    report.reconciled = reconciled;
    if let Err(restless) = rest::come_to_rest(&shop, plan.rest).await {
        report
            .complaints
            .push(format!("it does not come to rest after reconcile: {restless:#}"));
    }
    audit::audit(&shop, &mut report).await?;
    report.seconds = began.elapsed().as_secs_f64();
    if let (false, Some(kept)) = (report.is_clean(), &plan.logs) {
        copy(shop.system.logs(), kept).context("cannot keep the logs")?;
    }
    shop.system.stop().await;
    Ok(report)
}

fn options() -> Options {
    let settings = [
        ("ORDER_TTL_S", TIME_TO_PAY_S.to_string()),
        // Money that moved in the portal is found while the campaign runs.
        ("RECONCILE_AFTER_S", "5".to_owned()),
    ];
    let env = COMMAND_APIS.iter().flat_map(|process| {
        settings
            .clone()
            .map(|(name, value)| (*process, name.to_owned(), value))
    });
    Options {
        env: env.collect(),
        second_command_api: true,
        ..Options::default()
    }
}

/// Kills one of the instances again and again, each time after some more customers. Returns how often.
async fn kill(
    shop: Arc<Shop>,
    plan: Plan,
    mut served: watch::Receiver<usize>,
    over: CancellationToken,
) -> anyhow::Result<usize> {
    let (mut dice, mut kills, mut next) = (Dice::new(plan.seed ^ 0x6b69_6c6c), 0, 0);
    let between = u64::try_from((plan.purchases / KILLS).max(BETWEEN_KILLS))?;
    loop {
        next += usize::try_from(dice.between(between / 2, between * 3 / 2))?;
        let enough = served.wait_for(|done| *done >= next);
        match over.run_until_cancelled(enough).await {
            Some(Ok(_)) => {}
            None | Some(Err(_)) => return Ok(kills),
        }
        // One that is being restarted can't be killed.
        kills += usize::from(shop.system.kill(dice.pick(&COMMAND_APIS)).await.is_ok());
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
