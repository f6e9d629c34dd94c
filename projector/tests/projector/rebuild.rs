//! `projector rebuild`: the rows again, beside the live ones and then in their place, while everything goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use event_store::NewEvent;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use read_model::{ORDERS, OrderFilter, PageQuery, Scope, page};
use serde_json::{Value, json};
use tokio::process::Child;
use uuid::Uuid;

use crate::command::Said;
use crate::shop;
use crate::world::{Running, World, eventually, pool};

/// A shop with some history, and a projector that goes on.
async fn shop_with_history(purchases: u32) -> (World, Running) {
    let world = World::shared().await;
    let running = world.projector().await;
    world
        .append([
            shop::club("NMK Bodø"),
            shop::license_type(Uuid::now_v7(), "banedag-bil"),
        ])
        .await;
    let last = world.append((0..purchases).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    (world, running)
}

async fn rebuild(world: &World, more: &[&str]) -> Said {
    world
        .command(&[&["rebuild", "licensing", "--json"], more].concat())
        .await
}

async fn as_read_owner(world: &World, sql: &str) {
    world.read.get().await.unwrap().batch_execute(sql).await.unwrap();
}

/// The schemas that a rebuild makes, as far as they are there.
async fn schemas(world: &World) -> String {
    let client = world.read.get().await.unwrap();
    client
        .query_one(
            "select coalesce(string_agg(nspname, ' ' order by nspname), '') from pg_namespace where nspname like 'licensing%'",
            &[],
        )
        .await
        .unwrap()
        .get(0)
}

/// Identity of the live table of orders.
async fn live_table(world: &World) -> i64 {
    world.count("select 'public.orders'::regclass::oid::bigint").await
}

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
            resource: &ORDERS,
            columns: ORDERS.columns.iter().collect(),
            conditions: OrderFilter::default().within(&Scope::Everything),
            sort: &ORDERS.sorts[0],
            direction: ORDERS.default_direction,
            after: None,
            limit: 20,
            count: true,
        };
        let page = page::read(&**client, query).await.unwrap();
        assert!(page.total.unwrap() >= at_least, "{:?}", page.total);
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
        eventually("the projector goes on from the new rows", async || {
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
async fn rows_that_differ_are_named_and_swapped_only_when_that_is_accepted() {
    let (world, running) = shop_with_history(40).await;
    as_read_owner(
        &world,
        "update orders set status = 'paid' where order_number in ('BL-00001', 'BL-00002');
         delete from licenses where order_number = 'BL-00003' and line = 1;
         insert into clubs (club_id, name, created_at, updated_at, version, position)
         values ('00000000-0000-0000-0000-000000000007', 'NMK Ingensteds', now(), now(), 1, 1)",
    )
    .await;
    let (wrong, before) = (world.digest().await, live_table(&world).await);
    let said = rebuild(&world, &[]).await;
    let seen = said.unwell("table orders: 2 rows differ, 0 are only rebuilt, 0 are only live, for example ");
    said.unwell("table licenses: 0 rows differ, 1 are only rebuilt, 0 are only live");
    said.unwell("table clubs: 0 rows differ, 0 are only rebuilt, 1 are only live, for example 00000000-0000-0000-0000-000000000007");
    said.unwell("`--accept-differences` swaps all the same");
    assert_eq!(seen["compared"]["license_types"]["same"], true);
    assert_eq!(seen["compared"]["orders"]["rows_that_differ"], 2);
    assert!(!said.out.contains("Nordmann"), "keys, not what the rows hold");
    assert_eq!(world.digest().await, wrong, "nothing was changed");
    assert_eq!(
        (live_table(&world).await, schemas(&world).await),
        (before, String::new())
    );

    rebuild(&world, &["--accept-differences"]).await.well();
    world.assert_equals_replay().await;
    rebuild(&world, &["--rollback"]).await.well();
    assert_eq!(world.digest().await, wrong);
    rebuild(&world, &["--rollback"]).await.well();
    world.assert_equals_replay().await;
    running.stop().await;
}

#[tokio::test]
async fn parked_events_are_parked_in_the_rebuilt_rows_too() {
    // More events than are applied one by one without a search for those that can't be.
    let (world, running) = shop_with_history(200).await;
    let sick = Uuid::now_v7();
    let unknown = NewEvent {
        event_type: "LicenseTypeReimagined",
        event_version: "9",
        ..shop::price(sick, 3, 1_000)
    };
    let refused: u64 = 41;
    let mut events = shop::purchase(900);
    let mut issued: Value = serde_json::from_str(events[3][0].payload.get()).unwrap();
    issued["activity_days"] = json!(refused);
    events[3][0].payload = serde_json::value::to_raw_value(&issued).unwrap();
    world
        .append([shop::license_type(sick, "sick"), vec![unknown]])
        .await;
    world.append([vec![shop::price(sick, 4, 2_000)]]).await;
    let last = world.append(events).await;
    world.projected_to(last).await;
    assert_eq!(world.count("select count(*) from parked_events").await, 3);

    let parked = world.command(&["parked", "list", "--json"]).await.ended(1);
    let said = rebuild(&world, &[]).await.well();
    assert_eq!(
        said["compared"]["parked_events"],
        json!({"rows": 3, "same": true})
    );
    let still = world.command(&["parked", "list", "--json"]).await.ended(1);
    for (was, is) in parked.as_array().unwrap().iter().zip(still.as_array().unwrap()) {
        assert_eq!(
            (&was["aggregate_id"], &was["reason"]),
            (&is["aggregate_id"], &is["reason"])
        );
    }
    // Behind it everything of its aggregate waits on, now as before.
    let last = world.append([vec![shop::price(sick, 5, 3_000)]]).await;
    world.projected_to(last).await;
    assert_eq!(world.count("select count(*) from parked_events").await, 4);
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn aggregates_that_go_on_in_later_windows_are_loaded_again() {
    let (world, running) = shop_with_history(60).await;
    // Every order's events are in several windows now.
    let said = rebuild(&world, &["--window", "3"]).await.well();
    assert_eq!(said["compared"]["orders"], json!({"rows": 60, "same": true}));
    assert_eq!(said["compared"]["licenses"], json!({"rows": 120, "same": true}));
    running.stop().await;
}

/// As if the live tables were of an earlier build: other columns, a table that is gone since, none of today's history.
const OLDER: &str = "alter table orders drop column redirect_url;
    alter table orders add column seller text not null default 'web';
    create table vouchers (voucher_id uuid primary key);
    insert into vouchers values ('00000000-0000-0000-0000-000000000009');
    update refinery_schema_history set version = version - 1, checksum = '1'";

#[tokio::test]
async fn a_read_model_of_another_shape_comes_in_by_the_same_command() {
    let (world, running) = shop_with_history(4).await;
    as_read_owner(&world, OLDER).await;
    // A projector of the present build does not write to them, nor does one that was there before.
    let waiting = world.append(shop::purchase(4)).await;
    eventually("the projector stands still", async || {
        let ready = running.health.readiness().is_ready();
        (!ready).then_some(()).ok_or_else(|| "it is ready".into())
    })
    .await;
    let before = world.projected().await;
    assert!(before < waiting.get());

    let said = rebuild(&world, &[]).await;
    said.unwell("table orders: columns only live: [seller], only rebuilt: [redirect_url]; in the others 0 rows differ");
    said.unwell("table vouchers: only live; 0 rows differ, 0 are only rebuilt, 1 are only live");
    let said = rebuild(&world, &["--accept-differences"]).await.well();
    assert_eq!(said["schema"], read_model::known_schema());
    read_model::check_schema(&world.read).await.unwrap();
    // It goes on by itself.
    world.projected_to(waiting).await;
    world.assert_equals_replay().await;
    let gone =
        "select count(*) from pg_class where relname = 'vouchers' and relnamespace = 'public'::regnamespace";
    assert_eq!(world.count(gone).await, 0);
    // `migrate` finds nothing to do, and the old shape is still there to go back to.
    assert_eq!(read_model::migrate(&world.databases.read_owner).await.unwrap(), 0);
    rebuild(&world, &["--rollback"]).await.well();
    assert_eq!(
        world
            .count("select count(*) from orders where seller = 'web'")
            .await,
        4
    );
    assert!(read_model::check_schema(&world.read).await.is_err());
    running.stop().await;
}

#[tokio::test]
async fn the_roles_keep_their_rights_and_get_no_others() {
    let (world, running) = shop_with_history(2).await;
    as_read_owner(&world, "revoke select on parked_events from query_api").await;
    let rights = async || {
        let client = world.read.get().await.unwrap();
        let rows = client
            .query(
                "select c.relname::text, coalesce(c.relacl, acldefault('r', c.relowner))::text from pg_class c
                 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1",
                &[],
            )
            .await
            .unwrap();
        let rights = rows.iter().map(|row| (row.get(0), row.get(1)));
        rights.collect::<Vec<(String, String)>>()
    };
    let before = rights().await;
    rebuild(&world, &[]).await.well();
    assert_eq!(rights().await, before);
    let reader = pool(&world.databases.read_reader).get().await.unwrap();
    reader.query("select * from licenses", &[]).await.unwrap();
    for refused in [
        "select * from parked_events",
        "select * from licensing_previous.orders",
        "delete from orders",
    ] {
        assert!(reader.query(refused, &[]).await.is_err(), "{refused}");
    }
    rebuild(&world, &["--rollback"]).await.well();
    assert_eq!(rights().await, before);
    running.stop().await;
}

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

async fn ended(child: Child) -> Said {
    let output = child.wait_with_output().await.unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
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

#[tokio::test]
async fn another_life_of_the_log_is_noticed() {
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

    // Rows of an earlier life are replaced: there is nothing to compare with, and no way back to them.
    let said = rebuild(&world, &[]).await.well();
    assert_eq!(said["compared"], Value::Null);
    world.assert_equals_replay().await;
    rebuild(&world, &["--rollback"])
        .await
        .unwell("the kept rows are of another epoch of the log");
}

#[tokio::test]
async fn a_new_read_database_is_filled_and_one_without_tables_is_refused() {
    let world = World::shared().await;
    world.append((0..3).flat_map(shop::purchase)).await;
    let said = rebuild(&world, &[]).await.well();
    assert_eq!((&said["position"], &said["compared"]), (&json!(21), &Value::Null));
    world.assert_equals_replay().await;
    as_read_owner(&world, "drop table checkpoints, orders, licenses, license_types, clubs, parked_events, refinery_schema_history")
        .await;
    rebuild(&world, &[])
        .await
        .unwell("there are no live tables: run `projector migrate`");
    let said = world.command(&["rebuild", "nonsense"]).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("licensing"), "{said:?}");
}
