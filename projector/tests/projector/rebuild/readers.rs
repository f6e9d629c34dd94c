//! Who reads and sells meanwhile notices nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use read_model::{ORDERS, PageQuery, Scope, page};

use super::{ended, live_table, rebuild, schemas, shop_with_history};
use crate::shop;
use crate::world::{World, eventually, pool};

/// Reads as query-api does, with its role, for as long as it is let; fails at the first error or empty table.
struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<(u64, u64)>>,
}

impl Readers {
    fn start(world: &World, at_least: i64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let readers = pool(&world.databases.read_reader);
        let tasks = (0..3)
            .map(|_| tokio::spawn(read(readers.clone(), Arc::clone(&stop), at_least)))
            .collect();
        Self { stop, tasks }
    }

    /// How many reads there were, and how often the rows went back for a reader, at most.
    async fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut reads, mut back) = (0, 0);
        for task in self.tasks {
            let (read, went_back) = task.await.unwrap();
            reads += read;
            back = back.max(went_back);
        }
        (reads, back)
    }
}

async fn read(readers: deadpool_postgres::Pool, stop: Arc<AtomicBool>, at_least: i64) -> (u64, u64) {
    let (mut reads, mut went_back, mut position) = (0, 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let client = readers.get().await.unwrap();
        let query = PageQuery {
            count: true,
            ..PageQuery::first(&ORDERS, Scope::Everything.of_orders(), 20)
        };
        let page = page::read(&**client, query).await.unwrap();
        assert!(page.total.unwrap().rows >= at_least, "{:?}", page.total);
        assert!(!page.rows.is_empty() && page.checkpoint.position > 0);
        went_back += u64::from(page.checkpoint.position < position);
        position = page.checkpoint.position;
        // Statements that outlive the tables they were prepared for.
        let all = client.prepare_cached("select * from orders").await.unwrap();
        let rows = client.query(&all, &[]).await.unwrap();
        assert!(i64::try_from(rows.len()).unwrap() >= at_least);
        let one = "select l.license_id, o.status, c.position from checkpoints c, orders o join licenses l using (order_id) limit 1";
        let one = client.prepare_cached(one).await.unwrap();
        assert_eq!(client.query(&one, &[]).await.unwrap().len(), 1);
        reads += 3;
    }
    (reads, went_back)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_at_work_is_rebuilt_rolled_back_and_rebuilt_while_everything_goes_on() {
    let (world, running) = shop_with_history(60).await;
    let readers = Readers::start(&world, 60);
    let stop = AtomicBool::new(false);
    let sold = AtomicU64::new(60);
    let selling = async {
        while !stop.load(Ordering::Relaxed) {
            let number = u32::try_from(sold.fetch_add(1, Ordering::Relaxed)).unwrap();
            world.append(shop::purchase(number)).await;
        }
    };
    let rebuilding = async {
        let first = live_table(&world).await;
        let said = rebuild(&world, &[]).await.well();
        assert_eq!(said["swapped"], true);
        assert_eq!(said["compared"]["orders"]["same"], true);
        assert!(said["compared"]["orders"]["rows"].as_u64().unwrap() >= 60);
        let second = live_table(&world).await;
        assert_ne!(first, second, "other tables are live");
        assert_eq!(schemas(&world).await, "licensing_previous");
        let at_swap = said["position"].as_u64().unwrap();
        eventually("the projector continues from the new rows", async || {
            let at = world.projected().await;
            (at > at_swap + 20).then_some(()).ok_or_else(|| at.to_string())
        })
        .await;

        let back = rebuild(&world, &["--rollback"]).await.well();
        assert_eq!(back["rolled_back"], true);
        assert!(back["position"].as_u64().unwrap() <= at_swap);
        assert_eq!(live_table(&world).await, first, "the old tables are back");
        assert_eq!(schemas(&world).await, "licensing_previous");

        let again = rebuild(&world, &[]).await.well();
        assert_eq!(again["swapped"], true);
        assert!(again["position"].as_u64().unwrap() > at_swap);
        assert!(![first, second].contains(&live_table(&world).await));
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(selling, rebuilding);
    let (reads, went_back) = readers.stop().await;
    assert!(reads > 100, "the readers read all the time");
    assert!(
        went_back <= 1,
        "only the rollback takes the rows back, not a swap"
    );
    let head = world.log.head().await.unwrap().position;
    world.projected_to(head).await;
    let sold = i64::try_from(sold.load(Ordering::Relaxed)).unwrap();
    assert_eq!(world.digest().await["orders"].rows, sold);
    world.assert_equals_replay().await;
    assert!(!running.task.is_finished(), "the projector was not restarted");
    running.stop().await;

    rebuild(&world, &["--discard"]).await.well();
    assert_eq!(schemas(&world).await, "");
    for what in ["--discard", "--rollback"] {
        rebuild(&world, &[what]).await.unwell("no rows are kept");
    }
}

#[tokio::test]
async fn a_long_reader_is_waited_for_and_others_read_on_meanwhile() {
    let (world, running) = shop_with_history(3).await;
    let mut long = world.read.get().await.unwrap();
    let long = long.transaction().await.unwrap();
    long.query("select * from orders", &[]).await.unwrap();
    let child = world.start(&["rebuild", "licensing", "--json"]);
    let readers = Readers::start(&world, 3);
    eventually("it tried to swap", async || {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database()
            and query like '%access exclusive%' and application_name = 'projector rebuild'";
        (world.count(waiting).await == 1)
            .then_some(())
            .ok_or_else(|| "not yet".into())
    })
    .await;
    // A long reader may hold it up; it does not hold up anything itself.
    let last = world.append(shop::purchase(3)).await;
    world.projected_to(last).await;
    long.commit().await.unwrap();
    ended(child).await.well();
    let (reads, went_back) = readers.stop().await;
    assert!(reads > 0 && went_back == 0);
    running.stop().await;
    world.assert_equals_replay().await;
}
