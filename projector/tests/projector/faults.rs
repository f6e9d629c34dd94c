//! Faults of every kind in the middle of the work.

use std::time::Duration;

use envelope::Position;

use crate::shop;
use crate::world::{Running, World, eventually};

/// Appends purchases while something else happens; gives the last position.
async fn sell(world: &World, purchases: std::ops::Range<u32>) -> Position {
    let mut last = Position::START;
    for number in purchases {
        last = world.append(shop::purchase(number)).await;
    }
    last
}

#[tokio::test]
async fn a_projector_that_dies_again_and_again_loses_and_doubles_nothing() {
    let world = World::shared().await;
    world.relay().await;
    let killing = async {
        for round in 0..12_u64 {
            let running = world.projector().await;
            let before = world.projected().await;
            // Dies at another moment of its work each time: after some progress and then a little later.
            let _ = tokio::time::timeout(
                Duration::from_secs(2),
                eventually("progress", async || {
                    if world.projected().await > before {
                        Ok(())
                    } else {
                        Err(String::new())
                    }
                }),
            )
            .await;
            for _ in 0..50 * round {
                tokio::task::yield_now().await;
            }
            running.task.abort();
            let ended = running.task.await;
            assert!(ended.is_err_and(|error| error.is_cancelled()));
        }
    };
    let (last, ()) = tokio::join!(sell(&world, 0..150), killing);
    let running = world.projector().await;
    world.projected_to(last).await;
    running.stop().await;
    assert_eq!(world.count("select count(*) from licenses").await, 300);
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn two_projectors_at_once_apply_nothing_twice() {
    let world = World::shared().await;
    world.relay().await;
    let (one, two) = (world.projector().await, world.projector().await);
    let last = sell(&world, 0..100).await;
    world.projected_to(last).await;
    // One of them has just seen the other move the checkpoint; that is no reason to stay unready.
    eventually("standing by is healthy", async || {
        let ready = one.health.readiness().is_ready() && two.health.readiness().is_ready();
        ready.then_some(()).ok_or_else(|| "not ready".into())
    })
    .await;
    // The other one continues.
    one.stop().await;
    let last = sell(&world, 100..120).await;
    world.projected_to(last).await;
    two.stop().await;
    assert_eq!(
        world
            .count("select count(*) from orders where status = 'fulfilled'")
            .await,
        120
    );
    world.assert_equals_replay().await;
}

/// Whether the `nats` check, which must never make the projector unready, has something to say.
fn nats_is_degraded(running: &Running) -> Option<bool> {
    let readiness = serde_json::to_value(running.health.readiness()).unwrap();
    let checks = readiness["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "nats").unwrap();
    (check["ok"] == true).then(|| !check["reason"].is_null())
}

#[tokio::test]
async fn a_wiped_nats_loses_and_doubles_nothing() {
    let world = World::own().await;
    world.relay().await;
    let running = world.projector().await;
    let last = sell(&world, 0..40).await;
    world.projected_to(last).await;

    let nats = world.servers.nats();
    nats.kill().await.unwrap();
    std::fs::remove_dir_all(nats.data_dir().unwrap()).unwrap();
    let last = sell(&world, 40..80).await;
    world.projected_to(last).await;
    eventually("it says that it does without", async || {
        if nats_is_degraded(&running) == Some(true) {
            Ok(())
        } else {
            Err("not yet".into())
        }
    })
    .await;
    nats.start().await.unwrap();
    let last = sell(&world, 80..120).await;
    world.projected_to(last).await;
    assert!(
        running.health.readiness().is_ready(),
        "NATS alone never makes it unready"
    );
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn a_killed_postgres_loses_and_doubles_nothing_and_shows_meanwhile() {
    let world = World::own().await;
    world.relay().await;
    let running = world.projector().await;
    // Held back until it dies: so it dies in the middle of a transaction, however fast the projector is.
    let holder = world.read.get().await.unwrap();
    let hold = "begin; lock table checkpoints in access exclusive mode";
    holder.batch_execute(hold).await.unwrap();
    let last = sell(&world, 0..60).await;
    eventually("the projector waits for the lock", async || {
        let waiting =
            "select count(*) from pg_locks where not granted and relation = 'checkpoints'::regclass";
        match world.count(waiting).await {
            0 => Err("no session waits".into()),
            _ => Ok(()),
        }
    })
    .await;
    let postgres = world.servers.postgres();
    postgres.kill().await.unwrap();
    drop(holder);
    eventually("readiness says so", async || {
        if running.health.readiness().is_ready() {
            Err("still ready".into())
        } else {
            Ok(())
        }
    })
    .await;
    postgres.start().await.unwrap();
    world.projected_to(last).await;
    eventually("readiness recovers", async || {
        if running.health.readiness().is_ready() {
            Ok(())
        } else {
            Err("not ready".into())
        }
    })
    .await;
    let last = sell(&world, 60..80).await;
    world.projected_to(last).await;
    running.stop().await;
    world.assert_equals_replay().await;
}
