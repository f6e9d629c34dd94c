//! SIGTERM: requests in flight finish, and the process is gone within ten seconds, whatever hangs.

use std::collections::BTreeSet;
use std::sync::Arc;

use nix::sys::signal::Signal;
use serde_json::json;
use stack::{Options, Process};
use system_tests::{Shop, eventually};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use crate::Program;

#[tokio::test]
async fn every_program_ends_in_good_order() {
    let shop = Shop::open(Options::default()).await;
    for process in [
        Process::CommandApi,
        Process::Projector,
        Process::QueryApi,
        Process::FrontDoor,
        Process::PaymentEmulator,
    ] {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let program = Program::instead_of(&shop.system, process).await;
            shop.system.wait_ready(process).await.unwrap();
            program.signal(signal);
            program.ended().await.well();
            shop.system.start_one(process).await.unwrap();
        }
    }
    shop.close().await;
}

#[tokio::test]
async fn order_that_is_being_placed_is_answered() {
    let shop = Arc::new(Shop::open(Options::default()).await);
    let program = Program::instead_of(&shop.system, Process::CommandApi).await;
    shop.system.wait_ready(Process::CommandApi).await.unwrap();
    shop.provider_faults(&json!({"api": {"slow_ms": 2000}})).await;

    let placing = tokio::spawn({
        let shop = Arc::clone(&shop);
        async move { shop.place("slow", &shop.order_of("slow")).await }
    });
    let ops = shop.system.command_ops_url();
    eventually("the order is being placed", async || {
        let text = shop.ops(&ops, "metrics").await.ok()?.text;
        text.lines()
            .any(|line| line.starts_with("bilsport_http_requests_in_flight{") && line.ends_with(" 1"))
            .then_some(())
    })
    .await;
    program.signal(Signal::SIGTERM);
    let ready = format!("{}/health/ready", shop.system.command_ops_url());
    eventually("it gets no more traffic", async || {
        let answer = shop.http().get(&ready).send().await.ok()?;
        (answer.status() == 503 && answer.text().await.ok()?.contains("shutting down")).then_some(())
    })
    .await;
    assert!(
        !placing.is_finished(),
        "the provider answered too soon for this test to mean anything"
    );

    let placed = placing.await.unwrap().expect(201);
    let ended = program.ended().await;
    ended.well();
    assert!(ended.output.contains("\"stopped\""), "{}", ended.output);

    shop.provider_faults(&json!({})).await;
    shop.system.start_one(Process::CommandApi).await.unwrap();
    let again = shop.place("slow", &shop.order_of("slow")).await.expect(201);
    assert_eq!(again.body, placed.body, "the answer was kept");
    close(shop).await;
}

#[tokio::test]
async fn every_command_that_was_answered_is_in_the_log() {
    let shop = Arc::new(Shop::open(Options::default()).await);
    let program = Program::instead_of(&shop.system, Process::CommandApi).await;
    shop.system.wait_ready(Process::CommandApi).await.unwrap();
    let mut commands = JoinSet::new();
    for at in 0..200 {
        let shop = Arc::clone(&shop);
        commands.spawn(async move {
            let club = json!({"name": format!("NMK Avslutning {at}")});
            shop.try_post("/clubs", &shop.tokens.staff, &format!("end-{at}"), &club)
                .await
        });
    }
    let mut acknowledged = BTreeSet::new();
    while let Some(answer) = commands.join_next().await {
        // While commands are in flight. Later ones are refused a connection.
        if acknowledged.len() == 20 {
            program.signal(Signal::SIGTERM);
        }
        if let Ok(answer) = answer.unwrap() {
            acknowledged.insert(answer.expect(201).text_at("/club_id").to_owned());
        }
    }
    program.ended().await.well();
    assert!(acknowledged.len() > 20, "{} were answered", acknowledged.len());

    let (client, connection) = tokio_postgres::connect(&shop.system.databases().events_owner, NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let rows = client
        .query(
            "select aggregate_id::text from events where aggregate_type = 'club'",
            &[],
        )
        .await
        .unwrap();
    let logged: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let lost: Vec<&String> = acknowledged.difference(&logged).collect();
    assert!(lost.is_empty(), "{lost:?}");
    close(shop).await;
}

#[tokio::test]
async fn provider_that_hangs_holds_nobody_up() {
    let ttl = (Process::CommandApi, "ORDER_TTL_S".to_owned(), "1".to_owned());
    let shop = Shop::open(Options {
        env: vec![ttl],
        ..Options::default()
    })
    .await;
    let program = Program::instead_of(&shop.system, Process::CommandApi).await;
    shop.system.wait_ready(Process::CommandApi).await.unwrap();
    let placed = shop.place("expires", &shop.order_of("expires")).await.expect(201);
    shop.system.pause(Process::PaymentEmulator).unwrap();

    let (client, connection) = tokio_postgres::connect(&shop.system.databases().events_owner, NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    eventually("the provider is being asked", async || {
        let rows = client
            .query(
                "select from process_tasks where kind = 'settle' and attempts > 0",
                &[],
            )
            .await;
        (!rows.unwrap().is_empty()).then_some(())
    })
    .await;
    program.signal(Signal::SIGTERM);
    program.ended().await.well();

    shop.system.resume(Process::PaymentEmulator).unwrap();
    // The task was not given back. It can be claimed again when its lease of a minute is over.
    let rows = client
        .execute(
            "update process_tasks set leased_until = null where kind = 'settle'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(rows, 1);
    shop.system.start_one(Process::CommandApi).await.unwrap();
    shop.order_with_status(placed.text_at("/order_id"), "expired")
        .await;
    shop.close().await;
}

#[tokio::test]
async fn database_that_hangs_holds_nobody_up() {
    let shop = Shop::open_private(Options::default()).await;
    let mut programs = Vec::new();
    for process in [Process::CommandApi, Process::Projector, Process::QueryApi] {
        programs.push(Program::instead_of(&shop.system, process).await);
        shop.system.wait_ready(process).await.unwrap();
    }
    shop.system.pause(Process::Postgres).unwrap();
    // Until the periodic checks of the database wait for its answer.
    for ops in [
        shop.system.command_ops_url(),
        shop.system.projector_ops_url(),
        shop.system.query_ops_url(),
    ] {
        let ready = format!("{ops}/health/ready");
        eventually(&format!("{ops} notices"), async || {
            (shop.http().get(&ready).send().await.ok()?.status() == 503).then_some(())
        })
        .await;
    }
    for program in &programs {
        program.signal(Signal::SIGTERM);
    }
    for program in programs {
        program.ended().await.well();
    }
    shop.system.resume(Process::Postgres).unwrap();
    shop.close().await;
}

async fn close(shop: Arc<Shop>) {
    Arc::into_inner(shop).expect("the only owner").close().await;
}
