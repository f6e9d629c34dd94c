//! The sums of the reports: those of the rows of `licensing`, added up by other statements, and those of a replay.

mod kills;
mod outline;
mod sales;
mod versions;

use envelope::Position;
use event_store::vault::Opened;
use events::{OrderEvent, OrderHolderErased};
use projection::{Checkpoint, apply, checkpoint};
use projector::Reports;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use self::sales::{Books, Sale};
use crate::shop;
use crate::world::{World, eventually};

/// The sums of `reports`, and the same from the rows of `licensing`: no row means that they agree.
const DIFFERENCES: &str = include_str!("reports/sql/differences.sql");

/// The same for the days of the lists.
const OUTLINE_DIFFERENCES: &str = include_str!("reports/sql/outline_differences.sql");

impl World {
    pub(crate) async fn reported_to(&self, position: Position) {
        eventually(&format!("the reports are at {position}"), async || {
            let at = self.count_in_reports("select position from checkpoints").await;
            if at == position.to_sql() {
                Ok(())
            } else {
                Err(format!("they are at {at}"))
            }
        })
        .await;
    }

    /// One value from the schema of the reports; -1 without a row.
    async fn count_in_reports(&self, sql: &str) -> i64 {
        let client = self.reports.get().await.unwrap();
        let row = client.query_opt(sql, &[]).await.unwrap();
        row.map_or(-1, |row| row.get(0))
    }

    /// Holds that the reports agree with the rows of `licensing`.
    async fn assert_reports_agree(&self) {
        self.assert_no_row(DIFFERENCES).await;
        self.assert_outline_agrees().await;
    }

    /// Holds that the days of the lists agree with the rows of `licensing`.
    pub(crate) async fn assert_outline_agrees(&self) {
        self.assert_no_row(OUTLINE_DIFFERENCES).await;
    }

    async fn assert_no_row(&self, differences: &str) {
        let client = self.read.get().await.unwrap();
        let different = client.query(differences, &[]).await.unwrap();
        let different: Vec<String> = different.iter().map(|row| row.get(0)).collect();
        assert!(different.is_empty(), "{different:#?}");
    }
}

