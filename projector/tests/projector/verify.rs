//! `projector verify` names what was changed in the log, the stream and the rows, and reports nothing where nothing was changed.

use serde_json::json;

use crate::command::Said;
use crate::shop;
use crate::world::{Running, World, eventually};

/// A shop with some history, in the log, in the stream and in the rows.
async fn shop_with_history() -> (World, Running) {
    let world = World::shared().await;
    let running = world.projector().await;
    let last = world.append((0..10).flat_map(shop::purchase)).await;
    assert_eq!(world.publish_once().await, last);
    world.projected_to(last).await;
    (world, running)
}

async fn verify(world: &World) -> Said {
    world.command(&["verify", "--json"]).await
}

async fn as_read_owner(world: &World, sql: &str) {
    world.read.get().await.unwrap().batch_execute(sql).await.unwrap();
}

/// The log refuses every change; its owner can still make it.
async fn change_log(world: &World, sql: &str) {
    let sql = format!(
        "begin; alter table events disable trigger events_are_final; {sql};
         alter table events enable trigger events_are_final; commit"
    );
    world.as_events_owner(&sql).await;
}

#[tokio::test]
async fn a_shop_at_work_is_well_and_nothing_is_left_behind() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    // Something parked belongs to a replay as well; here there is nothing, and the status says so.
    let last = world.append((0..20).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    eventually("the stream is there", async || {
        let code = world.command(&["status"]).await.code;
        (code == 0)
            .then_some(())
            .ok_or_else(|| format!("exit status {code}"))
    })
    .await;
    let selling = async {
        for number in 20..120 {
            world.append(shop::purchase(number)).await;
        }
    };
    let (said, ()) = tokio::join!(verify(&world), selling);
    let said = said.well();
    assert!(said["rows_proof"]["rows"]["orders"].as_i64().unwrap() >= 20);
    assert!(said["rows_proof"]["position"].as_u64().unwrap() >= last.get());
    assert_eq!(said["log_proof"]["missing_positions"], 0);
    assert!(said["stream_proof"]["compared"].as_u64().unwrap() >= last.get());

    let text = world.command(&["verify", "--stream-sample", "3"]).await;
    assert_eq!(text.code, 0, "{text:?}");
    assert!(
        text.out.starts_with("projector verify: all is well\n"),
        "{text:?}"
    );
    let left = "select count(*) from pg_namespace where nspname = 'licensing_verify'";
    assert_eq!(world.count(left).await, 0);
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn changed_lost_and_invented_rows_are_found_and_named() {
    let (world, running) = shop_with_history().await;
    verify(&world).await.well();
    as_read_owner(
        &world,
        "update orders set status = 'paid' where order_number = 'BL-00003';
         delete from licenses where order_number = 'BL-00004' and line = 1;
         insert into clubs (club_id, name, created_at, updated_at, version, position)
         values ('00000000-0000-0000-0000-000000000007', 'NMK Ingensteds', now(), now(), 1, 1)",
    )
    .await;
    let said = verify(&world).await;
    let seen = said.unwell("table orders is not what a replay up to 70 gives, in 1 rows: ");
    said.unwell(" differs");
    said.unwell("table licenses is not what a replay up to 70 gives, in 1 rows: ");
    said.unwell(" is missing");
    said.unwell("table clubs is not what a replay up to 70 gives, in 1 rows: 00000000-0000-0000-0000-000000000007 should not be");
    assert_eq!(seen["rows_proof"]["tables_that_differ"], 3);
    assert!(!said.out.contains("Nordmann"), "keys, not what the rows hold");
    running.stop().await;
}

#[tokio::test]
async fn a_lost_event_is_found_in_the_log() {
    let (world, running) = shop_with_history().await;
    change_log(&world, "delete from events where position = 9").await;
    let said = verify(&world).await;
    let seen = said.unwell("the log lacks 1 positions between 1 and 70: 9");
    said.unwell("where 2 is due");
    said.unwell("stream sequence 9: the log is broken");
    said.unwell("the log can't be replayed");
    assert_eq!(seen["log_proof"]["missing_positions"], 1);
    running.stop().await;
}

#[tokio::test]
async fn a_lost_tail_and_an_event_beyond_the_head_are_found() {
    let (world, running) = shop_with_history().await;
    change_log(&world, "delete from events where position > 68").await;
    verify(&world)
        .await
        .unwell("the log lacks 2 positions between 1 and 70: 69, 70");
    change_log(&world, "update log_head set position = 60").await;
    let said = verify(&world).await;
    said.unwell("the log holds position 68, beyond its head 60");
    said.unwell("the stream is at 70, beyond the log's head 60");
    said.unwell("the checkpoint 70 is beyond the log's head 60");
    running.stop().await;
}

#[tokio::test]
async fn an_edited_event_differs_from_the_stream_and_from_the_rows() {
    let (world, running) = shop_with_history().await;
    change_log(
        &world,
        "update events set payload = jsonb_set(payload::jsonb, '{total_ore}', '1') where position = 1",
    )
    .await;
    let said = verify(&world).await;
    said.unwell("stream sequence 1 differs from the log's event at that position");
    said.unwell("table orders is not what a replay up to 70 gives, in 1 rows: ");
    running.stop().await;
}

#[tokio::test]
async fn a_message_that_no_relay_sent_is_found_in_the_stream() {
    let (world, running) = shop_with_history().await;
    let context = event_bus::connect(world.servers.nats().url(), "intruder")
        .await
        .unwrap();
    let subject = format!("{}.order.OrderPaid.0.x", world.stream.subject_prefix);
    context
        .publish(subject, "{}".into())
        .await
        .unwrap()
        .await
        .unwrap();
    verify(&world)
        .await
        .unwell("the stream is at 71, beyond the log's head 70");
    let last = world.append([shop::club("NMK Bodø")]).await;
    world.projected_to(last).await;
    verify(&world)
        .await
        .unwell("stream sequence 71 is of another epoch of the log");
    running.stop().await;
}

#[tokio::test]
async fn only_one_at_a_time_and_what_a_killed_one_left_is_tidied_up() {
    let (world, running) = shop_with_history().await;
    running.stop().await;
    let other = world.read.get().await.unwrap();
    other
        .batch_execute("create schema licensing_verify; select pg_advisory_lock(130178083284601)")
        .await
        .unwrap();
    let said = verify(&world).await.ended(2);
    assert_eq!(said["verdict"], "unknown");
    assert_eq!(
        said["unknown"],
        json!(["another verification of these rows is under way"])
    );
    other
        .batch_execute("select pg_advisory_unlock_all()")
        .await
        .unwrap();
    verify(&world).await.well();
}

#[tokio::test]
async fn rows_of_another_epoch_of_the_log_are_not_compared() {
    let (world, running) = shop_with_history().await;
    running.stop().await;
    world
        .as_events_owner("update log_head set epoch = gen_random_uuid()")
        .await;
    let said = verify(&world).await.unwell("the rows are of epoch");
    assert_eq!(said["unknown"].as_array().unwrap().len(), 1);
    assert_eq!(said["log_proof"]["missing_positions"], 0);
}

#[tokio::test]
async fn without_nats_the_log_and_the_rows_are_proven_all_the_same() {
    let world = World::own().await;
    let running = world.projector().await;
    let last = world.append((0..3).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    running.stop().await;
    world.publish_once().await;
    verify(&world).await.well();
    world.servers.nats().kill().await.unwrap();
    let said = verify(&world).await.unwell("NATS does not answer");
    assert_eq!(said["rows_proof"]["tables_that_differ"], 0);
    assert_eq!(said["log_proof"]["missing_positions"], 0);
}
