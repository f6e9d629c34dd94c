//! Two projections in one database: each has its own tables, checkpoint, parked events, rebuild and verification.

use projection::{RebuildTask, parked};
use uuid::Uuid;

use crate::balances::BALANCES;
use crate::bank::Bank;
use crate::events::{OPENED, WITHDRAWN, event};
use crate::rebuild::rebuild;
use crate::totals::Totals;

const BUILD: RebuildTask = RebuildTask::Build {
    accept_differences: false,
};
/// Identities of all tables of a schema: a swap changes them.
const TABLES: &str = "select string_agg(oid::text, ' ' order by oid) from pg_class where relnamespace = current_schema()::regnamespace";

#[tokio::test]
async fn each_follows_parks_and_verifies_for_itself() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let mut of_balances = bank.listen("balances_projected").await;
    let mut of_totals = bank.listen("totals_projected").await;
    let balances = bank.start(BALANCES).await;
    let last = bank.savers(10).await;
    bank.projected_to(&BALANCES, last).await;
    let position = last.to_string();
    while of_balances.recv().await.unwrap().split(' ').next() != Some(&position) {}
    assert!(of_totals.is_empty(), "totals has not begun");
    // Comes to a database that is in use.
    bank.migrate(&Totals).await;
    let totals = bank.start(Totals).await;
    bank.projected_to(&Totals, last).await;
    while of_totals.recv().await.unwrap() != last.to_string() {}
    assert!(of_balances.is_empty(), "balances has nothing new");

    let account = Uuid::now_v7();
    let last = bank
        .append(vec![
            event(account, 1, OPENED, 10),
            event(account, 2, WITHDRAWN, 20),
        ])
        .await;
    bank.publish().await;
    bank.projected_to(&BALANCES, last).await;
    bank.projected_to(&Totals, last).await;
    let in_balances = parked::list(&BALANCES, &bank.pool(&BALANCES)).await.unwrap();
    let in_totals = parked::list(&Totals, &bank.pool(&Totals)).await.unwrap();
    assert_eq!((in_balances.len(), in_totals.len()), (1, 0));
    let withdrawn = "select events || ' ' || cents from totals where kind = 'Withdrawn'";
    assert_eq!(bank.ask(&Totals, withdrawn).await, "11 320");

    for report in [
        bank.verify(&BALANCES).await.value(),
        bank.verify(&Totals).await.value(),
    ] {
        assert_eq!(report["rows_proof"]["tables_that_differ"], 0, "{report}");
    }
    // What one holds is nothing to the other.
    bank.execute(&Totals, "update totals set cents = 0").await;
    let (balances_report, totals_report) = (
        bank.verify(&BALANCES).await.value(),
        bank.verify(&Totals).await.value(),
    );
    assert_eq!(balances_report["rows_proof"]["tables_that_differ"], 0);
    assert_eq!(totals_report["rows_proof"]["tables_that_differ"], 1);
    balances.stop().await;
    totals.stop().await;
}

#[tokio::test]
async fn a_rebuild_of_one_touches_no_table_of_the_other() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    bank.migrate(&Totals).await;
    let (balances, totals) = (bank.start(BALANCES).await, bank.start(Totals).await);
    let last = bank.savers(200).await;
    bank.projected_to(&BALANCES, last).await;
    bank.projected_to(&Totals, last).await;
    let (of_balances, of_totals) = (bank.ask(&BALANCES, TABLES).await, bank.ask(&Totals, TABLES).await);

    let report = rebuild(&bank, &Totals, BUILD).await;
    assert_eq!(report["swapped"], true, "{report}");
    assert_eq!(report["compared"]["totals"]["same"], true, "{report}");
    assert_eq!(bank.ask(&BALANCES, TABLES).await, of_balances);
    assert_ne!(bank.ask(&Totals, TABLES).await, of_totals);
    // Both at the same time, each under its own lock.
    let (one, other) = tokio::join!(rebuild(&bank, &BALANCES, BUILD), rebuild(&bank, &Totals, BUILD));
    assert_eq!(
        (&one["swapped"], &other["swapped"]),
        (&true.into(), &true.into()),
        "{one} {other}"
    );

    let last = bank.savers(5).await;
    bank.projected_to(&BALANCES, last).await;
    bank.projected_to(&Totals, last).await;
    let kept =
        "select count(*)::text from pg_namespace where nspname in ('balances_previous', 'totals_previous')";
    assert_eq!(bank.ask(&BALANCES, kept).await, "2");
    let discarded = rebuild(&bank, &Totals, RebuildTask::Discard).await;
    assert_eq!(discarded["discarded"], true);
    assert_eq!(bank.ask(&BALANCES, kept).await, "1");
    balances.stop().await;
    totals.stop().await;
}
