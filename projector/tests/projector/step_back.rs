//! A log that lost its last events without a new epoch, as a standby that was promoted too early.

use envelope::Position;
use event_store::Log;
use read_model::checkpoint::{CheckpointState, read_state};

use crate::shop;
use crate::world::{Running, World, eventually, pool};

/// What a failover to a standby that lags does to the log.
async fn step_back(world: &World, to: Position) {
    let sql = format!(
        "alter table events disable trigger user;
         delete from events where position > {to};
         alter table events enable trigger user;
         update log_head set position = {to}"
    );
    world.as_events_owner(&sql).await;
}

async fn standing(world: &World) -> CheckpointState {
    let client = world.read.get().await.unwrap();
    read_state(&**client).await.unwrap()
}

async fn refuses(running: &Running, words: &str) {
    eventually("the projector refuses the log", async || {
        let said = serde_json::to_string(&running.health.readiness()).unwrap();
        let refused = said.contains(words) && said.contains("new-epoch");
        refused.then_some(()).ok_or(said)
    })
    .await;
}

/// A shop whose last two purchases were projected from the log before any relay had published them, and then lost.
async fn shop_that_lost_two() -> (World, Running, Position) {
    let world = World::shared().await;
    let kept = world.append((0..5).flat_map(shop::purchase)).await;
    world.publish_once().await;
    let running = world.projector().await;
    let gone = world.append((5..7).flat_map(shop::purchase)).await;
    world.projected_to(gone).await;
    step_back(&world, kept).await;
    (world, running, gone)
}

async fn new_epoch(world: &World) {
    let owner = Log::new(pool(&world.databases.events_owner));
    let ends = owner.head().await.unwrap().epoch;
    let begun = owner.begin_epoch(ends, "a standby was promoted").await.unwrap();
    assert!(begun.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_events_at_the_lost_positions_are_not_passed_over() {
    let (world, running, gone) = shop_that_lost_two().await;
    let before = world.digest().await;
    // More events than were lost: the log is beyond the checkpoint again.
    let head = world.append((10..14).flat_map(shop::purchase)).await;
    assert!(head > gone);
    world.relay().await;
    refuses(&running, "another event at position").await;
    running.stop().await;

    // The next one refuses as well, whatever the stream has now.
    let again = world.projector().await;
    refuses(&again, "another event at position").await;
    assert_eq!(world.digest().await, before, "nothing was applied");
    let now = standing(&world).await;
    assert!(now.stale && now.checkpoint.position == gone.get(), "{now:?}");
    let said = world.command(&["status", "--json"]).await;
    said.unwell("the rows contradict the log: the log holds another event at position");
    said.unwell("answers are marked as stale");
    world
        .command(&["verify", "--json"])
        .await
        .unwell("the rows are at another event");
    world
        .command(&["rebuild", "licensing", "--json"])
        .await
        .unwell("the live rows: the log holds another event");

    new_epoch(&world).await;
    world.projected_to(head).await;
    eventually("the rows are of the new epoch", async || {
        let now = standing(&world).await;
        let same = now.checkpoint.epoch == world.log.head().await.unwrap().epoch && !now.stale;
        same.then_some(()).ok_or_else(|| format!("{now:?}"))
    })
    .await;
    let more = world.append(shop::purchase(20)).await;
    world.projected_to(more).await;
    again.stop().await;
    world.assert_equals_replay().await;
    eventually("everything is well again", async || {
        let said = world.command(&["verify", "--json"]).await;
        (said.code == 0).then_some(()).ok_or(said.out)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_before_the_checkpoint_is_refused_before_other_events_come() {
    let (world, running, gone) = shop_that_lost_two().await;
    refuses(&running, "before position").await;
    assert_eq!(standing(&world).await.checkpoint.position, gone.get());
    new_epoch(&world).await;
    let head = world.log.head().await.unwrap().position;
    world.projected_to(head).await;
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relay_begins_a_new_epoch_by_itself_where_lost_events_were_published() {
    let world = World::shared().await;
    let kept = world.append((0..5).flat_map(shop::purchase)).await;
    let gone = world.append((5..7).flat_map(shop::purchase)).await;
    world.publish_once().await;
    let running = world.projector().await;
    world.projected_to(gone).await;
    step_back(&world, kept).await;
    let head = world.append((10..14).flat_map(shop::purchase)).await;
    world.relay().await;
    eventually("the rows are those of the log", async || {
        let now = standing(&world).await;
        let log = world.log.head().await.unwrap();
        let same = (now.checkpoint.epoch, now.checkpoint.position) == (log.epoch, head.get());
        same.then_some(()).ok_or_else(|| format!("{now:?}"))
    })
    .await;
    assert_eq!(world.log.epochs().await.unwrap().len(), 2);
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn a_checkpoint_of_an_older_build_learns_which_event_it_is_at() {
    let world = World::shared().await;
    let running = world.projector().await;
    let last = world.append(shop::purchase(1)).await;
    world.projected_to(last).await;
    running.stop().await;
    let known = standing(&world).await;
    assert!(known.fingerprint.is_some());
    let client = world.read.get().await.unwrap();
    client
        .batch_execute("update checkpoints set fingerprint = null")
        .await
        .unwrap();
    let running = world.projector().await;
    eventually("it is noted", async || {
        let now = standing(&world).await;
        (now == known).then_some(()).ok_or_else(|| format!("{now:?}"))
    })
    .await;
    running.stop().await;
}

/// A rebuild, or a verification, that reads on while the log steps back compares nothing and swaps nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_way_notices_that_the_log_stepped_back() {
    let world = World::shared().await;
    let kept = world.append((0..10).flat_map(shop::purchase)).await;
    let running = world.projector().await;
    let gone = world.append((10..40).flat_map(shop::purchase)).await;
    world.projected_to(gone).await;
    running.stop().await;
    let before = world.digest().await;
    // It waits for the schema it builds in, after it has looked at log and rows.
    let held = crate::rebuild::hold_migrations(&world).await;
    let child = world.start(&["rebuild", "licensing", "--json"]);
    crate::rebuild::building(&world).await;
    step_back(&world, kept).await;
    world.append((50..90).flat_map(shop::purchase)).await;
    drop(held);
    let said = crate::rebuild::ended(child).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("without a new epoch"), "{said:?}");
    assert_eq!(world.digest().await, before);
}
