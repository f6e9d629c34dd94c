//! `projector status` on a system that is well, and on one that is not, for every reason.

use serde_json::json;

use crate::shop;
use crate::world::{World, eventually};

#[tokio::test]
async fn a_healthy_system_is_well_and_says_how_far_everything_is() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    let last = world.append((0..5).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    let epoch = world.log.head().await.unwrap().epoch;
    // Rows may be there before the stream is: they come from the log as well.
    let said = eventually("all is well", async || {
        let said = world.command(&["status", "--json"]).await;
        let there = said.code == 0 && said.json()["stream"]["last"] == last.get();
        there.then_some(said).ok_or_else(|| "not yet".into())
    })
    .await
    .well();
    assert_eq!(said["log"], json!({"head": last, "epoch": epoch}));
    assert_eq!(said["stream"]["first"], 1);
    assert_eq!(said["stream"]["epoch"], epoch.to_string());
    assert_eq!(said["checkpoint"], json!({"position": last, "epoch": epoch}));
    assert_eq!(
        (&said["parked"], &said["schema"]),
        (&json!(0), &json!(read_model::known_schema()))
    );
    for hop in ["lag_publish", "lag_apply", "lag_total"] {
        assert_eq!(said[hop], json!({"positions": 0, "seconds": 0.0}), "{hop}");
    }
    let text = world.command(&["status"]).await;
    assert_eq!(text.code, 0);
    assert!(
        text.out.starts_with("projector status: all is well\n"),
        "{text:?}"
    );
    assert!(
        text.out.contains("0 events, 0.0 s (commit to publish)"),
        "{text:?}"
    );
    assert_eq!(text.err, "");
    running.stop().await;
}

#[tokio::test]
async fn each_hop_that_lags_is_named() {
    let world = World::shared().await;
    // No relay publishes, no projector runs.
    world.append((0..2).flat_map(shop::purchase)).await;
    let said = world.command(&["status", "--json"]).await;
    said.unwell("there is no stream");
    said.unwell("no projector has begun");

    // A projector without a relay: it reads the log, the stream is missing all the same.
    let running = world.projector().await;
    let last = world.append(shop::purchase(2)).await;
    world.projected_to(last).await;
    running.stop().await;
    world
        .command(&["status", "--json"])
        .await
        .unwell("there is no stream");

    // A relay that stopped.
    let relay = world.publish_once().await;
    assert_eq!(relay, last);
    let last = world.append(shop::purchase(3)).await;
    let limited = ["status", "--json", "--max-lag-positions", "3"];
    let said = world.command(&limited).await;
    let behind = said.unwell("commit to publish is 7 events behind, more than 3");
    assert_eq!(behind["lag_publish"]["positions"], 7);
    assert!(behind["lag_publish"]["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(behind["lag_apply"]["positions"], 0);
    assert_eq!(behind["lag_total"]["positions"], 7);
    // Within the limits that are the default.
    world.command(&["status", "--json"]).await.well();
    let impatient = ["status", "--json", "--max-lag-s", "0"];
    world.command(&impatient).await.unwell("s behind, more than 0");

    // A projector that stopped.
    assert_eq!(world.publish_once().await, last);
    let said = world.command(&limited).await;
    let behind = said.unwell("publish to apply is 7 events behind, more than 3");
    assert_eq!(behind["lag_publish"]["positions"], 0);
}

#[tokio::test]
async fn a_projector_that_is_not_ready_says_why() {
    let world = World::shared().await;
    world.relay().await;
    let (serving, port) = world.serve();
    let last = world.append(shop::purchase(1)).await;
    world.projected_to(last).await;
    let url = format!("http://127.0.0.1:{port}/");
    let asking = ["status", "--json", "--projector-ops-url", &url];
    let said = eventually("it is ready", async || {
        let said = world.command(&asking).await;
        let ready = said.code == 0;
        ready.then_some(said).ok_or_else(|| "not yet".into())
    })
    .await
    .well();
    assert_eq!(said["readiness"], "ready");
    assert_eq!(said["gaps"]["refilled"], 0);

    // Something that is not in the events: they wait, and are not set aside.
    let client = world.read.get().await.unwrap();
    let missing = "alter table orders rename column redirect_url to elsewhere";
    client.batch_execute(missing).await.unwrap();
    world.append(shop::purchase(2)).await;
    let said = eventually("it says that it is not", async || {
        let said = world.command(&asking).await;
        let unwell = said.code == 1;
        unwell.then_some(said).ok_or_else(|| "not yet".into())
    })
    .await;
    let said = said.unwell("the projector is not ready: projection: ");
    assert_eq!(said["readiness"], "not_ready");
    assert_eq!(said["parked"], 0);

    drop(serving);
    eventually("the projector does not answer", async || {
        let said = world.command(&asking).await;
        let problems = said.json()["problems"].to_string();
        let silent = problems.contains("the projector does not answer");
        silent.then_some(()).ok_or(problems)
    })
    .await;
}

#[tokio::test]
async fn another_epoch_of_the_log_is_not_well() {
    let world = World::shared().await;
    let running = world.projector().await;
    let last = world.append(shop::purchase(1)).await;
    world.projected_to(last).await;
    running.stop().await;
    world.publish_once().await;
    world.command(&["status", "--json"]).await.well();
    world
        .as_events_owner("update log_head set epoch = gen_random_uuid()")
        .await;
    let said = world.command(&["status", "--json"]).await;
    said.unwell("the stream carries epoch");
    said.unwell("the rows are of epoch");
    let text = world.command(&["status"]).await;
    assert_eq!(text.code, 1);
    assert!(
        text.out
            .starts_with("projector status: NOT WELL\n  ! the stream carries epoch"),
        "{text:?}"
    );
}

#[tokio::test]
async fn a_nats_that_is_down_is_not_well_and_a_postgres_that_is_down_is_not_known() {
    let world = World::own().await;
    let running = world.projector().await;
    let last = world.append(shop::purchase(1)).await;
    world.projected_to(last).await;
    running.stop().await;
    world.publish_once().await;
    world.command(&["status", "--json"]).await.well();

    world.servers.nats().kill().await.unwrap();
    let said = world
        .command(&["status", "--json"])
        .await
        .unwell("NATS does not answer");
    assert_eq!(said["checkpoint"]["position"], last.get());
    assert_eq!(said["stream"], json!(null));

    world.servers.postgres().kill().await.unwrap();
    let said = world.command(&["status", "--json"]).await;
    assert_eq!(said.ended(2)["verdict"], "unknown");
    let text = world.command(&["status"]).await;
    assert!(
        text.out
            .starts_with("projector status: could not be examined\n  ? "),
        "{text:?}"
    );
}

#[tokio::test]
async fn a_schema_that_this_build_does_not_know_is_not_well() {
    let world = World::shared().await;
    let client = world.read.get().await.unwrap();
    client
        .execute("update refinery_schema_history set version = version + 1000", &[])
        .await
        .unwrap();
    world
        .command(&["status", "--json"])
        .await
        .unwell("start a newer build");
}
