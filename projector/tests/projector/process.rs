//! The program itself: what it refuses, and how it ends.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::Databases;
use tokio::process::{Child, Command};

use crate::shop;
use crate::world::World;

fn serve(events: &str, read: &str, nats: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_projector"))
        .arg("serve")
        .args(["--ops-listen", "127.0.0.1:0", "--events-database-url", events])
        .args([
            "--read-database-url",
            read,
            "--nats-url",
            nats,
            "--stream",
            "PROCESS",
            "--subject-prefix",
            "process",
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn output(child: Child) -> (Option<i32>, String) {
    let output = tokio::time::timeout(Duration::from_secs(30), child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn it_refuses_a_schema_that_it_does_not_know() {
    let servers = stack::shared().await.unwrap();
    let databases = Databases::fresh(servers.postgres().url()).await.unwrap();
    let empty = serve(
        &databases.events_reader,
        &databases.read_owner,
        servers.nats().url(),
    );
    assert_eq!(output(empty).await.0, Some(2));
}

#[tokio::test]
async fn it_projects_and_ends_well_when_told_to() {
    let world = World::shared().await;
    let last = world.append(shop::purchase(1)).await;
    let databases = &world.databases;
    let child = serve(
        &databases.events_reader,
        &databases.read_owner,
        world.servers.nats().url(),
    );
    world.projected_to(last).await;
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let (code, log) = output(child).await;
    assert_eq!(code, Some(0), "{log}");
    // The NATS client may have its own last word.
    let stopped = log.lines().rev().take(2).any(|line| line.contains("\"stopped\""));
    assert!(stopped, "{log}");
    assert!(!log.contains("Nordmann"), "no personal data in the log");
}
