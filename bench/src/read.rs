//! Pages over HTTP at the size of ten years and more, beside a bare handler that runs the same statement.

mod yardstick;

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use serde_json::Value;
use stack::{Options, Process, System};
use tokio::sync::Mutex;

use crate::append::Effort;
use crate::contender::{Contender, take_turns};
use crate::measure::{Figure, closed_loop, share};
use crate::ours::US;
use crate::report::{Report, Target};
use crate::server::{Bench, connect, resident_mb};
use crate::wire::Wire;

/// Kept connections, each with one request at a time.
const CONNECTIONS: usize = 64;
/// Pages of 50 before the one that is deep in the list.
const DEEP: i64 = 19_000;

const ORDERS: &str = "50 orders, all fields";
const LICENSES: &str = "50 licenses, all fields";
const BARE: &str = "bare axum + tokio-postgres";

/// What is asked for.
struct Asked {
    what: String,
    path: String,
}

/// Takes the figures at a history of this scale.
pub(crate) async fn run(bench: &Bench, effort: &Effort, scale: f64) -> anyhow::Result<Report> {
    let system = System::on_servers(Arc::clone(&bench.servers), Options::default()).await?;
    let report = report(bench, effort, scale, &system).await;
    system.stop().await;
    report
}

async fn report(bench: &Bench, effort: &Effort, scale: f64, system: &System) -> anyhow::Result<Report> {
    fill(system, scale).await?;
    let idle = system.pid(Process::QueryApi).and_then(resident_mb);
    let token = system.tokens(&[])?.staff;
    let url = system.query_api_url();
    let address = url.strip_prefix("http://").context("an address")?;
    let mut contenders = Vec::new();
    for asked in asked(system, address, &token).await? {
        contenders.push(pages(US, &asked, address, &token, effort).await?);
    }
    let yardstick = yardstick::start(&system.databases().read_reader).await?;
    for (what, path) in [(ORDERS, "/orders"), (LICENSES, "/licenses")] {
        let asked = Asked {
            what: what.into(),
            path: path.into(),
        };
        contenders.push(pages(BARE, &asked, &yardstick, &token, effort).await?);
    }
    contenders.retain(|contender| effort.only.as_deref().is_none_or(|only| contender.matches(only)));
    let figures = take_turns(bench, contenders, effort.rounds).await?;
    let loaded = system.pid(Process::QueryApi).and_then(resident_mb);
    let mut report = Report::new(
        format!("read-at-{scale}"),
        "Pages over HTTP",
        figures.clone(),
        targets(&figures, idle, loaded),
    );
    report.remark(sizes(system).await?);
    report.remark(
        "Staff reads, 64 kept connections, one request at a time on each. Generator, yardstick and Postgres run on the same cores. \
         The yardstick checks no token and writes the same rows as JSON by serde.",
    );
    Ok(report)
}

fn targets(figures: &[Figure], idle: Option<f64>, loaded: Option<f64>) -> Vec<Target> {
    let find = |who: &str, what: &str| {
        figures
            .iter()
            .find(|figure| figure.contender == who && figure.what == what)
    };
    let mut targets = Vec::new();
    for what in [ORDERS, LICENSES] {
        let pair = find(US, what).zip(find(BARE, what));
        targets.push(Target::at_least(
            format!("{what}, share of the yardstick"),
            0.8,
            pair.and_then(|(ours, bare)| share(ours, bare)),
        ));
        let times = pair.and_then(|(ours, bare)| Some(ours.p99()?.median / bare.p99()?.median));
        targets.push(Target::at_most(
            format!("{what}, p99 in times of the yardstick's"),
            1.5,
            times,
        ));
    }
    targets.push(Target::at_most("query-api before it, resident MB", 30.0, idle));
    targets.push(Target::at_most("query-api after it, resident MB", 100.0, loaded));
    targets
}

/// Plays the history into the log and builds the rows, as `make seed` does.
async fn fill(system: &System, scale: f64) -> anyhow::Result<()> {
    for process in [
        Process::CommandApi,
        Process::Projector,
        Process::QueryApi,
        Process::PaymentEmulator,
    ] {
        system.stop_one(process).await?;
    }
    let mut seed = tokio::process::Command::new(beside_us("seed")?);
    for (name, value) in system.command(Process::CommandApi, &[])?.as_std().get_envs() {
        seed.env(name, value.unwrap_or_default());
    }
    seed.args(["--scale", &scale.to_string()]);
    finish(seed).await?;
    for arguments in [
        ["rebuild", "licensing"].as_slice(),
        &["rebuild", "licensing", "--discard"],
        &["rebuild", "reports"],
        &["rebuild", "reports", "--discard"],
    ] {
        finish(system.command(Process::Projector, arguments)?).await?;
    }
    connect(&system.databases().read_owner)
        .await?
        .batch_execute("vacuum analyze")
        .await?;
    system.start_one(Process::QueryApi).await
}

