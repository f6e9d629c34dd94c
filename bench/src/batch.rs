//! Batches: how fast their items are done, and what customers notice of it. A batch counts from its submission to the event
//! of its last items.

use std::sync::{Arc, Mutex, PoisonError};
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
use crate::{provider, server};

/// Items of a batch.
const ITEMS: usize = 10_000;
/// Orders a second, beside a batch and without one.
const RATE: u32 = 100;
/// How long a batch may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is asked over and over.
struct Asking {
    http: Client,
    url: String,
    staff: String,
    customer: String,
    club: Uuid,
    log: tokio_postgres::Client,
    /// Items a second beside customers, of each run.
    beside: Mutex<Vec<Run>>,
}

/// Takes the figures.
pub(crate) async fn run(bench: &Bench, effort: &Effort) -> anyhow::Result<Report> {
    let options = Options {
        env: vec![(
            Process::CommandApi,
            "VIPPS_BASE_URL".into(),
            provider::start().await?,
        )],
        ..Options::default()
    };
    let system = System::on_servers(Arc::clone(&bench.servers), options).await?;
    let figures = figures(bench, effort, &system).await;
    let memory = system.pid(Process::CommandApi).and_then(server::resident_mb);
    system.stop().await;
    let figures = figures?;
    let of = |what: &str| figures.iter().find(|figure| figure.what.contains(what));
    let rate = |what: &str| of(what).map(|figure| figure.rate().median);
    let p99 = |what: &str| Some(of(what)?.p99()?.median);
    let ratio = p99("beside a batch")
        .zip(p99("without"))
        .map(|(beside, alone)| beside / alone);
    let targets = vec![
        Target::at_least("set_price, items a second", 5_000.0, rate("set_price,")),
        Target::at_least("upsert_club, items a second", 5_000.0, rate("upsert_club,")),
        Target::at_least("suspend, items a second", 5_000.0, rate("suspend,")),
        Target::at_most("customers' p99 beside a batch, times the one without", 2.0, ratio),
        Target::at_most("command-api after it, resident MB", 150.0, memory),
    ];
    let mut report = Report::new(
        "batch",
        "Batches of 10,000 items, and customers beside them",
        figures,
        targets,
    );
    report.remark(
        "Generator and payment provider (a stub that answers at once) run on the same cores; so do Postgres, NATS and \
         the relay. Projector, query-api and the emulator are stopped.",
    );
    Ok(report)
}

async fn figures(bench: &Bench, effort: &Effort, system: &System) -> anyhow::Result<Vec<Figure>> {
    let tokens = system.tokens(&[])?;
    let catalogue = stack::catalogue::load(&system.command_api_url(), &tokens.staff).await?;
    let (club, _) = catalogue.clubs.first().context("a club")?;
    for process in [Process::Projector, Process::QueryApi, Process::PaymentEmulator] {
        system.stop_one(process).await?;
    }
    let log = connect(&system.databases().events_reader).await?;
    let asking = Arc::new(Asking {
        http: Client::builder().no_proxy().timeout(PATIENCE).build()?,
        url: format!("{}/api/v1", system.command_api_url()),
        staff: tokens.staff,
        customer: tokens.customer,
        club: *club,
        log,
        beside: Mutex::default(),
    });
    let mut contenders: Vec<_> = ["set_price", "upsert_club", "suspend"]
        .into_iter()
        .map(|kind| {
            let asking = Arc::clone(&asking);
            Contender::new(US, format!("{kind}, items alone"), move || {
                let asking = Arc::clone(&asking);
                async move {
                    // Types of their own: what a price costs grows with the prices that its type has had.
                    let codes = match kind {
                        "set_price" => asking.license_types().await?,
                        _ => Vec::new(),
                    };
                    let begun = Instant::now();
                    asking.batch(kind, &codes).await?;
                    Ok(Run::of(ITEMS as u64, begun.elapsed()))
                }
            })
        })
        .collect();
    let length = effort.length;
    for (what, batches) in [("without a batch", false), ("beside a batch", true)] {
        let asking = Arc::clone(&asking);
        contenders.push(Contender::new(
            US,
            format!("{RATE} orders a second {what}"),
            move || {
                let asking = Arc::clone(&asking);
                async move { asking.customers(length, batches).await }
            },
        ));
    }
    contenders.retain(|contender| effort.only.as_deref().is_none_or(|only| contender.matches(only)));
    let mut figures = take_turns(bench, contenders, effort.rounds).await?;
    let runs = asking
        .beside
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if !runs.is_empty() {
        figures.push(Figure {
            contender: US.into(),
            what: format!("suspensions beside {RATE} orders a second"),
            runs,
        });
    }
    Ok(figures)
}