#[tokio::test]
async fn sums_agree_with_the_rows_and_with_a_replay_whatever_happens_to_a_sale() {
    let world = World::shared().await;
    world.relay().await;
    let (licensing, reports) = (world.projector().await, world.reports_projector().await);
    let mut books = Books::new(2026);
    let mut sales = Vec::new();
    for number in 0..20 {
        let mut sale = Sale::new(number);
        world.append(sale.buy()).await;
        world.append([books.receipt(&sale)]).await;
        sales.push(sale);
    }
    // A line refunded, a part of another order's line, a license checked in and then revoked, one corrected, one forgotten.
    world.append([books.credit(&sales[0], &[(2, 42_000)])]).await;
    let revoked = sales[0].license(2, sales::revoked);
    world.append([revoked]).await;
    world.append([books.credit(&sales[1], &[(1, 10_001)])]).await;
    let checked_in = sales[2].license(1, sales::checked_in);
    world.append([checked_in]).await;
    let revoked = sales[2].license(1, sales::revoked);
    world.append([revoked]).await;
    world
        .append([books.credit(&sales[2], &[(1, 42_000), (2, 42_000)])])
        .await;
    let corrected = sales[3].license(1, sales::corrected);
    world.append([corrected]).await;
    let forgotten = OrderEvent::from(OrderHolderErased {
        holder_id: Uuid::nil(),
        lines: vec![1],
    });
    world.append([sales[4].event(&forgotten)]).await;
    let last = world.append([sales::granted()]).await;
    world.projected_to(last).await;
    world.reported_to(last).await;

    world.assert_reports_agree().await;
    let all = "select sum(gross_ore)::int8 from sales where dimension = 'all'";
    assert_eq!(world.count_in_reports(all).await, 20 * 84_000);
    let back = "select sum(refunded_ore)::int8 from sales where dimension = 'all'";
    assert_eq!(world.count_in_reports(back).await, 42_000 + 10_001 + 84_000);
    // A credit note for both lines of an order is one credit note.
    let notes = "select sum(credit_notes)::int8 from sales where dimension = 'license_type'";
    assert_eq!(world.count_in_reports(notes).await, 3);
    let orders = "select sum(orders)::int8 from sales where dimension = 'provider' and value = 'vipps'";
    assert_eq!(world.count_in_reports(orders).await, 20);
    licensing.stop().await;
    reports.stop().await;
    world.assert_reports_equal_replay().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn the_same_events_again_add_nothing() {
    let world = World::shared().await;
    let mut books = Books::new(2026);
    for number in 0..5 {
        let mut sale = Sale::new(number);
        world.append(sale.buy()).await;
        world.append([books.receipt(&sale)]).await;
    }
    let head = world.log.head().await.unwrap();
    let events = world.log.read_after(Position::START, 1_000).await.unwrap();
    let events = Opened::as_recorded(events);
    let start = Checkpoint {
        position: Position::START,
        epoch: head.epoch,
    };
    let client = world.reports.get().await.unwrap();
    checkpoint::start(&client, &Reports, head.epoch).await.unwrap();
    apply(&Reports, &world.reports, start, &events).await.unwrap();
    let once = projection::digest(&client).await.unwrap();
    assert_eq!(once["counted_orders"].rows, 5);
    // The checkpoint is set back by hand.
    client
        .execute("update checkpoints set position = 0", &[])
        .await
        .unwrap();
    apply(&Reports, &world.reports, start, &events).await.unwrap();
    assert_eq!(projection::digest(&client).await.unwrap(), once);
}

#[tokio::test]
async fn a_receipt_waits_for_an_order_that_is_parked() {
    let world = World::shared().await;
    world.relay().await;
    let reports = world.reports_projector().await;
    let stop = "alter table counted_orders add constraint test_stop check (provider <> 'vipps') not valid";
    let client = world.reports.get().await.unwrap();
    client.batch_execute(stop).await.unwrap();
    let mut books = Books::new(2026);
    let mut sale = Sale::new(1);
    world.append(sale.buy()).await;
    // Each in a batch of its own.
    let last = world.append([books.receipt(&sale)]).await;
    world.reported_to(last).await;
    let last = world.append([books.credit(&sale, &[(1, 42_000)])]).await;
    world.reported_to(last).await;
    let sums = "select count(*) from sales";
    assert_eq!(world.count_in_reports(sums).await, 0);
    let waiting = "select count(*) from waiting_receipts";
    assert_eq!(world.count_in_reports(waiting).await, 2);

    let mend = "alter table counted_orders drop constraint test_stop";
    client.batch_execute(mend).await.unwrap();
    let retry = world.command(&["parked", "retry", "reports", "--all"]).await;
    assert_eq!(retry.code, 0, "{retry:?}");
    assert_eq!(world.count_in_reports(waiting).await, 0);
    let net = "select sum(gross_ore - refunded_ore)::int8 from sales where dimension = 'club'";
    assert_eq!(world.count_in_reports(net).await, 42_000);
    reports.stop().await;
    world.assert_reports_equal_replay().await;
}

#[tokio::test]
async fn reports_are_verified_rebuilt_and_examined_by_name() {
    let world = World::shared().await;
    world.relay().await;
    let (licensing, reports) = (world.projector().await, world.reports_projector().await);
    let mut books = Books::new(2026);
    let mut sale = Sale::new(1);
    world.append(sale.buy()).await;
    let last = world.append([books.receipt(&sale)]).await;
    world.projected_to(last).await;
    world.reported_to(last).await;
    world.command(&["verify", "--json"]).await.well();
    world.command(&["status", "reports", "--json"]).await.well();
    world.command(&["verify", "reports", "--json"]).await.well();

    let client = world.reports.get().await.unwrap();
    let false_sum = "update sales set gross_ore = gross_ore + 1 where dimension = 'all'";
    client.execute(false_sum, &[]).await.unwrap();
    world
        .command(&["verify", "reports", "--json"])
        .await
        .unwell("sales");
    world.command(&["verify", "licensing", "--json"]).await.well();
    let rebuilt = ["rebuild", "reports", "--accept-differences", "--json"];
    world.command(&rebuilt).await.well();
    world.command(&["verify", "reports", "--json"]).await.well();
    world.assert_reports_agree().await;
    licensing.stop().await;
    reports.stop().await;
}

/// As the read role of query-api, before and after a rebuild.
#[tokio::test]
async fn those_who_read_may_read_and_no_more() {
    let world = World::shared().await;
    world.relay().await;
    let reports = world.reports_projector().await;
    let last = world.append(shop::purchase(1)).await;
    world.reported_to(last).await;
    for _ in 0..2 {
        let reader = crate::world::pool(&world.databases.read_reader)
            .get()
            .await
            .unwrap();
        let read = reader.query("select from reports.activities", &[]).await.unwrap();
        assert_eq!(read.len(), 1);
        let counted = "select sum(row_count)::int8 from reports.outline where dimension = 'all' and sort_key = 'created_at'";
        let counted = reader.query_one(counted, &[]).await.unwrap();
        assert_eq!(counted.get::<_, i64>(0), 3, "an order and its two licenses");
        reader
            .query("select from reports.checkpoints", &[])
            .await
            .unwrap();
        let write = reader
            .execute("delete from reports.sales", &[])
            .await
            .unwrap_err();
        assert_eq!(write.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
        world.command(&["rebuild", "reports", "--json"]).await.well();
    }
    reports.stop().await;
}
