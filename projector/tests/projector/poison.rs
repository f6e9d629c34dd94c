//! Events that can't be applied stop their own aggregate and nothing else.

use event_store::NewEvent;
use uuid::Uuid;

use crate::shop;
use crate::world::World;

fn future(aggregate_id: Uuid, sequence: u64) -> NewEvent {
    let payload = serde_json::value::to_raw_value(&serde_json::json!({"secret": "Kari"})).unwrap();
    NewEvent {
        aggregate_type: "license_type".into(),
        aggregate_id,
        sequence,
        event_type: "LicenseTypeReimagined".into(),
        event_version: "9".into(),
        payload,
    }
}

async fn parked(world: &World) -> Vec<(i64, Uuid, String)> {
    let client = world.read.get().await.unwrap();
    let rows = client
        .query(
            "select position, aggregate_id, reason from parked_events order by position",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

#[tokio::test]
async fn an_unknown_event_parks_its_aggregate_and_everything_else_flows() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    let (sick, healthy) = (Uuid::now_v7(), Uuid::now_v7());
    world
        .append([
            shop::license_type(sick, "sick"),
            shop::license_type(healthy, "healthy"),
        ])
        .await;
    let first = world.append([vec![future(sick, 3)]]).await;
    let second = world.append([vec![shop::price(sick, 4, 1_000)]]).await;
    world.append([vec![shop::price(healthy, 3, 2_000)]]).await;
    // In another batch, so that the wait is found in the table.
    world.projected_to(second.next()).await;
    let third = world.append([vec![shop::price(sick, 5, 3_000)]]).await;
    let last = world.append(shop::purchase(1)).await;
    world.projected_to(last).await;

    let behind = format!("waits behind position {first}");
    assert_eq!(
        parked(&world).await,
        [
            (
                first.to_sql(),
                sick,
                "unknown event LicenseTypeReimagined version 9: this build does not know it".to_owned()
            ),
            (second.to_sql(), sick, behind.clone()),
            (third.to_sql(), sick, behind),
        ]
    );
    // The row stands as it was before the event that could not be applied.
    assert_eq!(
        world
            .count("select version from license_types where code = 'sick'")
            .await,
        2
    );
    assert_eq!(
        world
            .count("select version from license_types where code = 'healthy'")
            .await,
        3
    );
    assert_eq!(world.count("select count(*) from licenses").await, 2);
    assert!(running.health.readiness().is_ready());
    running.stop().await;
    world.assert_equals_replay().await;
}

/// Of an aggregate that no row is made of, whatever its events are called.
#[tokio::test]
async fn events_of_aggregates_that_are_not_read_are_skipped_by_all_who_apply() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    let voucher = Uuid::now_v7();
    let foreign = |sequence, event_type: &'static str| NewEvent {
        aggregate_type: "voucher".into(),
        event_type: event_type.into(),
        ..future(voucher, sequence)
    };
    world
        .append([
            vec![foreign(1, "VoucherIssued")],
            // A name that orders have, too.
            vec![foreign(2, "OrderPlaced")],
            shop::license_type(Uuid::now_v7(), "healthy"),
        ])
        .await;
    let last = world.append(shop::purchase(1)).await;
    world.projected_to(last).await;
    assert_eq!(parked(&world).await, []);
    let only_foreign = world.append([vec![foreign(3, "VoucherUsed")]]).await;
    world.projected_to(only_foreign).await;
    let said = world.command(&["verify", "--json"]).await.well();
    assert_eq!(said["parked"], 0);
    let rebuilt = world.command(&["rebuild", "licensing", "--json"]).await.well();
    assert_eq!(rebuilt["compared"]["parked_events"]["rows"], 0);
    running.stop().await;
    world.assert_equals_replay().await;
}