impl Asking {
    /// Submits a batch, and waits until its last item is done.
    async fn batch(&self, kind: &str, codes: &[String]) -> anyhow::Result<()> {
        let items: Vec<Value> = (0..ITEMS).map(|number| item(kind, codes, number)).collect();
        let submitted: Value = self
            .http
            .post(format!("{}/batches", self.url))
            .bearer_auth(&self.staff)
            .header("Idempotency-Key", Uuid::new_v4().to_string())
            .json(&json!({"kind": kind, "items": items}))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let batch_id: Uuid = submitted["batch_id"].as_str().context("a batch")?.parse()?;
        let done = "select payload from events where aggregate_type = 'batch' and aggregate_id = $1
            and event_type = 'BatchItemsDone'";
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = self.log.query(done, &[&batch_id]).await?;
            let mut count = 0;
            for row in &rows {
                let payload: Value = serde_json::from_str(row.get(0))?;
                let results = payload["results"].as_array().context("results")?;
                count += results.len();
                let failed = results.iter().find(|result| result["outcome"] != "succeeded");
                ensure!(failed.is_none(), "an item failed: {failed:?}");
            }
            if count == ITEMS {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{count} items of {kind} are done");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// New license types, as many as the shop has.
    async fn license_types(&self) -> anyhow::Result<Vec<String>> {
        let mut codes = Vec::new();
        for mut license_type in stack::catalogue::license_types()? {
            let code = letters();
            license_type["code"] = json!(code);
            self.http
                .post(format!("{}/license-types", self.url))
                .bearer_auth(&self.staff)
                .header("Idempotency-Key", &code)
                .json(&license_type)
                .send()
                .await?
                .error_for_status()?;
            codes.push(code);
        }
        Ok(codes)
    }

    /// Orders at a steady rate, each with its latency; beside them batches, one after the other.
    async fn customers(self: &Arc<Self>, length: Duration, batches: bool) -> anyhow::Result<Run> {
        let begun = Instant::now();
        let doing = batches.then(|| {
            let asking = Arc::clone(self);
            tokio::spawn(async move {
                let mut done = 0;
                while begun.elapsed() < length {
                    asking.batch("suspend", &[]).await?;
                    done += ITEMS as u64;
                }
                anyhow::Ok(Run::of(done, begun.elapsed()))
            })
        });
        let mut pace = interval(Duration::from_secs(1) / RATE);
        let mut buying = Vec::new();
        // As long as there is a batch to be beside.
        while begun.elapsed() < length || doing.as_ref().is_some_and(|doing| !doing.is_finished()) {
            pace.tick().await;
            let asking = Arc::clone(self);
            buying.push(tokio::spawn(async move { asking.buy().await }));
        }
        let took = begun.elapsed();
        let mut latencies = Vec::with_capacity(buying.len());
        for bought in try_join_all(buying).await? {
            latencies.push(bought?);
        }
        latencies.sort_unstable();
        if let Some(doing) = doing {
            let run = doing.await??;
            self.beside
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(run);
        }
        Ok(Run {
            p50_ms: quantile(&latencies, 0.5),
            p99_ms: quantile(&latencies, 0.99),
            ..Run::of(latencies.len() as u64, took)
        })
    }

    async fn buy(&self) -> anyhow::Result<Duration> {
        let mut order = stack::proof::order(self.club);
        order["lines"][0]["holder"]["name"] = json!(format!("Kari {}", letters()));
        let begun = Instant::now();
        self.http
            .post(format!("{}/orders", self.url))
            .bearer_auth(&self.customer)
            .header("Idempotency-Key", Uuid::new_v4().to_string())
            .json(&order)
            .send()
            .await?
            .error_for_status()?
            .bytes()
            .await?;
        Ok(begun.elapsed())
    }
}

fn item(kind: &str, codes: &[String], number: usize) -> Value {
    let name = letters();
    match kind {
        "set_price" => {
            let code = &codes[number % codes.len().max(1)];
            json!({"code": code, "price_ore": 40_000 + number})
        }
        "upsert_club" => json!({"name": format!("NMK {name}")}),
        _ => {
            json!({"person": {"name": format!("Ola {name}"), "birth_date": "1990-05-17"}, "reason": "Decision"})
        }
    }
}

/// A name that no person has. Without digits: eleven of them can be a national identity number, which is refused.
fn letters() -> String {
    let id = Uuid::new_v4().simple().to_string();
    let letter = |c: char| {
        c.to_digit(16)
            .and_then(|digit| char::from_u32('a' as u32 + digit))
    };
    id.chars().filter_map(letter).collect()
}
