//! The real program, killed and started again.

use std::io::Write as _;

use axum::http::StatusCode;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use payments::vipps::webhook::EventName::{Authorized, Captured, Created};
use payments::{Limits, NewPayment, PaymentProvider, PaymentState};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::inbox::Inbox;
use crate::receiver::Receiver;
use crate::running::{
    Folder, Program, approved, impatient, in_time, inspect, new_payment, nexi, press, set_faults, until,
    vipps,
};

#[tokio::test]
async fn a_kill_loses_no_payment_and_no_webhook() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let data_file = folder.0.join("payments.jsonl");
    // The receiver accepts no webhook before the kill.
    receiver.refuse(usize::from(u16::MAX), StatusCode::INTERNAL_SERVER_ERROR);
    let emulator = Program::start(&data_file, &receiver.url);
    let adapter = vipps(&emulator.url, Limits::default());
    let new = new_payment(1000);
    let created = adapter.create(&new).await.unwrap();
    press(&created.redirect_url, "approve").await;
    let captured = adapter.capture(&new.reference, 1000, "capture-1").await.unwrap();
    receiver.wait(|seen| !seen.refused.is_empty()).await;
    emulator.kill();

    let accepting = Receiver::start().await;
    let emulator = Program::start(&data_file, &accepting.url);
    assert_eq!(
        accepting.names(&new.reference, 3).await,
        [Created, Authorized, Captured]
    );
    // The restarted emulator refuses the old access token; the adapter must get a new one.
    let adapter = vipps(&emulator.url, Limits::default());
    assert_eq!(adapter.get(&new.reference).await.unwrap(), captured);
    assert_eq!(
        adapter.capture(&new.reference, 1000, "capture-1").await.unwrap(),
        captured
    );
    assert_eq!(inspect(&emulator.url, &new.reference).await["captures"], 1);
    let again = adapter.create(&new).await.unwrap();
    assert!(again.redirect_url.ends_with(&format!("/pay/{}", new.reference)));

    // And what was delivered is not delivered once more.
    until(async || inspect(&emulator.url, &new.reference).await["webhooks_pending"] == 0).await;
    stop(emulator);
    let third = Receiver::start().await;
    let emulator = Program::start(&data_file, &third.url);
    let other = new_payment(1000);
    vipps(&emulator.url, Limits::default())
        .create(&other)
        .await
        .unwrap();
    third.names(&other.reference, 1).await;
    assert_eq!(third.seen().accepted.len(), 1);
}

#[tokio::test]
async fn a_kill_loses_nothing_at_nexi() {
    let (folder, receiver, inbox) = (Folder::new(), Receiver::start().await, Inbox::start().await);
    inbox.answer(StatusCode::INTERNAL_SERVER_ERROR);
    let data_file = folder.0.join("payments.jsonl");
    let emulator = Program::start(&data_file, &receiver.url);
    let adapter = nexi(&emulator.url, Limits::default());
    let new = NewPayment {
        webhook_url: Some(format!("{}/hooks?order_id=1", inbox.url)),
        ..new_payment(1000)
    };
    let id = approved(&adapter, &new).await.payment_id;
    let captured = adapter.capture(&id, 1000, "capture-1").await.unwrap();
    set_faults(
        &emulator.url,
        json!({ "rules": [{ "fault": { "refund_takes_ms": 300 } }] }),
    )
    .await;
    adapter.refund(&captured, 1000, "refund-1").await.unwrap();
    inbox.names(1).await;
    emulator.kill();

    inbox.answer(StatusCode::OK);
    let emulator = Program::start(&data_file, &receiver.url);
    let adapter = nexi(&emulator.url, Limits::default());
    // The keys, the charge and the refund under way have survived.
    adapter.capture(&id, 1000, "capture-1").await.unwrap();
    adapter.refund(&captured, 1000, "refund-1").await.unwrap();
    until(async || adapter.get(&id).await.unwrap().refunded_ore == 1000).await;
    let book = inspect(&emulator.url, &id).await;
    assert_eq!((&book["captures"], &book["refunds"]), (&json!(1), &json!(1)));
    until(async || inspect(&emulator.url, &id).await["webhooks_pending"] == 0).await;
    let names: Vec<String> = inbox.seen().iter().map(|one| one.name().to_owned()).collect();
    assert_eq!(names.last().unwrap(), "payment.refund.completed");
}

