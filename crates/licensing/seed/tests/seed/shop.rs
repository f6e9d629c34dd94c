//! A shop that starts on a made-up history shows it, asks no provider because of it, and sells on.

use std::process::Stdio;
use std::time::{Duration, Instant};

use stack::proof::{Buyer, buy};
use stack::{Options, Process, System};
use tokio::process::Command;
use tokio_postgres::NoTls;

use crate::log::Ended;

const DEADLINE: Duration = Duration::from_mins(1);

async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One of our programs with the system's settings.
async fn run(system: &System, process: Process, arguments: &[&str]) -> Ended {
    let mut command = system.command(process, arguments).unwrap();
    command.env("SEAL_PUBLIC_KEY", system.seal_public_key());
    Ended::of(command.output().await.unwrap())
}

/// The metrics of command-api.
async fn metrics(system: &System) -> String {
    let answer = reqwest::get(format!("{}/metrics", system.command_ops_url())).await;
    answer.unwrap().text().await.unwrap()
}

async fn seed(system: &System) -> Ended {
    let with_settings = system.command(Process::CommandApi, &[]).unwrap();
    let settings = with_settings.as_std().get_envs();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seed"));
    for (name, value) in settings {
        command.env(name, value.unwrap_or_default());
    }
    command.args(["--scale", "0.005", "--json"]).stdin(Stdio::null());
    Ended::of(command.output().await.unwrap())
}

#[tokio::test]
async fn a_shop_goes_on_from_a_history_and_asks_no_provider_about_it() {
    let often = (Process::CommandApi, "RECONCILE_EVERY_S".into(), "1".into());
    let options = Options {
        env: vec![often],
        ..Options::default()
    };
    let system = System::on_shared_servers(options).await.unwrap();
    eventually("command-api leads", async || {
        metrics(&system).await.contains("bilsport_relay_leader 1")
    })
    .await;
    let refused = seed(&system).await;
    assert_eq!(refused.status.code(), Some(1), "a shop runs: {}", refused.said);
    assert!(refused.said.contains("command-api leads"), "{}", refused.said);

    system.stop_one(Process::CommandApi).await.unwrap();
    let (seeded, compared) = (seed(&system).await, comparisons(&system));
    let events = seeded.well()["events"].as_u64().unwrap();
    system.start_one(Process::CommandApi).await.unwrap();

    eventually("the rows and the stream are a replay of the log", async || {
        let verified = run(&system, Process::Projector, &["verify", "--stream-sample", "0"]).await;
        verified.status.success()
    })
    .await;
    eventually("all orders were compared with their payments", async || {
        comparisons(&system) > compared
    })
    .await;
    eventually("the whole log is sealed", async || {
        let verified = run(&system, Process::CommandApi, &["log", "verify", "--json"]).await;
        verified.status.success() && verified.report["sealed"] == events
    })
    .await;

    let (client, connection) = tokio_postgres::connect(&system.databases().events_owner, NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let row = client
        .query_one(
            "select (select position from log_head), (select position from process_checkpoints where process = 'orders'),
                    (select count(*) from process_tasks where kind <> 'sweep')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        (row.get(0), row.get(1), row.get(2)),
        (events.cast_signed(), events.cast_signed(), 0_i64)
    );
    let metrics = metrics(&system).await;
    let asked: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("bilsport_payments_requests_total") && !line.ends_with(" 0"))
        .collect();
    assert!(
        asked.is_empty() && metrics.contains("bilsport_payments_requests_total"),
        "{asked:?}"
    );

    // What `make up` does next: the catalogue is there, and a license is sold.
    let staff = system.tokens(&[]).unwrap().staff;
    let catalogue = stack::catalogue::load(&system.command_api_url(), &staff)
        .await
        .unwrap();
    assert_eq!((catalogue.created, catalogue.clubs.len()), (0, 180));
    let buyer = Buyer {
        command_api_url: system.command_api_url(),
        query_api_url: system.query_api_url(),
        token: system.tokens(&[]).unwrap().customer,
        club: catalogue.clubs[0].0,
    };
    buy(&buyer).await.unwrap();
    let status = run(&system, Process::Projector, &["parked", "list"]).await;
    status.well();
    system.stop().await;
}

/// How often all orders were compared with their payments.
fn comparisons(system: &System) -> usize {
    let log = std::fs::read_to_string(system.logs().join("command-api.log")).unwrap();
    log.matches("all orders were compared with their payments")
        .count()
}
