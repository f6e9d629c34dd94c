//! A batch of the largest size, and the licenses that one gives.

use envelope::Personal;
use event_store::NewEvent;
use events::{
    BatchEvent, BatchItemsDone, BatchKind, BatchSubmitted, ItemField, ItemOutcome, ItemResult, LicenseEvent,
    LicenseGranted, LicenseIssued, aggregate_type,
};
use uuid::Uuid;

use crate::shop;
use crate::world::World;

/// The most items of a batch, and of an event.
const MOST: u32 = 10_000;
const OF_AN_EVENT: u32 = 250;

/// A batch of that many items, of which every tenth fails.
fn batch(batch_id: Uuid, total: u32) -> Vec<Vec<NewEvent>> {
    let submitted = BatchSubmitted {
        kind: BatchKind::RevokeLicense,
        total,
        dry_run: false,
    };
    let firsts = (1..=total).step_by(OF_AN_EVENT as usize);
    let done = firsts.map(|first| {
        let last = total.min(first + OF_AN_EVENT - 1);
        let results = (first..=last).map(result).collect();
        BatchEvent::from(BatchItemsDone { first, results })
    });
    let events = std::iter::once(BatchEvent::from(submitted)).chain(done);
    (1..)
        .zip(events)
        .map(|(sequence, event)| vec![shop::new(aggregate_type::BATCH, batch_id, sequence, &event)])
        .collect()
}

fn result(n: u32) -> ItemResult {
    let failed = n.is_multiple_of(10);
    let field = ItemField {
        pointer: "/reason".into(),
        code: "too_short".into(),
    };
    ItemResult {
        outcome: if failed {
            ItemOutcome::Failed
        } else {
            ItemOutcome::Succeeded
        },
        target: Some(Uuid::from_u128(n.into()).to_string()),
        code: failed.then(|| "validation_failed".into()),
        fields: if failed { vec![field] } else { Vec::new() },
    }
}

#[tokio::test]
async fn each_item_of_the_largest_batch_has_its_row() {
    let world = World::shared().await;
    let running = world.projector().await;
    let (largest, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut commands = batch(largest, MOST);
    // One that still runs, among the events of the first.
    commands.splice(3..3, batch(other, 600).into_iter().take(2));
    let last = world.append(commands).await;
    assert_eq!(world.publish_once().await, last);
    world.projected_to(last).await;

    let items = |of: Uuid, which: &str| {
        format!("select count(distinct n) from batch_items where batch_id = '{of}' and {which}")
    };
    assert_eq!(world.count("select count(*) from batch_items").await, 10_250);
    assert_eq!(
        world.count(&items(largest, "n between 1 and 10000")).await,
        10_000
    );
    assert_eq!(
        world
            .count(&items(largest, "outcome = 'failed' and n % 10 = 0"))
            .await,
        1_000
    );
    assert_eq!(world.count(&items(largest, "outcome = 'failed'")).await, 1_000);
    assert_eq!(world.count(&items(other, "n between 1 and 250")).await, 250);
    let whole = format!(
        "select count(*) from batches where status = 'done' and succeeded = 9000 and failed = 1000
         and finished_at is not null and batch_id = '{largest}'"
    );
    assert_eq!(world.count(&whole).await, 1);
    let running_still = format!(
        "select count(*) from batches where status = 'running' and succeeded = 225 and failed = 25
         and finished_at is null and batch_id = '{other}'"
    );
    assert_eq!(world.count(&running_still).await, 1);

    let said = world.command(&["verify", "--json"]).await.well();
    assert_eq!(said["rows_proof"]["rows"]["batch_items"], 10_250);
    running.stop().await;
    world.assert_equals_replay().await;
}

/// What does not follow is set aside, and changes no row of the batch.
#[tokio::test]
async fn results_that_do_not_follow_are_parked() {
    let world = World::shared().await;
    let running = world.projector().await;
    let batch_id = Uuid::now_v7();
    let mut commands = batch(batch_id, 750);
    let last_third = BatchEvent::from(BatchItemsDone {
        first: 501,
        results: (501..=750).map(result).collect(),
    });
    commands[2] = vec![shop::new(aggregate_type::BATCH, batch_id, 3, &last_third)];
    let last = world.append(commands).await;
    assert_eq!(world.publish_once().await, last);
    world.projected_to(last).await;
    assert_eq!(world.count("select count(*) from batch_items").await, 250);
    let waiting = "select count(*) from parked_events where aggregate_type = 'batch'";
    assert_eq!(
        world.count(waiting).await,
        2,
        "it, and what comes after it in the batch"
    );
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn a_complimentary_license_is_a_row_without_an_order() {
    let world = World::shared().await;
    let running = world.projector().await;
    let (license_id, grant_id) = (Uuid::now_v7(), Uuid::now_v7());
    let license = LicenseIssued {
        customer_id: Uuid::now_v7(),
        price_ore: 0,
        ..shop::issued(grant_id)
    };
    let granted = LicenseEvent::from(LicenseGranted {
        license,
        reason: Personal::new("A prize".into()),
    });
    let last = world
        .append([vec![shop::new(aggregate_type::LICENSE, license_id, 1, &granted)]])
        .await;
    assert_eq!(world.publish_once().await, last);
    world.projected_to(last).await;
    let row = format!(
        "select count(*) from licenses where license_id = '{license_id}' and order_id = '{grant_id}'
         and price_ore = 0 and status = 'issued'"
    );
    assert_eq!(world.count(&row).await, 1);
    assert_eq!(world.count("select count(*) from orders").await, 0);
    let entries = format!("select count(*) from order_timeline where order_id = '{grant_id}'");
    assert_eq!(world.count(&entries).await, 1);
    running.stop().await;
    world.assert_equals_replay().await;
}
