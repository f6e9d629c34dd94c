//! Events become rows, over the stream or from the log; what can't be applied is parked and retried.

use projection::parked::{self, Retried};
use uuid::Uuid;

use crate::balances::{BALANCES, Balances};
use crate::bank::{Bank, eventually};
use crate::events::{DEPOSITED, OPENED, WITHDRAWN, event};

const OVERDRAWN: &str = "the database refused its row: SQLSTATE 23514 balances no_overdraft";

#[tokio::test]
async fn rows_follow_the_log_and_readers_are_notified() {
    let bank = Bank::open().await;
    assert_eq!(bank.migrate(&BALANCES).await, 1);
    assert_eq!(bank.migrate(&BALANCES).await, 0, "and again changes nothing");
    let mut notified = bank.listen("balances_projected").await;
    let running = bank.start(BALANCES).await;
    let last = bank.savers(20).await;
    bank.publish().await;
    bank.projected_to(&BALANCES, last).await;
    let position = last.to_string();
    while notified.recv().await.unwrap().split(' ').next() != Some(&position) {}
    let sum = "select sum(cents)::text from balances";
    assert_eq!(bank.ask(&BALANCES, sum).await, (100 * 210 + 20 * 20).to_string());

    // Of another aggregate: skipped, whatever it is.
    let mut other = event(Uuid::now_v7(), 1, "Whatever", 1);
    other.aggregate_type = "branch".into();
    let last = bank.append(vec![other]).await;
    bank.projected_to(&BALANCES, last).await;
    assert!(running.health.readiness().is_ready());
    running.stop().await;
    let status = bank.status(&BALANCES).await;
    assert_eq!(status["checkpoint"]["position"], last.get());
    assert_eq!(status["parked"], 0);
}

#[tokio::test]
async fn an_aggregate_is_parked_and_retried_in_order() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    let (poor, rich, unknown) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let refused = bank
        .append(vec![
            event(poor, 1, OPENED, 10),
            event(rich, 1, OPENED, 1_000),
            event(unknown, 1, "Inherited", 5),
            event(poor, 2, WITHDRAWN, 20),
        ])
        .await;
    bank.projected_to(&BALANCES, refused).await;
    let last = bank
        .append(vec![
            event(rich, 2, DEPOSITED, 1),
            event(poor, 3, DEPOSITED, 30),
            event(unknown, 2, DEPOSITED, 5),
        ])
        .await;
    bank.projected_to(&BALANCES, last).await;
    let balances = "select string_agg(cents::text, ' ' order by cents) from balances";
    assert_eq!(bank.ask(&BALANCES, balances).await, "10 1001");

    let read = bank.pool(&BALANCES);
    let parked = parked::list(&BALANCES, &read).await.unwrap();
    let of = |account| parked.iter().find(|one| one.aggregate_id == account).unwrap();
    assert_eq!((parked.len(), of(poor).events), (2, 2));
    assert_eq!(
        (of(poor).first_position, of(poor).reason.as_str()),
        (refused, OVERDRAWN)
    );
    assert_eq!(
        of(unknown).reason,
        "unknown event Inherited version 1: this build does not know it"
    );
    let status = bank.status(&BALANCES).await;
    assert!(
        status["problems"].to_string().contains("see `bank parked list`"),
        "{status}"
    );

    let stuck = parked::retry(&BALANCES, &read, &bank.log, "account", poor)
        .await
        .unwrap();
    assert!(
        matches!(stuck, Retried::Stuck { applied: 0, at, .. } if at == refused),
        "{stuck:?}"
    );
    bank.execute(&BALANCES, "alter table balances drop constraint no_overdraft")
        .await;
    let released = parked::retry(&BALANCES, &read, &bank.log, "account", poor)
        .await
        .unwrap();
    assert_eq!(released, Retried::Released { events: 2 });
    assert_eq!(bank.ask(&BALANCES, balances).await, "20 1001");
    running.stop().await;
}

#[tokio::test]
async fn another_build_retries_once_what_this_one_parked() {
    let bank = Bank::open().await;
    bank.migrate(&BALANCES).await;
    let running = bank.start(BALANCES).await;
    let account = Uuid::now_v7();
    let last = bank
        .append(vec![
            event(account, 1, OPENED, 10),
            event(account, 2, WITHDRAWN, 20),
        ])
        .await;
    bank.projected_to(&BALANCES, last).await;
    bank.execute(&BALANCES, "alter table balances drop constraint no_overdraft")
        .await;
    let later = Balances { build: "second" };
    assert_eq!(bank.status(&later).await["parked_untried"], 1);
    let end = tokio_util::sync::CancellationToken::new();
    tokio::spawn(parked::retry_untried(
        later,
        bank.pool(&later),
        bank.log.clone(),
        end.clone(),
    ));
    eventually("the second build applied it", async || {
        bank.ask(&BALANCES, "select count(*)::text from parked_events")
            .await
            == "0"
    })
    .await;
    end.cancel();
    running.stop().await;
}
