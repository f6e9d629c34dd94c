//! What readers learn of changed rows: another version in the transaction of the rows, and one notification of it.

use std::collections::BTreeMap;

use envelope::Position;
use projection::RebuildTask;
use projection::parked::{self, Retried};
use tokio::sync::mpsc::UnboundedReceiver;
use uuid::Uuid;

use crate::balances::BALANCES;
use crate::bank::Bank;
use crate::events::{DEPOSITED, OPENED, WITHDRAWN, event};
use crate::rebuild::rebuild;

const VERSION: &str = "select coalesce(versions ->> 'balances', 'none') from checkpoints";
const TABLES: &str = "select tables_id::text from checkpoints";

/// The version that the notification of a position names; nothing if it names none.
async fn notified(payloads: &mut UnboundedReceiver<String>, position: Position) -> Option<String> {
    loop {
        let payload = payloads.recv().await.unwrap();
        let (at, changed) = payload.split_once(' ').unwrap_or((&payload, "{}"));
        let changed: BTreeMap<String, String> = serde_json::from_str(changed).unwrap();
        if at == position.to_string() {
            return changed.get("balances").cloned();
        }
    }
}

#[tokio::test]
async fn rows_that_change_have_another_version_and_others_keep_theirs() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    assert_eq!(
        bank.ask(&BALANCES, "select count(*)::text from checkpoints")
            .await,
        "0"
    );
    let mut payloads = bank.listen("balances_projected").await;
    let running = bank.start(BALANCES).await;
    let account = Uuid::now_v7();
    let mut versions = vec!["none".to_owned()];
    for (sequence, kind) in [(1, OPENED), (2, DEPOSITED), (3, DEPOSITED)] {
        let at = bank.append(vec![event(account, sequence, kind, 10)]).await;
        let version = notified(&mut payloads, at).await.unwrap();
        assert_eq!(bank.ask(&BALANCES, VERSION).await, version);
        assert!(!versions.contains(&version), "{version} again");
        versions.push(version);
    }
    // An event of others, and one that is parked, change no row.
    let mut other = event(Uuid::now_v7(), 1, "Whatever", 1);
    other.aggregate_type = "branch".into();
    for event in [other, event(Uuid::now_v7(), 1, "Inherited", 1)] {
        let at = bank.append(vec![event]).await;
        assert_eq!(notified(&mut payloads, at).await, None);
        assert_eq!(bank.ask(&BALANCES, VERSION).await, versions[3]);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_retry_that_changes_rows_gives_them_another_version() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    let account = Uuid::now_v7();
    // The second is refused with its row, so both are applied one by one.
    let at = bank
        .append(vec![
            event(account, 1, OPENED, 10),
            event(account, 2, WITHDRAWN, 20),
        ])
        .await;
    bank.projected_to(&BALANCES, at).await;
    let before = bank.ask(&BALANCES, VERSION).await;
    assert_ne!(before, "none", "the first event changed a row");
    bank.execute(&BALANCES, "alter table balances drop constraint no_overdraft")
        .await;
    let mut payloads = bank.listen("balances_projected").await;
    let retried = parked::retry(&BALANCES, &bank.pool(&BALANCES), &bank.log, "account", account).await;
    assert_eq!(retried.unwrap(), Retried::Released { events: 1 });
    let version = notified(&mut payloads, at).await.unwrap();
    assert_ne!(version, before);
    assert_eq!(bank.ask(&BALANCES, VERSION).await, version);
    running.stop().await;
}

#[tokio::test]
async fn tables_that_take_the_place_of_others_are_told_apart_and_announced() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    let last = bank.savers(5).await;
    bank.projected_to(&BALANCES, last).await;
    running.stop().await;
    let (tables, version) = (
        bank.ask(&BALANCES, TABLES).await,
        bank.ask(&BALANCES, VERSION).await,
    );
    let mut payloads = bank.listen("balances_projected").await;
    let build = RebuildTask::Build {
        accept_differences: false,
    };
    for (task, same) in [(build, false), (RebuildTask::RollBack, true)] {
        let report = rebuild(&bank, &BALANCES, task).await;
        assert_eq!(report["verdict"], "well", "{report}");
        assert_eq!(payloads.recv().await.unwrap(), "replaced");
        assert_eq!(bank.ask(&BALANCES, TABLES).await == tables, same);
    }
    assert_eq!(bank.ask(&BALANCES, VERSION).await, version);
}
