//! A new epoch of the log: its rows are rebuilt while those of the epoch before are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use read_model::checkpoint::read_state;
use read_model::{ORDERS, PageQuery, Scope, page};
use tokio::task::JoinHandle;

use crate::rebuild::{building, hold_migrations, schemas};
use crate::shop;
use crate::world::{World, eventually, pool};

/// What a reader has seen that polls the list of orders.
#[derive(Debug, Default)]
struct Seen {
    reads: u64,
    stale: u64,
    /// Reads that said nothing of it and were of another epoch than the last ones.
    fewest: i64,
}

/// Polls with the role and the statements of query-api, until it is stopped.
fn poll(world: &World, stop: &Arc<AtomicBool>) -> JoinHandle<Seen> {
    let (readers, stop) = (pool(&world.databases.read_reader), Arc::clone(stop));
    tokio::spawn(async move {
        let mut seen = Seen {
            fewest: i64::MAX,
            ..Seen::default()
        };
        while !stop.load(Ordering::Relaxed) {
            let client = readers.get().await.unwrap();
            let query = PageQuery {
                count: true,
                ..PageQuery::first(&ORDERS, Scope::Everything.of_orders(), 20)
            };
            let page = page::read(&**client, query).await.unwrap();
            seen.reads += 1;
            seen.stale += u64::from(page.stale);
            seen.fewest = seen.fewest.min(page.total.unwrap().rows);
        }
        seen
    })
}

async fn begin_epoch(world: &World) {
    world
        .as_events_owner("update log_head set epoch = gen_random_uuid()")
        .await;
}

async fn renewed(world: &World) {
    eventually("the rows are of the log's present epoch", async || {
        let client = world.read.get().await.map_err(|error| error.to_string())?;
        let now = read_state(&**client).await.map_err(|error| error.to_string())?;
        let log = world.log.head().await.map_err(|error| error.to_string())?;
        let same = now.checkpoint.epoch == log.epoch && now.checkpoint.position == log.position.get();
        (same && !now.stale)
            .then_some(())
            .ok_or_else(|| format!("{now:?} {log:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_the_old_rows_until_the_new_ones_are_there() {
    let world = World::shared().await;
    world.relay().await;
    let (serving, _) = world.serve();
    let last = world.append((0..30).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    let stop = Arc::new(AtomicBool::new(false));
    let polling = poll(&world, &stop);

    let held = hold_migrations(&world).await;
    begin_epoch(&world).await;
    building(&world).await;
    let client = world.read.get().await.unwrap();
    assert!(
        read_state(&**client).await.unwrap().stale,
        "said before anything is built"
    );
    assert_eq!(world.count("select count(*) from orders").await, 30);
    // Killed in the middle, while the log begins another epoch.
    let pid = Pid::from_raw(i32::try_from(serving.id().unwrap()).unwrap());
    kill(pid, Signal::SIGKILL).unwrap();
    drop(serving);
    begin_epoch(&world).await;
    world.append((30..33).flat_map(shop::purchase)).await;
    drop(held);

    let (serving, _) = world.serve();
    renewed(&world).await;
    let more = world.append((33..35).flat_map(shop::purchase)).await;
    world.projected_to(more).await;
    stop.store(true, Ordering::Relaxed);
    let seen = polling.await.unwrap();
    assert!(
        seen.fewest >= 30 && seen.stale > 0 && seen.stale < seen.reads,
        "{seen:?}"
    );
    assert_eq!(schemas(&world).await, "", "nothing of the old epoch is left");
    drop(serving);
    world.assert_equals_replay().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_that_begins_while_the_rows_of_another_are_built_is_built_next() {
    let world = World::shared().await;
    let running = world.projector().await;
    let last = world.append((0..10).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    let held = hold_migrations(&world).await;
    begin_epoch(&world).await;
    building(&world).await;
    begin_epoch(&world).await;
    drop(held);
    renewed(&world).await;
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_projectors_one_builds_and_both_go_on() {
    let world = World::shared().await;
    world.relay().await;
    let (one, other) = (world.projector().await, world.projector().await);
    let last = world.append((0..10).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    begin_epoch(&world).await;
    renewed(&world).await;
    let last = world.append((10..15).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    one.stop().await;
    let last = world.append((15..17).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    other.stop().await;
    world.assert_equals_replay().await;
}
