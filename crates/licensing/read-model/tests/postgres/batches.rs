//! The results of one batch are read by the index: a page of all in their order, a page of one outcome from that batch alone.

use anyhow::Result;
use query::{Conditions, Edge, PagePosition, PageQuery, Parameters, SortValue, page};
use read_model::BATCH_ITEMS;
use uuid::Uuid;

use crate::support::Database;

/// Batches with a thousand items each, one of a hundred failed. Few enough that `analyze` reads every row.
const ITEMS: &str = "insert into batch_items (item_id, batch_id, n, outcome, fields, version, position)
    select md5(batch || '-' || n)::uuid, md5('batch' || batch)::uuid, n,
           case when n % 100 = 0 then 'failed' else 'succeeded' end, '[]', 2, batch
    from generate_series(1, 25) as batch, generate_series(1, 1000) as n";

#[tokio::test]
async fn a_page_of_results_is_read_by_the_index() -> Result<()> {
    let database = Database::migrated().await?;
    let client = &database.client;
    client.batch_execute(ITEMS).await?;
    client.batch_execute("vacuum analyze batch_items").await?;
    let batch_id: Uuid = client.query_one("select md5('batch7')::uuid", &[]).await?.get(0);
    let page_of = |asked: &str, after: Option<i64>| {
        let asked = format!("batch_id={batch_id}{asked}");
        let selection = Parameters::of(&asked).select(&BATCH_ITEMS).unwrap();
        let edge = after.map(|n| {
            Edge::after(PagePosition {
                sort: SortValue::Integer(n),
                id: Uuid::max(),
            })
        });
        PageQuery {
            edge,
            ..PageQuery::first(&BATCH_ITEMS, selection.within(Conditions::default()), 50)
        }
    };
    for (asked, after, first, rows) in [
        ("", None, 1, 50),
        ("", Some(900), 901, 50),
        ("", Some(990), 991, 10),
        ("&outcome=failed", None, 100, 10),
        ("&outcome=failed", Some(500), 600, 5),
        ("&outcome=succeeded", Some(99), 101, 50),
    ] {
        let plan = page::explain(client, &page_of(asked, after)).await?;
        assert!(
            plan.contains("batch_items_by_number"),
            "{asked} {after:?}:\n{plan}"
        );
        assert!(
            !plan.contains("Seq Scan on batch_items"),
            "{asked} {after:?}:\n{plan}"
        );
        if asked.is_empty() {
            // The few rows of the page are sorted once more; what is below its limit is not.
            let (_, read) = plan.split_once("Limit").expect("a page");
            for wrong in ["Sort", "Rows Removed"] {
                assert!(!read.contains(wrong), "{wrong} for {after:?}:\n{plan}");
            }
        }
        let page = page::read(client, page_of(asked, after)).await?;
        assert_eq!(page.rows.len(), rows, "{asked} {after:?}");
        assert_eq!(page.rows[0].get("n"), Some(first.into()), "{asked} {after:?}");
    }
    Ok(())
}
