//! What a process manager remembers.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use envelope::{Fingerprint, Mark, Position};
use event_store::{Log, NewTask, Reached, Tasks};
use uuid::Uuid;

use crate::support::{TestLog, eventually, pool};

const LEASE: Duration = Duration::from_mins(1);

fn task(aggregate_id: Uuid, kind: &'static str, position: u64) -> NewTask {
    NewTask {
        aggregate_id,
        kind: kind.into(),
        due_at: Utc::now() - TimeDelta::seconds(1),
        position: Position::new(position),
        request_id: Some("r".into()),
        correlation_id: None,
    }
}

async fn tasks() -> Tasks {
    Tasks::new(pool(&TestLog::new().await.url), "test")
}

fn at(position: u64) -> Position {
    Position::new(position)
}

#[tokio::test]
async fn an_event_is_planned_for_once() {
    let tasks = tasks().await;
    let id = Uuid::now_v7();
    assert_eq!(tasks.checkpoint().await.unwrap(), Position::START);
    assert!(tasks.plan(at(0), at(3), vec![task(id, "a", 2)]).await.unwrap());
    assert!(
        !tasks
            .plan(at(0), at(3), vec![task(Uuid::now_v7(), "a", 2)])
            .await
            .unwrap(),
        "another was first"
    );
    assert!(
        !tasks
            .plan(at(2), at(4), vec![task(Uuid::now_v7(), "a", 4)])
            .await
            .unwrap()
    );
    assert_eq!(tasks.checkpoint().await.unwrap(), at(3));
    let claimed = tasks.claim(&["a"], 10, LEASE).await.unwrap();
    assert_eq!(
        claimed.iter().map(|task| task.aggregate_id).collect::<Vec<_>>(),
        [id]
    );
    assert_eq!(claimed[0].request_id.as_deref(), Some("r"));
}

