//! Pages over HTTP at the size of ten years and more, beside a bare handler that runs the same statement.

mod searching;
mod yardstick;

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use serde_json::Value;
use stack::{Options, Process, System};

use crate::append::Effort;
use crate::contender::{Contender, take_turns};
use crate::measure::{Figure, closed_loop, share};
use crate::ours::US;
use crate::peers::prisma::{self, Prisma};
use crate::report::{Report, Target};
use crate::server::{Bench, connect, resident_mb};
use crate::wire::{Message, Wire};

/// Kept connections, each with one request at a time.
const CONNECTIONS: usize = 64;
/// Pages of 50 before the one that is deep in the list.
const DEEP: i64 = 19_000;

const ORDERS: &str = "50 orders, all fields";
const LICENSES: &str = "50 licenses, all fields";
const DEEP_PAGE: &str = "50 orders, all fields, deep in the list";
const COUNTED: &str = "50 orders and their number";
const SEARCH: &str = "50 orders by a name";
const CACHED: &str = "50 clubs, from the cache";
const UNCHANGED: &str = "50 clubs, 304";
const BODY: &str = "50 clubs, as a constant";
const BARE: &str = "bare axum + tokio-postgres";
const PRISMA: &str = "Prisma 7 + pg";

/// What is asked for.
struct Asked {
    who: &'static str,
    what: String,
    address: String,
    request: String,
    /// What the answer must have in its first line.
    status: &'static str,
}

impl Asked {
    fn new(who: &'static str, what: &str, address: &str, request: String) -> Self {
        Self {
            who,
            what: what.into(),
            address: address.into(),
            request,
            status: " 200 ",
        }
    }
}

/// Takes the figures at a history of this scale.
pub(crate) async fn run(bench: &Bench, effort: &Effort, peers: bool, scale: f64) -> anyhow::Result<Report> {
    let system = System::on_servers(Arc::clone(&bench.servers), Options::default()).await?;
    let report = report(bench, effort, peers, scale, &system).await;
    system.stop().await;
    report
}

