//! The rows are equal to a replay, and where they are not, the verification names the row.

use projection::{digest, replay_into};
use service::postgres::PoolOptions;
use stack::Databases;
use uuid::Uuid;

use crate::balances::BALANCES;
use crate::bank::Bank;
use crate::events::{OPENED, WITHDRAWN, event};

#[tokio::test]
async fn live_rows_equal_a_replay_parked_events_included() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    bank.savers(300).await;
    let account = Uuid::now_v7();
    let last = bank
        .append(vec![
            event(account, 1, OPENED, 10),
            event(account, 2, WITHDRAWN, 20),
        ])
        .await;
    bank.publish().await;
    bank.projected_to(&BALANCES, last).await;
    running.stop().await;

    let other = Databases::fresh(bank.servers.postgres().url()).await.unwrap();
    let reached = replay_into(&BALANCES, &other.read_owner, &bank.log)
        .await
        .unwrap();
    assert_eq!(reached, last);
    let options = PoolOptions::default();
    let replayed = projection::pool(&BALANCES, &other.read_owner, &options, "bank replay").unwrap();
    let replayed = digest(&replayed.get().await.unwrap()).await.unwrap();
    let live = digest(&bank.pool(&BALANCES).get().await.unwrap()).await.unwrap();
    assert_eq!(live, replayed);
    assert_eq!((live["balances"].rows, live["parked_events"].rows), (301, 1));
}

#[tokio::test]
async fn a_changed_row_is_named() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    let account = Uuid::now_v7();
    let last = bank.append(vec![event(account, 1, OPENED, 10)]).await;
    bank.publish().await;
    bank.projected_to(&BALANCES, last).await;
    let well = bank.verify(&BALANCES).await.value();
    assert_eq!(well["verdict"], "well", "{well}");

    bank.execute(&BALANCES, "update balances set cents = 11").await;
    let report = bank.verify(&BALANCES).await.value();
    let due = format!("table balances is not what a replay up to 1 gives, in 1 rows: {account} differs");
    assert_eq!(report["problems"], serde_json::json!([due]));
    let left = "select count(*)::text from pg_namespace where nspname = 'balances_verify'";
    assert_eq!(bank.ask(&BALANCES, left).await, "0");
    running.stop().await;
}