async fn finish(mut command: tokio::process::Command) -> anyhow::Result<()> {
    let program = command.as_std().get_program().display().to_string();
    let ended = command.stdin(Stdio::null()).status().await;
    ensure!(
        ended.with_context(|| format!("cannot run {program}"))?.success(),
        "{program} failed"
    );
    Ok(())
}

fn beside_us(program: &str) -> anyhow::Result<std::path::PathBuf> {
    let path = std::env::current_exe()?.with_file_name(program);
    ensure!(path.exists(), "{} is not built", path.display());
    Ok(path)
}

async fn asked(system: &System, address: &str, token: &str) -> anyhow::Result<Vec<Asked>> {
    let list = "/api/v1";
    let client = connect(&system.databases().read_reader).await?;
    let deep = client
        .query_one(
            "select created_at::text from (select created_at from orders order by created_at desc, order_id desc limit $1) page
             order by created_at limit 1",
            &[&(DEEP * 50)],
        )
        .await?;
    let deep: String = deep.get(0);
    let deep = deep.replace(' ', "T").replace('+', "%2B");
    let first = get(address, token, "/api/v1/orders?limit=1").await?;
    let order = first
        .pointer("/items/0/order_id")
        .and_then(Value::as_str)
        .context("an order")?;
    let asked = [
        (ORDERS, format!("{list}/orders?limit=50")),
        (LICENSES, format!("{list}/licenses?limit=50")),
        (
            "50 orders, four fields",
            format!("{list}/orders?limit=50&fields=order_id,order_number,status,total_ore"),
        ),
        (
            "50 orders, all fields, deep in the list",
            format!("{list}/orders?limit=50&seek={deep}"),
        ),
        ("one order", format!("{list}/orders/{order}")),
        (
            "50 orders of a status",
            format!("{list}/orders?limit=50&status=fulfilled"),
        ),
        (
            "50 orders and their number",
            format!("{list}/orders?limit=50&count=true"),
        ),
        (
            "search of licenses by a name",
            format!("{list}/licenses?limit=50&q=kari%20nordmann"),
        ),
        ("50 clubs", format!("{list}/clubs?limit=50")),
    ];
    Ok(asked
        .into_iter()
        .map(|(what, path)| Asked {
            what: what.into(),
            path,
        })
        .collect())
}

async fn get(address: &str, token: &str, path: &str) -> anyhow::Result<Value> {
    let mut wire = Wire::connect(address).await?;
    wire.send(request(address, token, path).as_bytes()).await?;
    let answer = wire.receive().await?.context("an answer")?;
    ensure!(
        answer.first_line.contains(" 200 "),
        "{path}: {}: {}",
        answer.first_line,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(serde_json::from_slice(&answer.body)?)
}

fn request(address: &str, token: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n")
}

async fn pages(
    who: &str,
    asked: &Asked,
    address: &str,
    token: &str,
    effort: &Effort,
) -> anyhow::Result<Contender> {
    let request: Arc<str> = request(address, token, &asked.path).into();
    let connections = try_join_all(
        (0..CONNECTIONS).map(async |_| anyhow::Ok(Arc::new(Mutex::new(Wire::connect(address).await?)))),
    );
    let connections = Arc::new(connections.await?);
    let (warm_up, length) = (effort.warm_up, effort.length);
    Ok(Contender::new(who, asked.what.clone(), move || {
        let (connections, request) = (Arc::clone(&connections), Arc::clone(&request));
        closed_loop(CONNECTIONS, warm_up, length, move |_| {
            let (connections, request) = (Arc::clone(&connections), Arc::clone(&request));
            async move {
                // As many as there are operations in flight, so one of them is free.
                let mut free = connections
                    .iter()
                    .find_map(|connection| Arc::clone(connection).try_lock_owned().ok())
                    .context("a free connection")?;
                free.send(request.as_bytes()).await?;
                let answer = free.receive().await?.context("an answer")?;
                ensure!(answer.first_line.contains(" 200 "), "{}", answer.first_line);
                Ok(())
            }
        })
    }))
}

async fn sizes(system: &System) -> anyhow::Result<String> {
    let client = connect(&system.databases().read_reader).await?;
    let counts = client
        .query_one(
            "select (select count(*) from orders), (select count(*) from licenses), (select count(*) from users)",
            &[],
        )
        .await?;
    let (orders, licenses, users): (i64, i64, i64) = (counts.get(0), counts.get(1), counts.get(2));
    Ok(format!("{orders} orders, {licenses} licenses, {users} users."))
}
