//! What is rebuilt, compared and swapped: all rows, whatever their state, with their shape and rights.

use event_store::NewEvent;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{as_read_owner, live_table, rebuild, schemas, shop_with_history};
use crate::shop;
use crate::world::{World, eventually, pool};

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
        event_type: "LicenseTypeReimagined".into(),
        event_version: "9".into(),
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
    // The projector continues without a restart.
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
