//! A rebuild that is in the way of another, is ended early, or is overtaken by a restored log.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::Child;

use super::{ended, live_table, rebuild, schemas, shop_with_history};
use crate::world::{World, eventually};

/// A rebuild that waits in the middle of its work.
async fn stuck(world: &World) -> (Child, tokio_postgres::Client) {
    let (owner, connection) = tokio_postgres::connect(&world.databases.events_owner, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    owner
        .batch_execute("begin; lock table events in access exclusive mode")
        .await
        .unwrap();
    let child = world.start(&["rebuild", "licensing", "--json"]);
    eventually("it waits for events", async || {
        let there = "select count(*) from pg_class where relnamespace = to_regnamespace('licensing_rebuild') and relname = 'orders'";
        (world.count(there).await == 1).then_some(()).ok_or_else(|| "not yet".into())
    })
    .await;
    (child, owner)
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    kill(pid, signal).unwrap();
}

#[tokio::test]
async fn one_at_a_time_and_one_that_ends_early_leaves_the_live_rows_as_they_were() {
    let (world, running) = shop_with_history(3).await;
    let (rows, table) = (world.digest().await, live_table(&world).await);
    let status = async || world.command(&["status", "--json"]).await.json()["rebuild"].clone();
    assert_eq!(
        status().await,
        json!({"running": false, "interrupted": false, "kept_position": null})
    );

    let (child, events) = stuck(&world).await;
    rebuild(&world, &[])
        .await
        .unwell("another rebuild of this projection is under way");
    send(&child, Signal::SIGTERM);
    let said = ended(child).await.ended(2);
    assert_eq!(
        said["unknown"],
        json!(["interrupted: the live rows are as they were"])
    );
    assert_eq!(schemas(&world).await, "", "it tidied up");
    drop(events);

    let (child, events) = stuck(&world).await;
    send(&child, Signal::SIGKILL);
    assert_eq!(ended(child).await.code, -1);
    drop(events);
    assert_eq!((world.digest().await, live_table(&world).await), (rows, table));
    eventually("its session ended", async || {
        let status = status().await;
        let expected = json!({"running": false, "interrupted": true, "kept_position": null});
        (status == expected)
            .then_some(())
            .ok_or_else(|| status.to_string())
    })
    .await;
    // The next one begins afresh.
    rebuild(&world, &[]).await.well();
    assert_eq!(schemas(&world).await, "licensing_previous");
    assert!(status().await["kept_position"].is_u64());
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn another_epoch_of_the_log_is_noticed() {
    let (world, running) = shop_with_history(3).await;
    running.stop().await;
    let rows = world.digest().await;
    let (child, events) = stuck(&world).await;
    events
        .batch_execute("update log_head set epoch = gen_random_uuid(); commit")
        .await
        .unwrap();
    let said = ended(child).await.ended(2);
    let reason = said["unknown"][0].as_str().unwrap();
    assert!(reason.starts_with("the log is in epoch "), "{reason}");
    assert_eq!(
        (world.digest().await, schemas(&world).await),
        (rows, String::new())
    );

    // Rows of an earlier epoch are replaced: there is nothing to compare with, and no way back to them.
    let said = rebuild(&world, &[]).await.well();
    assert_eq!(said["compared"], Value::Null);
    world.assert_equals_replay().await;
    rebuild(&world, &["--rollback"])
        .await
        .unwell("the kept rows are of another epoch of the log");
}
