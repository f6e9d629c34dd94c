//! Commands over several aggregates: all of it or nothing, under one key.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use envelope::{Metadata, Position};
use event_store::{AppendError, AppenderOptions, CommandError, CommandHandler, TakenClaim};
use futures_util::future::{join_all, try_join_all};
use serde_json::json;
use uuid::Uuid;

use crate::contiguous::kill_connections;
use crate::support::{BelowZero, Count, Counter, TestLog, append, distinct_totals, eventually, key, owners};

type Done = Result<event_store::CommandResponse, CommandError<BelowZero>>;

/// Moves `by` from one counter to another.
async fn transfer(command_handler: &CommandHandler, name: &str, from: Uuid, to: Uuid, by: i64) -> Done {
    command_handler
        .together(key(name), Metadata::default(), |unit| async move {
            let (mut from, mut to) = tokio::try_join!(unit.load::<Counter>(from), unit.load::<Counter>(to))?;
            unit.handle(&mut from, Count(-by)).await?;
            unit.handle(&mut to, Count(by)).await?;
            Ok(json!({"left": from.aggregate.total, "versions": [from.version, to.version]}))
        })
        .await
}

async fn count(command_handler: &CommandHandler, name: &str, id: Uuid, by: i64) -> Done {
    command_handler
        .together(key(name), Metadata::default(), |unit| async move {
            let mut counter = unit.load::<Counter>(id).await?;
            unit.handle(&mut counter, Count(by)).await?;
            Ok(json!({}))
        })
        .await
}

async fn totals(command_handler: &CommandHandler, ids: &[Uuid]) -> Vec<i64> {
    let loaded = ids.iter().map(|id| command_handler.load::<Counter>(*id));
    let loaded = try_join_all(loaded).await.unwrap();
    loaded.iter().map(|loaded| loaded.aggregate.total).collect()
}

