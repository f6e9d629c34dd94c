//! Claims while the connections of those who take them die: what is held is what the recorded events say, always.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use envelope::Position;
use event_store::{Append, AppendError, Appender, AppenderOptions, Claim, Claims, Release};
use futures_util::future::join_all;
use serde::Deserialize;
use uuid::Uuid;

use crate::contiguous::kill_connections;
use crate::support::{ALL_CLAIMS, TestLog, append_payload, eventually, key};

const WRITERS: usize = 64;
const ROUNDS: usize = 6;
/// Few enough that writers meet.
const SEATS: usize = 12;

#[derive(Deserialize)]
struct Event {
    seat: usize,
    by: Uuid,
    takes: bool,
}

/// One command: its event says what its claims do.
fn command(name: &str, seat: usize, by: Uuid, takes: bool) -> Append {
    let payload = format!(r#"{{"seat":{seat},"by":"{by}","takes":{takes}}}"#);
    let (scope, seat) = ("seat".to_owned(), seat.to_string());
    let claims = if takes {
        Claims {
            take: vec![Claim::unique(scope, seat, by)],
            ..Claims::default()
        }
    } else if name.len().is_multiple_of(2) {
        Claims {
            release: vec![Release::One {
                scope,
                key: seat,
                owner: by,
            }],
            ..Claims::default()
        }
    } else {
        Claims {
            release: vec![Release::All(by)],
            ..Claims::default()
        }
    };
    Append {
        claims,
        ..append_payload(key(name), Uuid::now_v7(), 1, &payload)
    }
}

/// Repeats until the log decides. `None` if another owner holds the seat.
async fn settle(appender: &Appender, command: Append) -> Option<()> {
    loop {
        match appender.append(command.clone()).await {
            Ok(_) => return Some(()),
            Err(AppendError::ClaimTaken(taken)) => {
                let me = command.claims.take[0].owner;
                assert!(!taken[0].owners.contains(&me), "refused by its own claim");
                return None;
            }
            Err(AppendError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_what_the_events_say_though_connections_die() {
    let test = TestLog::new().await;
    let appenders: Vec<Appender> = (0..4)
        .map(|_| test.appender(AppenderOptions::default()))
        .collect();
    let (done, kills) = (AtomicBool::new(false), AtomicUsize::new(0));
    let writers = (0..WRITERS).map(|writer| {
        let appender = &appenders[writer % 4];
        async move {
            let (me, mut got) = (Uuid::now_v7(), 0);
            for round in 0..ROUNDS {
                let seat = (writer + round * 5) % SEATS;
                let taking = command(&format!("take {writer}-{round}"), seat, me, true);
                if settle(appender, taking).await.is_none() {
                    continue;
                }
                got += 1;
                // The last one is kept by some.
                if round + 1 < ROUNDS || writer % 2 == 0 {
                    let leaving = command(&format!("leave {writer}-{round}"), seat, me, false);
                    settle(appender, leaving).await.unwrap();
                }
            }
            got
        }
    });
    let writers = async {
        let got: Vec<usize> = join_all(writers).await;
        eventually("connections were killed", async || {
            (kills.load(Ordering::Relaxed) >= 3).then_some(())
        })
        .await;
        done.store(true, Ordering::Relaxed);
        got.iter().sum::<usize>()
    };
    let (got, ()) = tokio::join!(writers, kill_connections(&test, &done, &kills));

    let events = test.log.read_after(Position::START, 10_000).await.unwrap();
    let mut held: HashMap<usize, Uuid> = HashMap::new();
    let mut taken = 0;
    for event in &events {
        let Event { seat, by, takes } = serde_json::from_str(event.payload.get()).unwrap();
        if takes {
            taken += 1;
            assert_eq!(held.insert(seat, by), None, "seat {seat} at {}", event.position);
        } else {
            assert_eq!(held.remove(&seat), Some(by), "seat {seat} at {}", event.position);
        }
    }
    assert_eq!(taken, got, "who was told that he has it has it, once");
    let rows = test.client().await;
    let rows = rows.query(ALL_CLAIMS, &[]).await.unwrap();
    let stored: HashMap<usize, Uuid> = rows
        .iter()
        .map(|row| {
            assert_eq!(row.get::<_, i32>(2), 1);
            (row.get::<_, &str>(1).parse().unwrap(), row.get(3))
        })
        .collect();
    assert_eq!(stored, held);
}
