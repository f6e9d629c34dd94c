//! Which collections have another version after which events: readers keep copies by these versions.

use std::collections::BTreeMap;

use event_store::NewEvent;
use read_model::collections::{ACTIVITIES, CLUBS, LICENSE_TYPES, SALES};
use uuid::Uuid;

use super::sales::{self, Books, Sale};
use crate::shop;
use crate::world::World;

impl World {
    /// The version of each collection that has one, of both projections.
    async fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        for pool in [&self.read, &self.reports] {
            let client = pool.get().await.unwrap();
            let sql = "select key, value from checkpoints, jsonb_each_text(versions)";
            let rows = client.query(sql, &[]).await.unwrap();
            versions.extend(rows.iter().map(|row| (row.get(0), row.get(1))));
        }
        versions
    }
}

/// What it is, the events of each command, and the collections that it changes.
type Step<'a> = (&'a str, Vec<Vec<NewEvent>>, &'a [&'a str]);

#[tokio::test]
async fn a_collection_has_another_version_when_its_rows_change_and_only_then() {
    let world = World::shared().await;
    world.relay().await;
    let (licensing, reports) = (world.projector().await, world.reports_projector().await);
    let (mut books, mut sale) = (Books::new(2026), Sale::new(1));
    let license_type = Uuid::now_v7();
    let buy = sale.buy();
    let receipt = books.receipt(&sale);
    let checked_in = sale.license(1, sales::checked_in);
    let steps: [Step<'_>; 6] = [
        ("a club", vec![shop::club("NMK Testby")], &[CLUBS.name]),
        (
            "a license type",
            vec![shop::license_type(license_type, "versioned")],
            &[LICENSE_TYPES.name],
        ),
        (
            "a price",
            vec![vec![shop::price(license_type, 3, 1)]],
            &[LICENSE_TYPES.name],
        ),
        ("a purchase", buy, &[ACTIVITIES.name, SALES.name]),
        ("a receipt", vec![receipt], &[SALES.name]),
        ("a check-in", vec![checked_in], &[ACTIVITIES.name]),
    ];
    let mut before = world.versions().await;
    for (what, commands, expected) in steps {
        let at = world.append(commands).await;
        world.projected_to(at).await;
        world.reported_to(at).await;
        let now = world.versions().await;
        let changed: Vec<&str> = now
            .iter()
            .filter(|(name, version)| before.get(*name) != Some(version))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(changed, expected, "{what}");
        before = now;
    }
    licensing.stop().await;
    reports.stop().await;
}
