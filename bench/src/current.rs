//! Whether purchases stay current while the payment provider takes its time: a steady rate of orders, each approved at once by
//! its customer, from the order to the collected money. All programs run, and the provider is the emulator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use reqwest::Client;
use serde_json::{Value, json};
use stack::{Options, Process, System};
use tokio::time::interval;
use uuid::Uuid;

use crate::append::Effort;
use crate::contender::{Contender, take_turns};
use crate::measure::{Figure, Run, quantile};
use crate::ours::US;
use crate::report::{Report, Target};
use crate::server::{Bench, connect};

/// Purchases a second.
const RATE: u32 = 110;
/// How long each call to the provider takes.
const LATENCY_MS: u64 = 300;
/// A run is at least so long: shorter ones could pile up what is late.
const AT_LEAST: Duration = Duration::from_secs(20);
/// How long the last purchases may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Takes the figures.
pub(crate) async fn run(bench: &Bench, effort: &Effort) -> anyhow::Result<Report> {
    let servers = Arc::clone(&bench.servers);
    let length = effort.length.max(AT_LEAST);
    let what =
        format!("{RATE} purchases a second, {LATENCY_MS} ms a call to the provider: collected, and how late");
    let contender = Contender::new(US, what, move || {
        let servers = Arc::clone(&servers);
        async move {
            let system = System::on_servers(servers, Options::default()).await?;
            let run = sell(&system, length).await;
            system.stop().await;
            run
        }
    });
    let figures = take_turns(bench, vec![contender], effort.rounds).await?;
    let ours = figures.first();
    let targets = vec![
        Target::at_least(
            "purchases a second, paid, issued and collected",
            100.0,
            ours.map(|figure| figure.rate().median),
        ),
        Target::at_most(
            "from the order to the collected money, p99 in ms",
            5_000.0,
            ours.and_then(Figure::p99).map(|spread| spread.median),
        ),
    ];
    let mut report = Report::new("current", "Purchases at a slow provider", figures, targets);
    report.remark(
        "Generator, emulator and all programs run on the same cores. The rate counts from the first collected purchase to the \
         last one. A purchase makes at least six calls one after the \
         other: create, a read for the webhook, a read and a capture, and a read for each further webhook.",
    );
    Ok(report)
}

async fn sell(system: &System, length: Duration) -> anyhow::Result<Run> {
    let tokens = system.tokens(&[])?;
    let catalogue = stack::catalogue::load(&system.command_api_url(), &tokens.staff).await?;
    let (club, _) = catalogue.clubs.first().context("a club")?;
    let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let faults = json!({"rules": [{"fault": {"slow_ms": LATENCY_MS}}]});
    let set = format!("{}/emulator/faults", system.payment_emulator_url());
    http.post(set).json(&faults).send().await?.error_for_status()?;

    let orders = format!("{}/api/v1/orders", system.command_api_url());
    let mut pace = interval(Duration::from_secs(1) / RATE);
    let begun = Instant::now();
    let mut buying = Vec::new();
    while begun.elapsed() < length {
        pace.tick().await;
        let (http, orders, token, club) = (http.clone(), orders.clone(), tokens.customer.clone(), *club);
        buying.push(tokio::spawn(
            async move { buy(&http, &orders, &token, club).await },
        ));
    }
    let bought = buying.len();
    let log = connect(&system.databases().events_reader).await?;
    for purchase in try_join_all(buying).await? {
        purchase?;
    }
    let deadline = Instant::now() + PATIENCE;
    let mut late = collected(&log).await?;
    while late.len() < bought {
        ensure!(
            Instant::now() < deadline,
            "{} of {bought} are collected",
            late.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
        late = collected(&log).await?;
    }
    ensure!(system.pid(Process::CommandApi).is_some(), "command-api has ended");
    late.sort_unstable();
    Ok(Run {
        p50_ms: quantile(&late, 0.5),
        p99_ms: quantile(&late, 0.99),
        ..Run::of(bought as u64, span(&log).await?)
    })
}

/// From the first collected purchase to the last one: what piles up makes it longer.
async fn span(log: &tokio_postgres::Client) -> anyhow::Result<Duration> {
    let sql = "select extract(epoch from max(recorded_at) - min(recorded_at))::float8 from events
               where event_type = 'PaymentCaptured'";
    let seconds: f64 = log.query_one(sql, &[]).await?.get(0);
    Ok(Duration::from_secs_f64(seconds))
}

async fn buy(http: &Client, orders: &str, token: &str, club: Uuid) -> anyhow::Result<()> {
    let key = Uuid::new_v4().to_string();
    // In letters: eleven digits can be a national identity number, which is refused.
    let letters = key.replace(|c: char| c.is_ascii_digit() || c == '-', "x");
    let mut order = stack::proof::order(club);
    order["lines"][0]["holder"]["name"] = json!(format!("Kari {letters}"));
    let placed: Value = http
        .post(orders)
        .bearer_auth(token)
        .header("Idempotency-Key", &key)
        .json(&order)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let page = placed.pointer("/payment/redirect_url").and_then(Value::as_str);
    let page = page.context("a page to pay on")?;
    http.post(format!("{page}/approve"))
        .header("Accept", "application/json")
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}

/// Of each collected purchase, the time from its order to its money.
async fn collected(log: &tokio_postgres::Client) -> anyhow::Result<Vec<Duration>> {
    let sql = "select extract(epoch from collected.recorded_at - placed.recorded_at)::float8
               from events collected join events placed
                 on placed.aggregate_type = 'order' and placed.aggregate_id = collected.aggregate_id and placed.sequence = 1
               where collected.event_type = 'PaymentCaptured'";
    let rows = log.query(sql, &[]).await?;
    let seconds = rows.iter().map(|row| row.get::<_, f64>(0));
    Ok(seconds
        .map(|seconds| Duration::from_secs_f64(seconds.max(0.0)))
        .collect())
}