#[tokio::test]
async fn many_planners_at_once_plan_once() {
    let tasks = tasks().await;
    let attempts = (0..16).map(|_| tasks.plan(at(0), at(1), vec![task(Uuid::now_v7(), "a", 1)]));
    let planned = futures_util::future::join_all(attempts).await;
    assert_eq!(
        planned
            .into_iter()
            .filter(|planned| *planned.as_ref().unwrap())
            .count(),
        1
    );
    assert_eq!(tasks.claim(&["a"], 100, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_claimed_task_is_nobody_elses_until_its_lease_ends() {
    let tasks = tasks().await;
    tasks
        .plan(at(0), at(1), vec![task(Uuid::now_v7(), "a", 1)])
        .await
        .unwrap();
    assert_eq!(
        tasks
            .claim(&["a"], 10, Duration::from_millis(300))
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(tasks.claim(&["a"], 10, LEASE).await.unwrap().is_empty());
    let again = eventually("the lease ends", async || {
        tasks.claim(&["a"], 10, LEASE).await.unwrap().pop()
    })
    .await;
    assert_eq!(again.attempts, 2);
}

#[tokio::test]
async fn only_what_is_due_and_asked_for_is_claimed() {
    let tasks = tasks().await;
    let mut later = task(Uuid::now_v7(), "a", 1);
    later.due_at = Utc::now() + TimeDelta::hours(1);
    tasks
        .plan(at(0), at(1), vec![later, task(Uuid::now_v7(), "b", 1)])
        .await
        .unwrap();
    assert!(tasks.claim(&["a"], 10, LEASE).await.unwrap().is_empty());
    assert!(tasks.claim(&["a", "b"], 0, LEASE).await.unwrap().is_empty());
    assert_eq!(tasks.claim(&["a", "b"], 10, LEASE).await.unwrap().len(), 1);
    let backlog = tasks.backlog().await.unwrap();
    let a = backlog.iter().find(|backlog| backlog.kind == "a").unwrap();
    assert!(a.waiting == 1 && a.overdue_seconds == 0.0, "{backlog:?}");
    let b = backlog.iter().find(|backlog| backlog.kind == "b").unwrap();
    assert!(b.waiting == 1 && b.overdue_seconds > 0.0, "{backlog:?}");
}

#[tokio::test]
async fn of_several_kinds_the_longest_due_are_claimed_first() {
    let tasks = tasks().await;
    let now = Utc::now();
    let due = |kind, minutes, position| NewTask {
        due_at: now - TimeDelta::minutes(minutes),
        ..task(Uuid::now_v7(), kind, position)
    };
    let planned = vec![
        due("a", 3, 1),
        due("b", 5, 2),
        due("a", 4, 3),
        due("b", 1, 4),
        due("c", 9, 5),
    ];
    assert!(tasks.plan(at(0), at(5), planned).await.unwrap());
    let claim = async |limit| {
        let claimed = tasks.claim(&["a", "b"], limit, LEASE).await.unwrap();
        let mut positions: Vec<u64> = claimed.iter().map(|task| task.position.get()).collect();
        positions.sort_unstable();
        positions
    };
    assert_eq!(claim(2).await, [2, 3]);
    // What the first claim only looked at is free.
    assert_eq!(claim(2).await, [1, 4]);
    assert!(claim(2).await.is_empty());
}

#[tokio::test]
async fn a_claim_costs_the_same_however_many_tasks_wait() {
    let pool = pool(&TestLog::new().await.url);
    let tasks = Tasks::new(pool.clone(), "test");
    let waiting = (1..=2000)
        .map(|number| task(Uuid::now_v7(), "a", number))
        .collect();
    assert!(tasks.plan(at(0), at(2000), waiting).await.unwrap());
    let client = pool.get().await.unwrap();
    client.batch_execute("analyze process_tasks").await.unwrap();
    let claim = include_str!("../../src/sql/claim_tasks.sql");
    let explain = format!("explain (analyze, costs off, timing off, summary off) {claim}");
    let kinds = ["a", "b"];
    let plan = client
        .query(&explain, &[&"test", &&kinds[..], &3_i64, &60.0])
        .await
        .unwrap();
    for line in &plan {
        let line: &str = line.get(0);
        let rows = line.split("rows=").nth(1).and_then(|rest| rest.split(' ').next());
        let few = rows.is_none_or(|rows| rows.parse::<u32>().is_ok_and(|rows| rows <= 3));
        assert!(few && !line.contains("Removed"), "{plan:?}");
    }
}

#[tokio::test]
async fn what_is_planned_anew_survives_the_end_of_the_old() {
    let tasks = tasks().await;
    let id = Uuid::now_v7();
    tasks.plan(at(0), at(1), vec![task(id, "a", 1)]).await.unwrap();
    let old = tasks.claim(&["a"], 10, LEASE).await.unwrap().pop().unwrap();
    tasks.plan(at(1), at(2), vec![task(id, "a", 2)]).await.unwrap();
    tasks.finish(&old).await.unwrap();
    let new = tasks.claim(&["a"], 10, LEASE).await.unwrap().pop().unwrap();
    assert_eq!((new.position, new.attempts), (at(2), 1));
    tasks.finish(&new).await.unwrap();
    assert!(tasks.backlog().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_later_of_two_tasks_for_one_aggregate_counts() {
    let tasks = tasks().await;
    let id = Uuid::now_v7();
    tasks
        .plan(at(0), at(2), vec![task(id, "a", 1), task(id, "a", 2)])
        .await
        .unwrap();
    let claimed = tasks.claim(&["a"], 10, LEASE).await.unwrap();
    assert_eq!(
        claimed.iter().map(|task| task.position).collect::<Vec<_>>(),
        [at(2)]
    );
}

#[tokio::test]
async fn a_postponed_task_comes_back_counting_failures_only() {
    let tasks = tasks().await;
    tasks
        .plan(at(0), at(1), vec![task(Uuid::now_v7(), "a", 1)])
        .await
        .unwrap();
    let past = Utc::now() - TimeDelta::seconds(1);
    for (error, attempts) in [
        (Some("provider down"), 1),
        (Some("provider down"), 2),
        (None, 3),
        (None, 1),
    ] {
        let claimed = tasks.claim(&["a"], 10, LEASE).await.unwrap().pop().unwrap();
        assert_eq!(claimed.attempts, attempts);
        tasks.postpone(&claimed, past, error).await.unwrap();
    }
    let claimed = tasks.claim(&["a"], 10, LEASE).await.unwrap().pop().unwrap();
    tasks
        .postpone(&claimed, Utc::now() + TimeDelta::hours(1), None)
        .await
        .unwrap();
    assert!(tasks.claim(&["a"], 10, LEASE).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lease_is_renewed_by_whoever_holds_it_and_by_nobody_else() {
    let tasks = tasks().await;
    let (held, dropped) = (Uuid::now_v7(), Uuid::now_v7());
    let planned = vec![task(held, "a", 1), task(dropped, "a", 1)];
    assert!(tasks.plan(at(0), at(1), planned).await.unwrap());
    let claimed = tasks.claim(&["a"], 10, Duration::from_millis(300)).await.unwrap();
    let of = |id: Uuid| claimed.iter().find(|task| task.aggregate_id == id).unwrap();
    tasks.renew(of(held), LEASE).await.unwrap();
    // The other's worker died: it comes back, alone.
    let again = eventually("a lease ends", async || {
        let again = tasks.claim(&["a"], 10, LEASE).await.unwrap();
        (!again.is_empty()).then_some(again)
    })
    .await;
    assert_eq!(
        again.iter().map(|task| task.aggregate_id).collect::<Vec<_>>(),
        [dropped]
    );
    // A slow worker whose lease has ended changes no lease of another worker.
    tasks.renew(of(dropped), Duration::ZERO).await.unwrap();
    tasks.renew(of(held), Duration::ZERO).await.unwrap();
    let free = tasks.claim(&["a"], 10, LEASE).await.unwrap();
    assert_eq!(
        free.iter().map(|task| task.aggregate_id).collect::<Vec<_>>(),
        [held]
    );
    // What was put off is not held again.
    tasks
        .postpone(&free[0], Utc::now() - TimeDelta::seconds(1), None)
        .await
        .unwrap();
    tasks.renew(&free[0], LEASE).await.unwrap();
    assert_eq!(tasks.claim(&["a"], 10, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_checkpoint_says_which_event_it_is_at_and_starts_over_only_from_there() {
    let log = TestLog::new().await;
    let pool = pool(&log.url);
    let (tasks, head) = (
        Tasks::new(pool.clone(), "test"),
        Log::new(pool.clone()).head().await.unwrap(),
    );
    // Left by an older build, which kept neither.
    assert!(tasks.plan(at(0), at(2), vec![]).await.unwrap());
    assert_eq!(tasks.reached().await.unwrap(), at(2).into());
    let mark = |position, byte| Mark {
        position: at(position),
        fingerprint: Fingerprint::from_bytes(&[byte; 16]),
    };
    let reached = |mark| Reached {
        mark,
        epoch: Some(head.epoch),
    };
    tasks.note(reached(mark(2, 7))).await.unwrap();
    assert_eq!(tasks.reached().await.unwrap(), reached(mark(2, 7)));
    tasks.note(reached(mark(2, 9))).await.unwrap();
    assert_eq!(
        tasks.reached().await.unwrap(),
        reached(mark(2, 7)),
        "it is noted once"
    );

    // In another epoch than the log's, nothing is planned or reset.
    let elsewhere = Reached {
        epoch: Some(Uuid::now_v7()),
        ..reached(mark(3, 8))
    };
    let planned = vec![task(Uuid::now_v7(), "a", 3)];
    assert!(!tasks.plan(at(2), elsewhere, planned.clone()).await.unwrap());
    assert!(tasks.plan(at(2), reached(mark(3, 8)), planned).await.unwrap());
    assert!(
        !tasks
            .start_over(reached(mark(3, 8)), Uuid::now_v7())
            .await
            .unwrap()
    );
    assert!(!tasks.start_over(reached(mark(3, 7)), head.epoch).await.unwrap());
    assert!(tasks.start_over(reached(mark(3, 8)), head.epoch).await.unwrap());
    assert_eq!(tasks.reached().await.unwrap(), reached(Mark::START));
    assert_eq!(
        tasks.backlog().await.unwrap()[0].waiting,
        1,
        "what was planned stays"
    );

    // A build that keeps neither moves the position alone: what was kept is of another event.
    let older = pool.get().await.unwrap();
    older
        .batch_execute("update process_checkpoints set position = 5")
        .await
        .unwrap();
    assert_eq!(tasks.reached().await.unwrap(), at(5).into());
    tasks.note(reached(mark(5, 4))).await.unwrap();
    assert_eq!(tasks.reached().await.unwrap(), reached(mark(5, 4)));
}