/// Two types with one code: the second breaks a unique index, in a statement that writes healthy rows too.
#[tokio::test]
async fn a_row_that_the_database_refuses_is_found_among_its_neighbours() {
    let world = World::shared().await;
    let (first, second, third) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    world
        .append([
            shop::license_type(first, "same"),
            shop::license_type(second, "same"),
        ])
        .await;
    world.append([shop::license_type(third, "other")]).await;
    let last = world.append((0..3).flat_map(shop::purchase)).await;
    // Started only now, so that all of it is one batch.
    let running = world.projector().await;
    world.projected_to(last).await;

    assert_eq!(
        parked(&world).await,
        [
            (
                3,
                second,
                "the database refused its row: SQLSTATE 23505 license_types license_types_code_key"
                    .to_owned()
            ),
            (4, second, "waits behind position 3".to_owned()),
        ]
    );
    assert_eq!(world.count("select count(*) from license_types").await, 2);
    assert_eq!(
        world
            .count("select count(*) from orders where status = 'fulfilled'")
            .await,
        3
    );
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn an_event_whose_first_one_is_missing_is_parked_not_skipped() {
    let world = World::shared().await;
    let broken = NewEvent {
        payload: serde_json::value::to_raw_value(&7).unwrap(),
        ..shop::club("NMK").remove(0)
    };
    let club = broken.aggregate_id;
    let last = world.append([vec![broken], shop::club("NMK Bodø")]).await;
    let running = world.projector().await;
    world.projected_to(last).await;
    let parked = parked(&world).await;
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].0, parked[0].1), (1, club));
    assert!(
        parked[0].2.starts_with("malformed payload of ClubRegistered"),
        "{}",
        parked[0].2
    );
    assert_eq!(world.count("select count(*) from clubs").await, 1);
    running.stop().await;
}

/// The log keeps JSON as text; so must what sets it aside, whatever a writer other than ours put there.
#[tokio::test]
async fn an_event_that_no_jsonb_could_hold_is_parked_like_any_other() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    let sick = Uuid::now_v7();
    let before = world.append([shop::license_type(sick, "sick")]).await;
    let foreign = format!(
        r#"select append_batch(array['foreign'], array['nul'], array['x'::bytea], array['{{}}'], array[1], array[1],
               array['license_type'], array['{sick}'::uuid], array[3::bigint], array['LicenseTypePriceSet'], array['1'],
               array['{{"price_ore": "K\u0000"}}'], array['{{}}'],
               null, null, null, null, null, null, null, null, null, null, null, null)"#
    );
    world.as_events_owner(&foreign).await;
    let last = world.append(shop::purchase(1)).await;
    world.projected_to(last).await;
    let parked = parked(&world).await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!((parked[0].0, parked[0].1), (before.next().to_sql(), sick));
    let event = "select count(*) from parked_events where event like '%\\u0000%'";
    assert_eq!(world.count(event).await, 1, "as it was recorded");
    running.stop().await;
}

/// Each of these once made an answer fail that looked at its row, or a rebuild that had made its index.
#[tokio::test]
async fn what_no_row_or_answer_can_hold_is_parked_alike_live_and_in_a_replay() {
    let world = World::shared().await;
    let (early, far) = (Uuid::now_v7(), Uuid::now_v7());
    let price = |id, sequence, valid_from| vec![shop::price_from(id, sequence, 45_000, valid_from)];
    world
        .append([
            shop::license_type(early, "early"),
            price(early, 3, "1899-12-31T23:59:59Z"),
            shop::license_type(far, "far"),
            price(far, 3, "+20266-01-01T00:00:00Z"),
            price(far, 4, "2026-06-01T00:00:00.123456789Z"),
            // Repeated so that it is small where it is compressed, and large where an index entry is made of it.
            shop::club(&"NMK ".repeat(2_000)),
            shop::club("NMK Bodø"),
        ])
        .await;
    // Ours writes no such text.
    let foreign = format!(
        r#"select append_batch(array['foreign'], array['nul'], array['x'::bytea], array['{{}}'], array[1], array[1], array['club'],
               array['{}'::uuid], array[1::bigint], array['ClubRegistered'], array['1'],
               array['{{"name": "NMK\u0000Bodø"}}'], array['{{}}'],
               null, null, null, null, null, null, null, null, null, null, null, null)"#,
        Uuid::now_v7()
    );
    world.as_events_owner(&foreign).await;
    // Enough for rows to be copied, which takes what an upsert refuses.
    let last = world.append((0..40).flat_map(shop::purchase)).await;
    let running = world.projector().await;
    world.projected_to(last).await;
    let reasons: Vec<String> = parked(&world)
        .await
        .into_iter()
        .map(|(.., reason)| reason)
        .collect();
    assert_eq!(
        reasons,
        [
            "valid_from is out of range",
            "name is too long",
            "a text holds U+0000"
        ]
    );
    let far = "select count(*) from license_types where code = 'far' and version = 4 and jsonb_array_length(prices) = 3
               and prices_ore = '{42000,45000}' and prices_valid_from[2] = '2026-06-01T00:00:00.123456Z'";
    assert_eq!(
        world.count(far).await,
        1,
        "what never comes into force stops nothing"
    );
    assert_eq!(world.count("select count(*) from clubs").await, 1);
    assert_eq!(
        world
            .count("select count(*) from orders where status = 'fulfilled'")
            .await,
        40
    );
    running.stop().await;
    world.assert_equals_replay().await;
}
