//! What the rows hold, and that a replay gives the same.

use envelope::Position;
use event_store::vault::Opened;
use projection::{ApplyError, Checkpoint, ReplayError, apply, checkpoint, replay_into};
use projector::Licensing;
use uuid::Uuid;

use crate::shop;
use crate::world::{World, eventually};

#[tokio::test]
async fn a_shop_becomes_rows() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    let id = Uuid::now_v7();
    world
        .append([shop::club("NMK Bodø"), shop::license_type(id, "banedag-bil")])
        .await;
    world.append([vec![shop::price(id, 3, 45_000)]]).await;
    let last = world.append(shop::purchase(7)).await;
    world.projected_to(last).await;

    let client = world.read.get().await.unwrap();
    let order = client
        .query_one(
            "select status, total_ore, activity_from::text, activity_to::text, lines, search, version, position, paid_at is not null and fulfilled_at is not null and expires_at is null as settled, license_types, payment_reference, cardinality(club_ids) from orders",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        (order.get::<_, &str>(0), order.get::<_, i64>(1)),
        ("fulfilled", 84_000)
    );
    assert_eq!(
        (order.get::<_, &str>(2), order.get::<_, &str>(3)),
        ("2026-06-05", "2026-06-07")
    );
    let lines: serde_json::Value = order.get(4);
    assert_eq!(lines[0]["vehicle"]["registration"], "AB 12345");
    assert_eq!(lines[0]["category"], "track_day");
    assert_eq!(lines[1]["holder"]["guardian"]["name"], "Ola Nordmann");
    assert_eq!(
        order.get::<_, &str>(5),
        " bl00007 kari nordmann 7 4722222222 ab12345 kari nordmann 7 4722222222"
    );
    assert_eq!(
        (order.get::<_, i64>(6), order.get::<_, i64>(7)),
        (5, last.to_sql())
    );
    assert!(order.get::<_, bool>(8));
    assert_eq!(order.get::<_, Vec<String>>(9), ["banedag-bil"]);
    assert_eq!((order.get::<_, &str>(10), order.get::<_, i32>(11)), ("ref-7", 1));

    let licenses = client
        .query("select status, line, activity_days, holder_name, guardian, vehicle, search from licenses order by line", &[])
        .await
        .unwrap();
    assert_eq!(licenses.len(), 2);
    assert_eq!(
        (licenses[0].get::<_, &str>(0), licenses[0].get::<_, i32>(2)),
        ("issued", 1)
    );
    assert_eq!(licenses[1].get::<_, serde_json::Value>(4)["consent"], true);
    assert_eq!(
        licenses[0].get::<_, &str>(6),
        " bl00007 kari nordmann 7 4722222222 ab12345"
    );

    let prices: serde_json::Value = client
        .query_one("select prices from license_types", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(
        (&prices[0]["price_ore"], &prices[1]["price_ore"]),
        (&42_000.into(), &45_000.into())
    );
    let typed = "select count(*) from license_types where prices_ore = '{42000,45000}' and search = ' banedag-bil banedag track day'";
    assert_eq!(world.count(typed).await, 1);
    assert_eq!(
        world
            .count("select count(*) from clubs where name = 'NMK Bodø'")
            .await,
        1
    );

    assert!(running.health.readiness().is_ready());
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn the_same_events_again_change_nothing() {
    let world = World::shared().await;
    world.append((0..20).flat_map(shop::purchase)).await;
    let head = world.log.head().await.unwrap();
    let events = world.log.read_after(Position::START, 1_000).await.unwrap();
    let events = Opened::as_recorded(events);
    let start = Checkpoint {
        position: Position::START,
        epoch: head.epoch,
    };
    let client = world.read.get().await.unwrap();
    checkpoint::start(&client, &Licensing, head.epoch).await.unwrap();
    let reached = apply(&Licensing, &world.read, start, &events).await.unwrap();
    assert_eq!(reached.position, head.position);
    let once = world.digest().await;
    assert_eq!(once["orders"].rows, 20);

    let again = apply(&Licensing, &world.read, start, &events).await.unwrap_err();
    assert!(matches!(again, ApplyError::NotOwner), "{again}");
    // Even if the checkpoint is set back by hand, each row knows the position of its last event.
    client
        .execute("update checkpoints set position = 0", &[])
        .await
        .unwrap();
    apply(&Licensing, &world.read, start, &events).await.unwrap();
    assert_eq!(world.digest().await, once);
}

#[tokio::test]
async fn a_new_epoch_of_the_log_starts_the_rows_over() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    let last = world.append((0..5).flat_map(shop::purchase)).await;
    world.projected_to(last).await;
    let client = world.read.get().await.unwrap();
    // What a replay would not bring back.
    client
        .execute("update orders set status = 'paid'", &[])
        .await
        .unwrap();

    let (owner, connection) = tokio_postgres::connect(&world.databases.events_owner, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    owner
        .execute("update log_head set epoch = gen_random_uuid()", &[])
        .await
        .unwrap();
    eventually("the rows started over", async || {
        match world
            .count("select count(*) from orders where status = 'paid'")
            .await
        {
            0 => Ok(()),
            left => Err(format!("{left} old rows")),
        }
    })
    .await;
    world.projected_to(last).await;
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn a_replay_refuses_a_database_that_is_in_use() {
    let world = World::shared().await;
    world.append((0..2).flat_map(shop::purchase)).await;
    replay_into(&Licensing, &world.databases.read_owner, &world.log)
        .await
        .unwrap();
    let again = replay_into(&Licensing, &world.databases.read_owner, &world.log)
        .await
        .unwrap_err();
    assert!(matches!(again, ReplayError::NotEmpty), "{again}");
}
