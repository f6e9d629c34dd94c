//! Rows are rebuilt in a schema of their own, compared, and swapped while the projector runs.

use projection::{Projection, RebuildOptions, RebuildTask, WINDOW};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::balances::BALANCES;
use crate::bank::Bank;
use crate::events::{OPENED, event};

const BUILD: RebuildTask = RebuildTask::Build {
    accept_differences: false,
};

pub(crate) async fn rebuild(bank: &Bank, projection: &impl Projection, task: RebuildTask) -> Value {
    let options = RebuildOptions {
        events_url: bank.databases.events_reader.clone(),
        read_url: bank.databases.read_owner.clone(),
        vault: None,
        window: WINDOW,
        task,
    };
    let end = CancellationToken::new();
    projection::rebuild(projection, &options, &end).await.value()
}

#[tokio::test]
async fn a_rebuild_swaps_equal_rows_while_the_projector_runs() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    let last = bank.savers(100).await;
    bank.projected_to(&BALANCES, last).await;
    let rebuilding = rebuild(&bank, &BALANCES, BUILD);
    let (report, last) = tokio::join!(rebuilding, bank.savers(50));
    assert_eq!(report["verdict"], "well", "{report}");
    assert_eq!(report["compared"]["balances"]["same"], true, "{report}");
    assert_eq!(report["swapped"], true);
    bank.projected_to(&BALANCES, last).await;
    assert!(running.health.readiness().is_ready());
    let kept = "select count(*)::text from balances_previous.balances";
    let rows: usize = bank.ask(&BALANCES, kept).await.parse().unwrap();
    assert!(rows >= 100, "{rows} rows are kept");
    let index = "select count(*)::text from pg_indexes where schemaname = 'balances' and indexname = 'balances_by_cents'";
    assert_eq!(bank.ask(&BALANCES, index).await, "1");
    let verified = bank.verify(&BALANCES).await.value();
    assert_eq!(verified["rows_proof"]["tables_that_differ"], 0, "{verified}");
    running.stop().await;
}

#[tokio::test]
async fn a_difference_is_refused_and_swapped_and_rolled_back_on_request() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    let last = bank.savers(10).await;
    bank.projected_to(&BALANCES, last).await;
    bank.execute(&BALANCES, "update balances set cents = 7 where cents = 120")
        .await;
    let wrong = "select count(*)::text from balances where cents = 7";
    let refused = rebuild(&bank, &BALANCES, BUILD).await;
    assert_eq!(refused["verdict"], "unwell", "{refused}");
    assert!(
        refused["problems"]
            .to_string()
            .contains("table balances: 1 rows differ"),
        "{refused}"
    );
    assert_eq!(bank.ask(&BALANCES, wrong).await, "1");

    let accepted = RebuildTask::Build {
        accept_differences: true,
    };
    assert_eq!(rebuild(&bank, &BALANCES, accepted).await["swapped"], true);
    assert_eq!(bank.ask(&BALANCES, wrong).await, "0");
    let rolled_back = rebuild(&bank, &BALANCES, RebuildTask::RollBack).await;
    assert_eq!(rolled_back["rolled_back"], true, "{rolled_back}");
    assert_eq!(bank.ask(&BALANCES, wrong).await, "1");
    assert_eq!(
        rebuild(&bank, &BALANCES, RebuildTask::Discard).await["discarded"],
        true
    );
    running.stop().await;
}

#[tokio::test]
async fn a_new_epoch_of_the_log_rebuilds_the_rows() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    let last = bank.savers(5).await;
    bank.projected_to(&BALANCES, last).await;
    // A replay does not bring this row back.
    bank.execute(&BALANCES, "insert into balances values (gen_random_uuid(), 7, 1)")
        .await;
    bank.execute_in_log("update log_head set epoch = gen_random_uuid()")
        .await;
    let wrong = "select count(*)::text from balances where cents = 7";
    let renewed = async || bank.ask(&BALANCES, wrong).await == "0";
    crate::bank::eventually("the rows are of the new epoch", renewed).await;
    let last = bank.append(vec![event(Uuid::now_v7(), 1, OPENED, 1)]).await;
    bank.projected_to(&BALANCES, last).await;
    running.stop().await;
}
