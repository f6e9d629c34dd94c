//! Personal data: events in clear and sealed ones in one log, before and after a person is forgotten.

use std::path::PathBuf;
use std::sync::Arc;

use event_store::vault::{HeldKeys, Vault, with_new_master_key};
use event_store::{Append, Appender, AppenderOptions, IdempotencyKey, NewEvent};
use events::{LicenseEvent, LicenseHolderErased, OrderEvent, OrderHolderErased, aggregate_type};
use uuid::Uuid;

use crate::shop;
use crate::world::{World, pool};

/// A world whose log has a vault, beside the appender without one that every world has.
struct Sealed {
    world: World,
    appender: Appender,
    file: PathBuf,
}

impl Sealed {
    async fn new() -> Self {
        let file = std::env::temp_dir().join(format!("master-{}", Uuid::now_v7()));
        std::fs::write(&file, with_new_master_key("test", "").unwrap()).unwrap();
        let vault = Arc::new(Vault::new(&file).unwrap());
        let mut world = World::shared().await;
        vault.begin(&pool(&world.databases.events_owner)).await.unwrap();
        world.log = world.log.clone().with_vault(Arc::clone(&vault));
        let (appender, _) =
            Appender::start(&world.databases.events_owner, AppenderOptions::default()).unwrap();
        Self {
            appender: appender.with_vault(vault),
            world,
            file,
        }
    }

    async fn append(&self, commands: Vec<Vec<NewEvent>>) -> envelope::Position {
        let mut last = envelope::Position::START;
        for events in commands {
            let append = Append {
                events,
                ..Append::new(IdempotencyKey::unique())
            };
            last = self.appender.append(append).await.unwrap().position;
        }
        last
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The order and the licenses of a purchase.
fn of(purchase: &[Vec<NewEvent>]) -> (Uuid, Vec<Uuid>) {
    let events = || purchase.iter().flatten();
    let licenses = events().filter(|event| event.aggregate_type == aggregate_type::LICENSE);
    let order = events().find(|event| event.aggregate_type == aggregate_type::ORDER);
    (
        order.unwrap().aggregate_id,
        licenses.map(|event| event.aggregate_id).collect(),
    )
}

/// What an erasure of every person in this purchase records.
fn erasure(purchase: &[Vec<NewEvent>]) -> Vec<Vec<NewEvent>> {
    let (order, licenses) = of(purchase);
    let holder_id = Uuid::from_u128(1);
    let of_order = OrderHolderErased {
        holder_id,
        lines: vec![1, 2],
    };
    let mut events = vec![shop::new(
        aggregate_type::ORDER,
        order,
        6,
        &OrderEvent::from(of_order),
    )];
    events.extend(licenses.into_iter().map(|license| {
        let erased = LicenseEvent::from(LicenseHolderErased { holder_id });
        shop::new(aggregate_type::LICENSE, license, 2, &erased)
    }));
    vec![events]
}

#[tokio::test]
async fn rows_of_a_mixed_log_equal_its_replay_before_and_after_an_erasure() {
    let sealed = Sealed::new().await;
    let world = &sealed.world;
    world.relay().await;
    let (running, reports) = (world.projector().await, world.reports_projector().await);
    let purchases: Vec<_> = (1..=4).map(shop::purchase).collect();
    world.append(purchases[0].clone()).await;
    world.append(purchases[1].clone()).await;
    sealed.append(purchases[2].clone()).await;
    let last = sealed.append(purchases[3].clone()).await;
    world.projected_to(last).await;
    let named = "select count(*) from licenses where holder_name like 'Kari Nordmann %'";
    assert_eq!(world.count(named).await, 8);
    world.assert_equals_replay().await;

    // One in clear, and one sealed.
    sealed.append(erasure(&purchases[1])).await;
    let last = sealed.append(erasure(&purchases[3])).await;
    let (order, mut aggregates) = of(&purchases[3]);
    aggregates.push(order);
    let owner = event_store::Log::new(pool(&world.databases.events_owner));
    for aggregate in aggregates.clone() {
        let keys = HeldKeys {
            person: aggregate,
            aggregates: aggregates.clone(),
            through: last,
        };
        owner.destroy_keys(&keys).await.unwrap();
    }
    world.projected_to(last).await;
    for (table, text, count) in [
        ("licenses", "Nordmann 2", 0),
        ("licenses", "Nordmann 4", 0),
        ("orders", "Nordmann 2", 0),
        ("orders", "Nordmann 4", 0),
        ("licenses", "Nordmann 1", 2),
        ("orders", "Nordmann 3", 1),
    ] {
        let found = format!("select count(*) from {table} t where t::text like '%{text}%'");
        assert_eq!(world.count(&found).await, count, "{table}: {text}");
    }
    for lost in ["22222222", "nordmann 4", "ab12345"] {
        let found =
            format!("select count(*) from orders where search like '%{lost}%' and order_number = 'BL-00004'");
        assert_eq!(world.count(&found).await, 0, "{lost}");
    }
    world.assert_equals_replay().await;
    // Who is forgotten is counted as before.
    world.reported_to(last).await;
    world.assert_outline_agrees().await;
    world.assert_reports_equal_replay().await;
    running.stop().await;
    reports.stop().await;
}

#[tokio::test]
async fn what_is_parked_stays_sealed() {
    let sealed = Sealed::new().await;
    let world = &sealed.world;
    world.relay().await;
    let running = world.projector().await;
    let purchase = shop::purchase(1);
    sealed.append(purchase.clone()).await;
    // The license is issued a second time, which no row takes.
    let mut twice = purchase
        .iter()
        .flatten()
        .find(|event| event.aggregate_type == aggregate_type::LICENSE)
        .unwrap()
        .clone();
    twice.sequence = 2;
    let last = sealed.append(vec![vec![twice]]).await;
    world.projected_to(last).await;
    let parked =
        "select count(*) from parked_events where event like '%$sealed%' and event not like '%Kari%'";
    assert_eq!(world.count(parked).await, 1);
    world.assert_equals_replay().await;
    running.stop().await;
}

#[tokio::test]
async fn a_projector_without_the_master_keys_stops_and_writes_no_blanks() {
    let mut sealed = Sealed::new().await;
    sealed.world.relay().await;
    sealed.append(shop::purchase(1)).await;
    sealed.world.log = event_store::Log::new(pool(&sealed.world.databases.events_reader));
    let running = sealed.world.projector().await;
    crate::world::eventually("the projector says why", async || {
        let health = running.health.readiness();
        let said = format!("{health:?}");
        if said.contains("master keys") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    assert_eq!(sealed.world.projected().await, 0);
    running.stop().await;
}
