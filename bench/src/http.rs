//! Purchases through HTTP: `POST /orders` with everything that belongs to it (token, validation, rules, price from the
//! catalogue, two commands, the payment provider's answer in between), on kept connections.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use futures_util::future::try_join_all;
use stack::{Options, Process, Role, System};
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

use crate::append::Effort;
use crate::contender::{Contender, take_turns};
use crate::measure::closed_loop;
use crate::report::{Report, Target};
use crate::server::Bench;
use crate::wire::Wire;
use crate::{provider, server};

/// The holder of the sample order, and as many bytes where another one goes.
const HOLDER: &str = "Kari Nordmann";
const PLACE_FOR_A_HOLDER: &str = "Kari --------------------------------";

/// A customer at a connection.
struct Customer {
    wire: Wire,
    head: String,
    body: String,
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
    let median = |what: &str| {
        figures
            .iter()
            .find(|figure| figure.what.contains(what))
            .map(crate::measure::Figure::rate)
            .map(|rate| rate.median)
    };
    let p99 = figures
        .iter()
        .find(|figure| figure.what.contains("64 conn"))
        .and_then(|figure| Some(figure.p99()?.median));
    let targets = vec![
        Target::at_least("purchases a second, 64 connections", 12_000.0, median("64 conn")),
        Target::at_most("purchases, 64 connections, p99 in ms", 25.0, p99),
        Target::at_most("command-api after it, resident MB", 100.0, memory),
    ];
    let mut report = Report::new("http", "Purchases through HTTP", figures, targets);
    report.remark(
        "Generator and payment provider (a stub that answers at once) run on the same cores; so do Postgres, NATS and \
         the relay. Projector, query-api and the emulator are stopped.",
    );
    Ok(report)
}

async fn figures(
    bench: &Bench,
    effort: &Effort,
    system: &System,
) -> anyhow::Result<Vec<crate::measure::Figure>> {
    let staff = system.tokens(&[])?.staff;
    let catalogue = stack::catalogue::load(&system.command_api_url(), &staff).await?;
    let (club, _) = catalogue.clubs.first().context("a club")?;
    for process in [Process::Projector, Process::QueryApi, Process::PaymentEmulator] {
        system.stop_one(process).await?;
    }
    let mut contenders = Vec::new();
    for connections in [1, 64] {
        contenders.push(purchases(system, *club, connections, effort).await?);
    }
    contenders.retain(|contender| effort.only.as_deref().is_none_or(|only| contender.matches(only)));
    take_turns(bench, contenders, effort.rounds).await
}

async fn purchases(
    system: &System,
    club: Uuid,
    connections: usize,
    effort: &Effort,
) -> anyhow::Result<Contender> {
    let url = system.command_api_url();
    let address = url.strip_prefix("http://").context("an address")?;
    let customers = try_join_all((0..connections).map(async |number| {
        let token = system.issuer().token(
            Role::Customer,
            &format!("customer-{connections}-{number}"),
            &[],
            TimeDelta::hours(2),
        )?;
        let body = stack::proof::order(club)
            .to_string()
            .replace(HOLDER, PLACE_FOR_A_HOLDER);
        ensure!(
            body.contains(PLACE_FOR_A_HOLDER),
            "the order is for {HOLDER} no more"
        );
        let customer = Customer {
            wire: Wire::connect(address).await?,
            head: format!(
                "POST /api/v1/orders HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\nidempotency-key: ",
                body.len()
            ),
            body,
        };
        anyhow::Ok(Arc::new(Mutex::new(customer)))
    }))
    .await?;
    let customers = Arc::new(customers);
    let (warm_up, length): (Duration, Duration) = (effort.warm_up, effort.length);
    let what = format!("POST /orders, {connections} connections");
    Ok(Contender::new("bilsportlisens", what, move || {
        let customers = Arc::clone(&customers);
        closed_loop(connections, warm_up, length, move |_| {
            let customers = Arc::clone(&customers);
            async move {
                // As many as there are operations in flight, so one of them is free.
                let free = customers
                    .iter()
                    .find_map(|customer| Arc::clone(customer).try_lock_owned().ok());
                buy(free.context("a free connection")?).await
            }
        })
    }))
}

async fn buy(mut customer: OwnedMutexGuard<Customer>) -> anyhow::Result<()> {
    let key = Uuid::new_v4();
    // A holder has one license of a type on a day, so each purchase is for another one.
    // In letters: eleven digits can be a national identity number, which is refused.
    let letters = key
        .simple()
        .to_string()
        .replace(|c: char| c.is_ascii_digit(), "x");
    let body = customer
        .body
        .replace(PLACE_FOR_A_HOLDER, &format!("Kari {letters}"));
    let request = format!("{}{key}\r\n\r\n{body}", customer.head);
    customer.wire.send(request.as_bytes()).await?;
    let answer = customer.wire.receive().await?.context("an answer")?;
    ensure!(
        answer.first_line.contains(" 201 "),
        "{}: {}",
        answer.first_line,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(())
}
