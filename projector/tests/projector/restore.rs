//! The log is restored to an earlier point without a new epoch: the relay notices, and the rows are rebuilt.

use envelope::Position;
use stack::Postgres;

use crate::shop;
use crate::world::{World, eventually};

/// A log with twenty purchases, ten of them before a backup, five more before the point it is restored to.
async fn restored(purchases_since: u32) {
    let postgres = Postgres::temporary(&[("archive_mode", "on")]).await.unwrap();
    let archive = postgres.archive().await.unwrap();
    let world = World::with_log_on(&postgres).await;
    world.relay().await;
    let running = world.projector().await;
    let mut kept = world.append((0..10).flat_map(shop::purchase)).await;
    let backup = postgres.base_backup("backup").await.unwrap();
    if purchases_since > 0 {
        kept = world.append((10..15).flat_map(shop::purchase)).await;
    }
    postgres.restore_point("kept", &archive).await.unwrap();
    let gone = world.append((15..20).flat_map(shop::purchase)).await;
    world.projected_to(gone).await;
    let before = world.log.head().await.unwrap();

    postgres.restore(&backup, &archive, "kept").await.unwrap();
    let mut last = kept;
    if purchases_since > 0 {
        last = world
            .append((20..20 + purchases_since).flat_map(shop::purchase))
            .await;
    }
    let head = eventually("the log begins a new epoch", async || {
        match world.log.head().await {
            Ok(head) if head.epoch != before.epoch => Ok(head),
            Ok(head) => Err(format!("it ends at {}", head.position)),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    assert_eq!(head.position, last);
    let epochs = world.log.epochs().await.unwrap();
    let [_, epoch] = epochs.as_slice() else {
        panic!("{epochs:?}")
    };
    assert!(epoch.reason.contains("was published"), "{}", epoch.reason);
    let more = world.append((90..92).flat_map(shop::purchase)).await;
    assert_eq!(more, Position::new(last.get() + 14));
    world.projected_to(more).await;
    eventually("the rows are of the new epoch", async || {
        let client = world.read.get().await.map_err(|error| error.to_string())?;
        let found = read_model::checkpoint::read(&**client).await;
        match found {
            Ok(found) if found.epoch == head.epoch && found.position == more.get() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    running.stop().await;
    world.assert_equals_replay().await;
    postgres.server().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_what_was_published() {
    restored(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_has_come_further_since_than_what_was_published() {
    restored(15).await;
}
