//! The heart of the log: whatever happens to its writers, positions have no gap, every acknowledged command is in it
//! exactly once, and a reader that follows its tail sees every event exactly once, in order.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use envelope::{Position, RecordedEvent};
use event_store::{AppendError, Appender, AppenderOptions, Log};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::support::{TestLog, append, eventually, key};

const WRITERS: usize = 64;
const COMMANDS: usize = 12;
const AGGREGATES: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_lose_their_connections_leave_no_gap() {
    let test = TestLog::new().await;
    test.refuse_unstorable().await;
    let ids: Vec<Uuid> = (0..AGGREGATES).map(|_| Uuid::now_v7()).collect();
    // Four writing tasks compete for the head, as four instances of a service would.
    let appenders: Vec<Appender> = (0..4)
        .map(|_| test.appender(AppenderOptions::default()))
        .collect();
    let (done, kills) = (AtomicBool::new(false), AtomicUsize::new(0));

    let writers = join_all((0..WRITERS).map(|writer| {
        write(
            test.log.clone(),
            appenders[writer % 4].clone(),
            writer,
            ids[writer % AGGREGATES],
        )
    }));
    let writers = async {
        writers.await;
        eventually("connections were killed", async || {
            (kills.load(Ordering::Relaxed) >= 3).then_some(())
        })
        .await;
        done.store(true, Ordering::Relaxed);
    };
    let ((), (), seen) = tokio::join!(
        writers,
        kill_connections(&test, &done, &kills),
        follow(&test.log, &done)
    );

    let total = (WRITERS * COMMANDS) as u64;
    let positions: Vec<u64> = seen.iter().map(|event| event.position.get()).collect();
    assert_eq!(
        positions,
        (1..=total).collect::<Vec<_>>(),
        "the tail saw every event once, in order"
    );
    assert_eq!(test.log.read_after(Position::START, 10_000).await.unwrap(), seen);
    let mut sequences: HashMap<Uuid, u64> = HashMap::new();
    let mut keys = HashSet::new();
    for event in &seen {
        let sequence = sequences.entry(event.aggregate_id).or_default();
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "{event:?}");
        assert!(
            keys.insert(event.metadata.request_id.clone().unwrap()),
            "{event:?} was recorded twice"
        );
    }
    assert_eq!(keys.len() as u64, total, "every acknowledged command is there");
}

/// Sends its commands one after the other, each until it is accepted; every third time together with one that can't be
/// stored, so that batches roll back.
async fn write(log: Log, appender: Appender, writer: usize, id: Uuid) {
    for command in 0..COMMANDS {
        let name = format!("{writer}-{command}");
        loop {
            let sequence = log
                .load("counter", id, 0)
                .await
                .map(|events| events.len() as u64 + 1);
            let Ok(sequence) = sequence else { continue };
            if command % 3 == 0 {
                let mut bad = append(key(format!("bad-{name}")), Uuid::now_v7(), 1);
                bad.events[0].event_type = "Unstorable".into();
                let (refused, accepted) = tokio::join!(
                    appender.append(bad),
                    appender.append(append(key(&name), id, sequence))
                );
                assert!(
                    matches!(
                        refused,
                        Err(AppendError::Unstorable(_) | AppendError::Unavailable(_))
                    ),
                    "{refused:?}"
                );
                if settled(&accepted) {
                    break;
                }
            } else if settled(&appender.append(append(key(&name), id, sequence)).await) {
                break;
            }
        }
    }
}

fn settled(outcome: &Result<event_store::Appended, AppendError>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(AppendError::Conflict(_) | AppendError::Unavailable(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

/// Ends the writers' sessions again and again, wherever they are.
pub(crate) async fn kill_connections(test: &TestLog, done: &AtomicBool, kills: &AtomicUsize) {
    let client = test.client().await;
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(40));
    while !done.load(Ordering::Relaxed) {
        pause.tick().await;
        let ended = client
            .query(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name = 'event-store append' and datname = current_database() and state = 'active'
                 limit 1",
                &[],
            )
            .await
            .unwrap();
        kills.fetch_add(ended.len(), Ordering::Relaxed);
    }
}

/// Reads the tail until the writers are done and nothing is left.
async fn follow(log: &Log, done: &AtomicBool) -> Vec<RecordedEvent> {
    let mut seen: Vec<RecordedEvent> = Vec::new();
    loop {
        let last_round = done.load(Ordering::Relaxed);
        let after = seen.last().map_or(Position::START, |event| event.position);
        let more = log.read_after(after, 7).await.unwrap();
        if more.is_empty() && last_round {
            return seen;
        }
        seen.extend(more);
        tokio::task::yield_now().await;
    }
}