#[tokio::test]
async fn faults_and_books_have_commands() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let emulator = Program::start(&folder.0.join("payments.jsonl"), &receiver.url);
    let asked = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_payment-emulator"));
        let output = command.args(arguments).args(["--url", &emulator.url]).output();
        let output = in_time(output).await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    let rule = r#"{"rules":[{"fault":"decline","provider":"nexi","next":1}],"seed":7}"#;
    let (_, set) = asked(&["faults", rule]).await;
    let shown: Value = serde_json::from_str(&set).unwrap();
    assert_eq!(
        (&shown["rules"][0]["fault"], &shown["applied"]),
        (&json!("decline"), &json!([0]))
    );
    let nexi = nexi(&emulator.url, Limits::default());
    let created = nexi.create(&new_payment(1000)).await.unwrap();
    press(&created.redirect_url, "approve").await;
    let (_, shown) = asked(&["faults"]).await;
    assert!(shown.contains(r#""applied":[1]"#), "{shown}");
    let (refused, said) = asked(&["faults", r#"{"rules":[{"fault":"melt"}]}"#]).await;
    assert!(!refused && said.contains("melt"), "{said}");
    let (_, books) = asked(&["books"]).await;
    let book: Value = serde_json::from_str(books.trim()).unwrap();
    assert_eq!(book["payment_id"], created.payment_id);
    assert_eq!(book["history"][1]["name"], "RESERVATION_FAILED");
}

#[tokio::test]
async fn kills_in_the_middle_of_work_leave_what_was_acknowledged() {
    const WORKERS: usize = 4;
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let data_file = folder.0.join("payments.jsonl");
    let mut acknowledged = Vec::new();
    for _ in 0..3 {
        let emulator = Program::start(&data_file, &receiver.url);
        let (approved, mut approvals) = mpsc::channel(1);
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(approve_until_killed(emulator.url.clone(), approved.clone()));
        }
        drop(approved);
        for _ in 0..20 {
            acknowledged.push(in_time(approvals.recv()).await.unwrap());
        }
        emulator.kill();
        while let Some(reference) = in_time(approvals.recv()).await {
            acknowledged.push(reference);
        }
        workers.join_all().await;
    }
    let emulator = Program::start(&data_file, &receiver.url);
    let adapter = vipps(&emulator.url, Limits::default());
    assert!(acknowledged.len() >= 60, "{}", acknowledged.len());
    for reference in &acknowledged {
        assert_eq!(
            adapter.get(reference).await.unwrap().state,
            PaymentState::Authorized
        );
        until(async || receiver.names(reference, 2).await.contains(&Authorized)).await;
        assert_eq!(receiver.names(reference, 2).await[0], Created);
    }
}

/// Creates and approves payments until the emulator is gone, and sends on the acknowledged ones.
async fn approve_until_killed(url: String, approved: mpsc::Sender<String>) {
    let (adapter, http) = (vipps(&url, impatient()), reqwest::Client::new());
    loop {
        let new = new_payment(1000);
        let Ok(created) = adapter.create(&new).await else {
            return;
        };
        let Ok(response) = http
            .post(format!("{}/approve", created.redirect_url))
            .send()
            .await
        else {
            return;
        };
        assert_eq!(response.status(), 200);
        approved.send(new.reference).await.unwrap();
    }
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_and_other_damage_stops_the_start() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let data_file = folder.0.join("payments.jsonl");
    let emulator = Program::start(&data_file, &receiver.url);
    let new = new_payment(1000);
    vipps(&emulator.url, Limits::default())
        .create(&new)
        .await
        .unwrap();
    receiver.names(&new.reference, 1).await;
    until(async || inspect(&emulator.url, &new.reference).await["webhooks_pending"] == 0).await;
    stop(emulator);
    let whole = std::fs::read(&data_file).unwrap();

    let mut file = std::fs::OpenOptions::new().append(true).open(&data_file).unwrap();
    file.write_all(br#"{"record":"changed","reference":"te"#).unwrap();
    drop(file);
    let emulator = Program::start(&data_file, &receiver.url);
    assert_eq!(
        vipps(&emulator.url, Limits::default())
            .get(&new.reference)
            .await
            .unwrap()
            .state,
        PaymentState::Created
    );
    stop(emulator);
    assert_eq!(std::fs::read(&data_file).unwrap(), whole);

    std::fs::write(&data_file, [b"{}\n", &whole[..]].concat()).unwrap();
    let output = fails_to_start(&data_file);
    assert!(output.contains("line 1"), "{output}");
    assert!(
        std::fs::read(&data_file).unwrap().starts_with(b"{}\n"),
        "a damaged file is left as it is"
    );
}

#[tokio::test]
async fn two_emulators_do_not_share_a_file() {
    let (folder, receiver) = (Folder::new(), Receiver::start().await);
    let data_file = folder.0.join("payments.jsonl");
    let _first = Program::start(&data_file, &receiver.url);
    let output = fails_to_start(&data_file);
    assert!(output.contains("another process uses it"), "{output}");
}

#[tokio::test]
async fn a_receiver_that_comes_up_later_is_told_everything() {
    let folder = Folder::new();
    // A port that refuses connections until the receiver takes it.
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let emulator = Program::start(
        &folder.0.join("payments.jsonl"),
        &format!("http://{closed}/hooks"),
    );
    let new = new_payment(1000);
    vipps(&emulator.url, Limits::default())
        .create(&new)
        .await
        .unwrap();
    assert_eq!(
        inspect(&emulator.url, &new.reference).await["webhooks_pending"],
        1
    );
    let receiver = in_time(Receiver::start_at(closed, "/hooks")).await;
    assert_eq!(receiver.names(&new.reference, 1).await, [Created]);
}

/// SIGTERM, and a clean end.
fn stop(mut emulator: Program) {
    let pid = Pid::from_raw(i32::try_from(emulator.child.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(emulator.child.wait().unwrap().success());
}

fn fails_to_start(data_file: &std::path::Path) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_payment-emulator"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--vipps-client-id",
            "a",
            "--vipps-client-secret",
            "b",
        ])
        .args(["--vipps-subscription-key", "c", "--vipps-msn", "1", "--data-file"])
        .arg(data_file)
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}