async fn report(
    bench: &Bench,
    effort: &Effort,
    peers: bool,
    scale: f64,
    system: &System,
) -> anyhow::Result<Report> {
    fill(system, scale).await?;
    let idle = system.pid(Process::QueryApi).and_then(resident_mb);
    let token = system.tokens(&[])?.staff;
    let url = system.query_api_url();
    let address = url.strip_prefix("http://").context("an address")?;
    let mut questions = asked(system, address, &token).await?;
    let yardstick = yardstick::start(&system.databases().read_reader).await?;
    for (what, path) in [(ORDERS, "/orders"), (LICENSES, "/licenses"), (BODY, "/body")] {
        questions.push(Asked::new(BARE, what, &yardstick, request(&yardstick, path, "")));
    }
    let prisma = if peers {
        Some(prisma::start(&system.databases().read_reader).await?)
    } else {
        None
    };
    if let Some(Prisma { address, .. }) = &prisma {
        for (what, path) in [
            ("50 orders, all fields", "/page".into()),
            (DEEP_PAGE, format!("/page?skip={}", deep(system).await?)),
            (COUNTED, "/counted".into()),
            (SEARCH, "/search?q=kari%20nordmann".into()),
        ] {
            questions.push(Asked::new(PRISMA, what, address, request(address, &path, "")));
        }
    }
    let mut contenders: Vec<Contender> = questions.iter().map(|asked| pages(asked, effort)).collect();
    contenders.push(searching::contender(&system.databases().read_reader, effort).await?);
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
        "64 kept connections, one request at a time on each; orders and licenses are read by staff, clubs without a login. Generator, \
         servers and Postgres run on the same cores. The yardstick checks no token, and writes the same rows as JSON by serde. \
         Prisma reads the same table in one Node process, pages by offset.",
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
    for (what, least) in [(CACHED, 50_000.0), (UNCHANGED, 60_000.0)] {
        let rate = find(US, what).map(|figure| figure.rate().median);
        targets.push(Target::at_least(format!("{what}, a second"), least, rate));
    }
    let search = find(US, searching::MIXED).and_then(Figure::p99);
    targets.push(Target::at_most(
        format!("{}, p99 in ms", searching::MIXED),
        10.0,
        search.map(|search| search.median),
    ));
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

/// How many orders lie before the page that is deep in the list.
async fn deep(system: &System) -> anyhow::Result<i64> {
    let client = connect(&system.databases().read_reader).await?;
    let orders: i64 = client.query_one("select count(*) from orders", &[]).await?.get(0);
    // A history of less than that has its last pages there.
    Ok((DEEP * 50).min(orders - 50))
}

async fn asked(system: &System, address: &str, token: &str) -> anyhow::Result<Vec<Asked>> {
    let client = connect(&system.databases().read_reader).await?;
    let place = client
        .query_one(
            "select to_json(created_at) #>> '{}' from orders order by created_at desc, order_id desc offset $1 limit 1",
            &[&deep(system).await?],
        )
        .await?;
    let place: String = place.get(0);
    let place = place.replace('+', "%2B");
    let staff = format!("authorization: Bearer {token}\r\n");
    let first = get(address, "/api/v1/orders?limit=1", &staff).await?;
    let body: Value = serde_json::from_slice(&first.body)?;
    let order = body
        .pointer("/items/0/order_id")
        .and_then(Value::as_str)
        .context("an order")?;
    let lists = [
        (ORDERS, "orders?limit=50".to_owned()),
        (LICENSES, "licenses?limit=50".to_owned()),
        (
            "50 orders, four fields",
            "orders?limit=50&fields=order_id,order_number,status,total_ore".to_owned(),
        ),
        (DEEP_PAGE, format!("orders?limit=50&seek={place}")),
        ("one order", format!("orders/{order}")),
        (
            "50 orders of a status",
            "orders?limit=50&status=fulfilled".to_owned(),
        ),
        (COUNTED, "orders?limit=50&count=true".to_owned()),
        (SEARCH, "orders?limit=50&q=kari%20nordmann".to_owned()),
    ];
    let mut asked: Vec<Asked> = lists
        .into_iter()
        .map(|(what, path)| {
            Asked::new(
                US,
                what,
                address,
                request(address, &format!("/api/v1/{path}"), &staff),
            )
        })
        .collect();
    let clubs = "/api/v1/clubs?limit=50";
    asked.push(Asked::new(US, CACHED, address, request(address, clubs, "")));
    let answer = get(address, clubs, "").await?;
    let tag = answer.tag.context("an entity tag")?;
    let known = request(address, clubs, &format!("if-none-match: {tag}\r\n"));
    asked.push(Asked {
        status: " 304 ",
        ..Asked::new(US, UNCHANGED, address, known)
    });
    Ok(asked)
}

async fn get(address: &str, path: &str, headers: &str) -> anyhow::Result<Message> {
    let mut wire = Wire::connect(address).await?;
    wire.send(request(address, path, headers).as_bytes()).await?;
    let answer = wire.receive().await?.context("an answer")?;
    ensure!(
        answer.first_line.contains(" 200 "),
        "{path}: {}: {}",
        answer.first_line,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(answer)
}

fn request(address: &str, path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n")
}

fn pages(asked: &Asked, effort: &Effort) -> Contender {
    let Asked {
        who,
        what,
        address,
        request,
        status,
    } = asked;
    let (request, status): (Arc<str>, _) = (request.as_str().into(), *status);
    let address = address.clone();
    let (warm_up, length) = (effort.warm_up, effort.length);
    Contender::new(*who, what.clone(), move || {
        let (request, address) = (Arc::clone(&request), address.clone());
        async move {
            // New ones for each run: a server does not keep a connection that is silent while others have their turn.
            let connections = try_join_all((0..CONNECTIONS).map(|_| Wire::connect(&address))).await?;
            let free = Arc::new(Mutex::new(connections));
            closed_loop(CONNECTIONS, warm_up, length, move |_| {
                let (free, request) = (Arc::clone(&free), Arc::clone(&request));
                async move {
                    // As many as there are operations in flight, so one of them is free.
                    let mut connection = lock(&free).pop().context("a free connection")?;
                    connection.send(request.as_bytes()).await?;
                    let answer = connection.receive().await?.context("an answer")?;
                    lock(&free).push(connection);
                    ensure!(answer.first_line.contains(status), "{}", answer.first_line);
                    Ok(())
                }
            })
            .await
        }
    })
}

fn lock(free: &Mutex<Vec<Wire>>) -> MutexGuard<'_, Vec<Wire>> {
    // Each change is whole.
    free.lock().unwrap_or_else(PoisonError::into_inner)
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