#[tokio::test]
async fn one_command_changes_a_hundred_aggregates_under_one_key() {
    let test = TestLog::new().await;
    let (command_handler, statement) = (test.command_handler(), Uuid::now_v7());
    count(&command_handler, "statement", statement, 1).await.unwrap();
    let accounts: Vec<Uuid> = (0..100).map(|_| Uuid::now_v7()).collect();
    let issue = async || -> Done {
        let accounts = &accounts;
        command_handler
            .together(key("fulfil"), Metadata::default(), |unit| async move {
                let mut statement = unit.load::<Counter>(statement).await?;
                for account in accounts {
                    let mut account = unit.create::<Counter>(*account);
                    unit.handle(&mut account, Count(7)).await?;
                }
                unit.handle(&mut statement, Count(100)).await?;
                Ok(json!({"issued": accounts.len(), "version": statement.version}))
            })
            .await
    };
    let answer = issue().await.unwrap();
    assert_eq!(answer.body, r#"{"issued":100,"version":2,"position":102}"#);
    let again = issue().await.unwrap();
    assert_eq!((again.replayed, &again.body), (true, &answer.body));
    assert_eq!(totals(&command_handler, &accounts).await, [7; 100]);
    assert_eq!(totals(&command_handler, &[statement]).await, [101]);
    assert_eq!(test.log.head().await.unwrap().position, Position::new(102));
}

#[tokio::test]
async fn a_refusal_of_one_leaves_all_as_they_were_and_a_used_key_knows_better() {
    let test = TestLog::new().await;
    let (command_handler, [a, b]) = (test.command_handler(), [(); 2].map(|()| Uuid::now_v7()));
    count(&command_handler, "a", a, 3).await.unwrap();
    // On another thread, as a request's handler would.
    let first = tokio::spawn({
        let command_handler = command_handler.clone();
        async move { transfer(&command_handler, "3 of 3", a, b, 3).await }
    });
    let first = first.await.unwrap().unwrap();
    let refused = transfer(&command_handler, "1 of 0", a, b, 1).await;
    assert!(
        matches!(refused, Err(CommandError::Refused(BelowZero))),
        "{refused:?}"
    );
    assert_eq!(totals(&command_handler, &[a, b]).await, [0, 3]);
    assert_eq!(test.log.outcome("test", "1 of 0").await.unwrap(), None);
    let again = transfer(&command_handler, "3 of 3", a, b, 3).await.unwrap();
    assert_eq!((again.replayed, again.body), (true, first.body));
}

#[tokio::test]
async fn a_conflict_in_one_does_all_of_it_again() {
    let test = TestLog::new().await;
    let (command_handler, appender) = (test.command_handler(), test.appender(AppenderOptions::default()));
    let [a, b] = [(); 2].map(|()| Uuid::now_v7());
    count(&command_handler, "a", a, 3).await.unwrap();
    let (attempts, appender) = (&AtomicUsize::new(0), &appender);
    let answer = command_handler
        .together::<BelowZero, _>(key("late"), Metadata::default(), |unit| async move {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            let mut a = unit.load::<Counter>(a).await?;
            // New to the first attempt, which does not look.
            let mut b = match attempt {
                0 => unit.create::<Counter>(b),
                _ => unit.load::<Counter>(b).await?,
            };
            if attempt == 0 {
                let meanwhile = append(key("meanwhile"), b.id(), 1);
                appender.append(meanwhile).await.unwrap();
            }
            unit.handle(&mut b, Count(1)).await.unwrap();
            unit.handle(&mut a, Count(-1)).await.unwrap();
            Ok(json!({"b": b.aggregate.total}))
        })
        .await
        .unwrap();
    assert_eq!(answer.body, r#"{"b":2,"position":4}"#);
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
    assert_eq!(totals(&command_handler, &[a, b]).await, [2, 2]);
}

#[tokio::test]
async fn what_keeps_changing_is_given_up_with_its_name_and_version() {
    let test = TestLog::new().await;
    let (command_handler, appender) = (test.command_handler(), test.appender(AppenderOptions::default()));
    let id = Uuid::now_v7();
    let (version, appender) = (&AtomicUsize::new(0), &appender);
    let refused = command_handler
        .together::<BelowZero, _>(key("slow"), Metadata::default(), |unit| async move {
            let mut counter = unit.load::<Counter>(id).await?;
            let next = version.fetch_add(1, Ordering::Relaxed) + 1;
            let faster = append(key(next.to_string()), id, next as u64);
            appender.append(faster).await.unwrap();
            unit.handle(&mut counter, Count(1)).await?;
            Ok(json!({}))
        })
        .await;
    let Err(CommandError::Contended { attempts, last }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(attempts, version.load(Ordering::Relaxed));
    assert_eq!((last.aggregate_id, last.actual), (id, attempts as u64));
    assert_eq!(test.log.outcome("test", "slow").await.unwrap(), None);
}

#[tokio::test]
async fn the_claims_of_all_are_taken_together_or_not_at_all() {
    let test = TestLog::new().await;
    // No two counters have the same total.
    let command_handler = test.command_handler().claiming::<Counter>(distinct_totals);
    let [a, b, c, d] = [(); 4].map(|()| Uuid::now_v7());
    count(&command_handler, "a", a, 5).await.unwrap();
    let both = async |name: &str, first: (Uuid, i64), second: (Uuid, i64)| -> Done {
        command_handler
            .together(key(name), Metadata::default(), |unit| async move {
                for (id, by) in [first, second] {
                    let mut counter = unit.load::<Counter>(id).await?;
                    unit.handle(&mut counter, Count(by)).await?;
                }
                Ok(json!({}))
            })
            .await
    };
    let refused = both("5 is taken", (b, 4), (c, 5)).await;
    let Err(CommandError::ClaimTaken(taken)) = &refused else {
        panic!("{refused:?}")
    };
    let five = TakenClaim {
        scope: "total".into(),
        key: "5".into(),
        owners: vec![a],
    };
    assert_eq!(taken, &[five]);
    assert_eq!(owners(&test, "total", "4").await, []);
    assert_eq!(totals(&command_handler, &[a, b, c]).await, [5, 0, 0]);
    // Within one command, what one leaves another takes.
    both("5 moves", (a, 1), (d, 5)).await.unwrap();
    assert_eq!(owners(&test, "total", "5").await, [(1, d)]);
    assert_eq!(owners(&test, "total", "6").await, [(1, a)]);
    // A repeat gets its answer, though its claims are another's now.
    count(&command_handler, "d moves on", d, 2).await.unwrap();
    both("5 is free", (b, 5), (c, 9)).await.unwrap();
    let again = both("5 moves", (a, 1), (d, 5)).await.unwrap();
    assert!(again.replayed);
}

#[tokio::test]
async fn one_aggregate_twice_or_half_refused_is_an_error_and_no_event() {
    let test = TestLog::new().await;
    let (command_handler, id) = (test.command_handler(), Uuid::now_v7());
    let twice: Done = command_handler
        .together(key("twice"), Metadata::default(), |unit| async move {
            let (mut one, mut same) = (unit.load::<Counter>(id).await?, unit.load::<Counter>(id).await?);
            unit.handle(&mut one, Count(1)).await?;
            unit.handle(&mut same, Count(1)).await?;
            Ok(json!({}))
        })
        .await;
    let Err(CommandError::Append(AppendError::Unstorable(why))) = &twice else {
        panic!("{twice:?}")
    };
    assert!(why.contains("loaded twice"), "{why}");
    // One member may be asked again and again.
    let thrice = command_handler
        .together::<BelowZero, _>(key("thrice"), Metadata::default(), |unit| async move {
            let mut counter = unit.create::<Counter>(id);
            for by in [5, -2, 4] {
                unit.handle(&mut counter, Count(by)).await?;
            }
            // What it refuses whole, it may be asked again in another way.
            assert!(unit.handle(&mut counter, Count(-9)).await.is_err());
            unit.handle(&mut counter, Count(-7)).await?;
            Ok(json!({"version": counter.version}))
        })
        .await
        .unwrap();
    assert_eq!(thrice.body, r#"{"version":4,"position":4}"#);
    assert_eq!(totals(&command_handler, &[id]).await, [0]);
}

const COUNTERS: usize = 6;

/// Sixty-four writers move ones around between a few counters while the writing connections are killed. Nothing is ever
/// half moved, and every transfer happens once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_of_64_writers_are_whole_though_their_connections_die() {
    let test = TestLog::new().await;
    let executors = [test.command_handler(), test.command_handler()];
    let ids: Vec<Uuid> = (0..COUNTERS).map(|_| Uuid::now_v7()).collect();
    for (n, id) in ids.iter().enumerate() {
        count(&executors[0], &format!("fill {n}"), *id, 1_000)
            .await
            .unwrap();
    }
    let (done, kills) = (AtomicBool::new(false), AtomicUsize::new(0));
    let writers = (0..64).map(|writer: usize| {
        let (command_handler, ids) = (&executors[writer % 2], &ids);
        async move {
            for round in 0..3 {
                let from = (writer + round) % COUNTERS;
                let to = (from + 1 + (writer / COUNTERS) % (COUNTERS - 1)) % COUNTERS;
                let name = format!("{writer}-{round}");
                // As long as the log says nothing for sure, or others are faster, the same key goes again.
                loop {
                    match transfer(command_handler, &name, ids[from], ids[to], 1).await {
                        Ok(_) => break,
                        Err(
                            CommandError::Contended { .. }
                            | CommandError::Append(AppendError::Unavailable(_))
                            | CommandError::Log(event_store::Error::Unavailable(_)),
                        ) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }
        }
    });
    let writers = async {
        join_all(writers).await;
        eventually("connections were killed", async || {
            (kills.load(Ordering::Relaxed) >= 3).then_some(())
        })
        .await;
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(writers, kill_connections(&test, &done, &kills));

    let moved = 64 * 3;
    let events = test.log.read_after(Position::START, 10_000).await.unwrap();
    assert_eq!(events.len(), COUNTERS + 2 * moved, "every transfer once");
    for pair in events[COUNTERS..].chunks(2) {
        let payloads = [pair[0].payload.get(), pair[1].payload.get()];
        assert_eq!(
            payloads,
            [r#"{"by":-1}"#, r#"{"by":1}"#],
            "one transfer, side by side"
        );
        assert_ne!(pair[0].aggregate_id, pair[1].aggregate_id);
    }
    let totals = totals(&executors[0], &ids).await;
    assert_eq!(totals.iter().sum::<i64>(), 6_000, "{totals:?}");
}
