//! Claims: unique and counted ones, under concurrent takers.

use std::collections::HashSet;

use envelope::Position;
use event_store::{
    Append, AppendError, Appended, AppenderOptions, Claim, Claims, Guard, NewEvent, Release, TakenClaim,
};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::support::{TestLog, append, in_one_batch, key, owners};

fn taking(name: impl Into<String>, take: Vec<Claim>) -> Append {
    Append {
        claims: Claims {
            take,
            ..Claims::default()
        },
        ..append(key(name), Uuid::now_v7(), 1)
    }
}

fn releasing(name: impl Into<String>, release: Vec<Release>, take: Vec<Claim>) -> Append {
    Append {
        claims: Claims {
            take,
            release,
            ..Claims::default()
        },
        ..append(key(name), Uuid::now_v7(), 1)
    }
}

fn one(key: &str, owner: Uuid) -> Release {
    Release::One {
        scope: "seat".into(),
        key: key.into(),
        owner,
    }
}

fn seat(key: &str, owner: Uuid) -> Claim {
    Claim::unique("seat", key, owner)
}

/// Every refused one must say that `key` is held by these, by slot.
fn assert_taken(refused: &Result<Appended, AppendError>, key: &str, by: &[Uuid]) {
    let taken = TakenClaim {
        scope: "seat".into(),
        key: key.into(),
        owners: by.to_vec(),
    };
    assert_eq!(refused, &Err(AppendError::ClaimTaken(vec![taken])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_that_take_one_claim_at_once_one_gets_it_and_the_others_are_told_who() {
    let test = TestLog::new().await;
    let appenders = [
        test.appender(AppenderOptions::default()),
        test.appender(AppenderOptions::default()),
    ];
    let takers: Vec<Uuid> = (0..64).map(|_| Uuid::now_v7()).collect();
    // With a neighbor in the batch that takes nothing.
    let outcomes = join_all(takers.iter().enumerate().map(|(n, taker)| {
        let (take, plain) = (
            taking(format!("take {n}"), vec![seat("1A", *taker)]),
            append(key(format!("plain {n}")), Uuid::now_v7(), 1),
        );
        let appender = &appenders[n % 2];
        async move { tokio::join!(appender.append(take), appender.append(plain)) }
    }))
    .await;
    assert!(outcomes.iter().all(|(_, plain)| plain.is_ok()), "{outcomes:?}");
    let won: Vec<usize> = (0..64).filter(|n| outcomes[*n].0.is_ok()).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    let winner = takers[won[0]];
    for (n, (take, _)) in outcomes.iter().enumerate().filter(|(n, _)| *n != won[0]) {
        assert_taken(take, "1A", &[winner]);
        let kept = test.log.outcome("test", &format!("take {n}")).await.unwrap();
        assert_eq!(kept, None, "no outcome of what was refused");
    }
    let events = test.log.read_after(Position::START, 1000).await.unwrap();
    assert_eq!(events.len(), 65, "contiguous, or reading fails");
    assert_eq!(test.log.head().await.unwrap().position, Position::new(65));
    assert_eq!(owners(&test, "seat", "1A").await, [(1, winner)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counted_claim_has_its_limit_and_no_other() {
    let test = TestLog::new().await;
    let appenders = [
        test.appender(AppenderOptions::default()),
        test.appender(AppenderOptions::default()),
    ];
    let outcomes = join_all((0..64).map(|n| {
        let take = Claim::counted("seat", "stand", Uuid::now_v7(), 10);
        let append = taking(n.to_string(), vec![take]);
        let appender = &appenders[n % 2];
        async move { appender.append(append).await }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    let held = owners(&test, "seat", "stand").await;
    let slots: Vec<i32> = held.iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, (1..=10).collect::<Vec<_>>());
    let by: Vec<Uuid> = held.iter().map(|(_, owner)| *owner).collect();
    assert_eq!(by.iter().collect::<HashSet<_>>().len(), 10);
    for refused in outcomes.iter().filter(|outcome| outcome.is_err()) {
        assert_taken(refused, "stand", &by);
    }
    // The place that becomes free is the next one's.
    let appender = &appenders[0];
    let (free, next) = (by[3], Uuid::now_v7());
    let release = releasing("leave", vec![one("stand", free)], vec![]);
    appender.append(release).await.unwrap();
    let take = Claim::counted("seat", "stand", next, 10);
    appender.append(taking("next", vec![take])).await.unwrap();
    assert_eq!(owners(&test, "seat", "stand").await[3], (4, next));
}

#[tokio::test]
async fn what_one_holds_already_can_be_taken_again_and_what_is_not_held_released() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let (me, other) = (Uuid::now_v7(), Uuid::now_v7());
    appender
        .append(taking("first", vec![seat("1A", me)]))
        .await
        .unwrap();
    appender
        .append(taking("again", vec![seat("1A", me), seat("1B", me)]))
        .await
        .unwrap();
    appender
        .append(releasing(
            "not mine",
            vec![one("1A", other), one("9Z", me)],
            vec![],
        ))
        .await
        .unwrap();
    assert_eq!(owners(&test, "seat", "1A").await, [(1, me)]);
    assert_eq!(owners(&test, "seat", "1B").await, [(1, me)]);
    let counted = |owner| Claim::counted("seat", "stand", owner, 2);
    for name in ["a", "b", "c"] {
        appender.append(taking(name, vec![counted(me)])).await.unwrap();
    }
    assert_eq!(owners(&test, "seat", "stand").await, [(1, me)]);
    appender.append(taking("d", vec![counted(other)])).await.unwrap();
    // All that one holds, and nothing else.
    appender
        .append(releasing("leave", vec![Release::All(me)], vec![]))
        .await
        .unwrap();
    assert_eq!(owners(&test, "seat", "1A").await, []);
    assert_eq!(owners(&test, "seat", "1B").await, []);
    assert_eq!(owners(&test, "seat", "stand").await, [(2, other)]);
}

#[tokio::test]
async fn a_claim_passes_on_within_a_batch_and_across() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let [a, b, c, d] = [(); 4].map(|()| Uuid::now_v7());
    appender.append(taking("a", vec![seat("1A", a)])).await.unwrap();
    let outcomes = in_one_batch(
        &test,
        vec![
            taking("too early", vec![seat("1A", b)]),
            releasing("a leaves", vec![one("1A", a)], vec![]),
            taking("b", vec![seat("1A", b)]),
            taking("too late", vec![seat("1A", c)]),
            // Released and taken by another in one command.
            releasing("b to c", vec![one("1A", b)], vec![seat("1A", c)]),
            releasing("c leaves everything", vec![Release::All(c)], vec![]),
            taking("d", vec![seat("1A", d)]),
        ],
    )
    .await;
    assert_taken(&outcomes[0], "1A", &[a]);
    assert_taken(&outcomes[3], "1A", &[b]);
    let accepted: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [false, true, true, false, true, true, true]);
    assert_eq!(owners(&test, "seat", "1A").await, [(1, d)]);
    let events = test.log.read_after(Position::START, 100).await.unwrap();
    assert_eq!(events.len(), 7);
    appender
        .append(releasing("d leaves", vec![one("1A", d)], vec![]))
        .await
        .unwrap();
    appender
        .append(taking("a again", vec![seat("1A", a)]))
        .await
        .unwrap();
    assert_eq!(owners(&test, "seat", "1A").await, [(1, a)]);
}

#[tokio::test]
async fn a_command_that_is_refused_one_of_its_claims_takes_and_releases_none() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let (me, other) = (Uuid::now_v7(), Uuid::now_v7());
    appender
        .append(taking("other", vec![seat("1B", other), seat("1C", other)]))
        .await
        .unwrap();
    appender.append(taking("me", vec![seat("9A", me)])).await.unwrap();
    let wants = |name: &str| {
        let take = vec![seat("1A", me), seat("1B", me), seat("1C", me)];
        releasing(name, vec![one("9A", me)], take)
    };
    let expected = |names: [&str; 2]| {
        let taken = names.map(|name| TakenClaim {
            scope: "seat".into(),
            key: name.into(),
            owners: vec![other],
        });
        Err(AppendError::ClaimTaken(taken.to_vec()))
    };
    assert_eq!(appender.append(wants("alone")).await, expected(["1B", "1C"]));
    // Where it shares a claim with a neighbor, and where it does not.
    let outcomes = in_one_batch(
        &test,
        vec![
            wants("shares"),
            taking("free for this one", vec![seat("1A", other)]),
            append(key("plain"), Uuid::now_v7(), 1),
        ],
    )
    .await;
    assert_eq!(outcomes[0], expected(["1B", "1C"]));
    assert!(outcomes[1].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    assert_eq!(owners(&test, "seat", "9A").await, [(1, me)]);
    assert_eq!(owners(&test, "seat", "1A").await, [(1, other)]);
    assert_eq!(test.log.head().await.unwrap().position, Position::new(5));
}

#[tokio::test]
async fn a_refused_claim_beside_a_used_key_a_conflict_and_what_cannot_be_stored() {
    let test = TestLog::new().await;
    test.refuse_unstorable().await;
    let appender = test.appender(AppenderOptions::default());
    let (me, other, known) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    appender
        .append(taking("other", vec![seat("1A", other)]))
        .await
        .unwrap();
    appender.append(append(key("used"), known, 1)).await.unwrap();
    let batch = |round: &str, extra: Vec<Append>| {
        let mut batch = vec![
            taking(format!("{round} refused"), vec![seat("1A", me)]),
            append(key("used"), known, 1),
            taking(format!("{round} free"), vec![seat(round, me)]),
            append(key(format!("{round} plain")), Uuid::now_v7(), 1),
        ];
        batch.extend(extra);
        batch
    };
    let unstorable = || {
        let mut bad = append(key("bad"), Uuid::now_v7(), 1);
        bad.events[0].event_type = "Unstorable".into();
        bad
    };
    for (round, extra) in [
        ("nothing else", vec![]),
        ("a conflict", vec![append(key("behind"), known, 1)]),
        ("a bad one", vec![unstorable()]),
        ("both", vec![append(key("behind"), known, 1), unstorable()]),
    ] {
        let extras = extra.len();
        let outcomes = in_one_batch(&test, batch(round, extra)).await;
        assert_taken(&outcomes[0], "1A", &[other]);
        assert!(outcomes[1].as_ref().unwrap().replayed, "{round}: {outcomes:?}");
        assert!(!outcomes[2].as_ref().unwrap().replayed, "{round}: {outcomes:?}");
        assert!(!outcomes[3].as_ref().unwrap().replayed, "{round}: {outcomes:?}");
        assert!(outcomes[4..].iter().all(Result::is_err), "{round}: {outcomes:?}");
        assert_eq!(outcomes.len(), 4 + extras);
        assert_eq!(owners(&test, "seat", round).await, [(1, me)], "{round}");
    }
    let events = test.log.read_after(Position::START, 100).await.unwrap();
    // Two to begin with; each round two and the one that its batch waits behind.
    assert_eq!(events.len(), 2 + 4 * 3);
}

/// Who was refused because of what he read before it changed reads again.
#[tokio::test]
async fn a_stale_command_meets_a_conflict_before_a_taken_claim() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let (me, other, known) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    appender
        .append(taking("other", vec![seat("1A", other)]))
        .await
        .unwrap();
    appender.append(append(key("one"), known, 1)).await.unwrap();
    let mut stale = append(key("stale"), known, 1);
    stale.claims.take = vec![seat("1A", me)];
    let alone = appender.append(stale.clone()).await;
    let Err(AppendError::Conflict(found)) = alone else {
        panic!("{alone:?}")
    };
    assert_eq!(
        (
            found.aggregate_type.as_str(),
            found.aggregate_id,
            (found.expected, found.actual)
        ),
        ("counter", known, (0, 1))
    );
    let neighbors = vec![stale, append(key("neighbor"), Uuid::now_v7(), 1)];
    let outcomes = in_one_batch(&test, neighbors).await;
    assert!(
        matches!(outcomes[0], Err(AppendError::Conflict(_))),
        "{outcomes:?}"
    );
    assert!(outcomes[1].is_ok());
}

#[tokio::test]
async fn a_command_without_events_takes_claims_all_the_same() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let me = Uuid::now_v7();
    let bare = |name: &str, owner| Append {
        events: Vec::<NewEvent>::new(),
        ..taking(name, vec![seat("1A", owner)])
    };
    let taken = appender.append(bare("a", me)).await.unwrap();
    assert_eq!(taken.position, Position::START);
    assert_taken(&appender.append(bare("b", Uuid::now_v7())).await, "1A", &[me]);
    assert!(appender.append(bare("a", me)).await.unwrap().replayed);
    assert_eq!(owners(&test, "seat", "1A").await, [(1, me)]);
}

/// A guard sees the claims of all commands before it, also of its own batch, and takes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarded_command_is_recorded_only_before_another_owner_is_added() {
    let test = TestLog::new().await;
    let appenders = [
        test.appender(AppenderOptions::default()),
        test.appender(AppenderOptions::default()),
    ];
    let first = Uuid::now_v7();
    let ban = |owner| Claim::counted("seat", "banned", owner, 9);
    appenders[0]
        .append(taking("old", vec![ban(first)]))
        .await
        .unwrap();
    let guarded = |name: String, at_most| Append {
        claims: Claims {
            guard: vec![Guard {
                scope: "seat".into(),
                key: "banned".into(),
                at_most,
            }],
            ..Claims::default()
        },
        ..append(key(name), Uuid::now_v7(), 1)
    };
    let one = appenders[0].append(guarded("none".into(), 0)).await;
    assert_taken(&one, "banned", &[first]);

    let second = Uuid::now_v7();
    let attempts = (0..64).map(|n| {
        let append = if n == 32 {
            taking("ban", vec![ban(second)])
        } else {
            guarded(format!("guarded {n}"), 1)
        };
        let appender = &appenders[n % 2];
        async move { (n, appender.append(append).await) }
    });
    let outcomes = join_all(attempts).await;
    let banned = outcomes[32].1.as_ref().unwrap().position;
    for (n, outcome) in outcomes.iter().filter(|(n, _)| *n != 32) {
        match outcome {
            Ok(appended) => assert!(appended.position < banned, "{n}"),
            refused => assert_taken(refused, "banned", &[first, second]),
        }
    }
    let late = appenders[1].append(guarded("late".into(), 1)).await;
    assert_taken(&late, "banned", &[first, second]);
    appenders[1].append(guarded("seen".into(), 2)).await.unwrap();
    assert_eq!(owners(&test, "seat", "banned").await, [(1, first), (2, second)]);
    let found = test
        .log
        .claim_owners("seat", &["banned".into(), "free".into()])
        .await
        .unwrap();
    assert_eq!(found, [("banned".to_owned(), vec![first, second])].into());
    test.log.read_after(Position::START, 1000).await.unwrap();
}
