//! Running commands on aggregates: our command handler, and cqrs-es's own framework on our store.

use std::collections::HashMap;

use cqrs_es::{AggregateError, CqrsFramework, EventStore};
use envelope::{Metadata, Position};
use event_store::{AppendError, CommandError, CommandHandler, CommandRequest};
use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::support::{BelowZero, Count, Counter, TestLog, distinct_totals, key};

fn call(id: Uuid, name: &str, by: i64) -> CommandRequest<Count> {
    CommandRequest {
        aggregate_id: id,
        command: Count(by),
        key: key(name),
        metadata: Metadata::default(),
        expected_version: None,
        creates: false,
    }
}

async fn run(
    command_handler: &CommandHandler,
    call: CommandRequest<Count>,
) -> Result<String, CommandError<BelowZero>> {
    let respond = |counter: &Counter, version| json!({"total": counter.total, "version": version});
    command_handler
        .execute::<Counter>(call, respond)
        .await
        .map(|answer| answer.body)
}

#[tokio::test]
async fn a_command_answers_with_state_version_and_position() {
    let test = TestLog::new().await;
    let (command_handler, id) = (test.command_handler(), Uuid::now_v7());
    let creating = CommandRequest {
        creates: true,
        ..call(id, "a", 2)
    };
    assert_eq!(
        run(&command_handler, creating).await.unwrap(),
        r#"{"total":2,"version":1,"position":1}"#
    );
    assert_eq!(
        run(&command_handler, call(id, "b", 3)).await.unwrap(),
        r#"{"total":5,"version":2,"position":2}"#
    );
    // Nothing happens: no event, the answer is kept all the same.
    assert_eq!(
        run(&command_handler, call(id, "c", 0)).await.unwrap(),
        r#"{"total":5,"version":2,"position":2}"#
    );
    assert_eq!(
        command_handler.load::<Counter>(id).await.unwrap().aggregate,
        Counter { total: 5 }
    );
}

#[tokio::test]
async fn a_repeated_command_gets_the_first_answer_even_when_it_would_now_be_refused() {
    let test = TestLog::new().await;
    let (command_handler, id) = (test.command_handler(), Uuid::now_v7());
    run(&command_handler, call(id, "a", 2)).await.unwrap();
    let first = run(&command_handler, call(id, "b", -2)).await.unwrap();
    // From 0, another -2 is refused; the key knows better.
    assert_eq!(run(&command_handler, call(id, "b", -2)).await.unwrap(), first);
    assert!(matches!(
        run(&command_handler, call(id, "c", -2)).await,
        Err(CommandError::Refused(BelowZero))
    ));
    let mut other = call(id, "b", -2);
    other.key.request_hash = [9; 32];
    assert!(matches!(
        run(&command_handler, other).await,
        Err(CommandError::Append(AppendError::KeyReused))
    ));
}

#[tokio::test]
async fn a_creating_command_on_what_exists_loads_it_after_all() {
    let test = TestLog::new().await;
    let (command_handler, id) = (test.command_handler(), Uuid::now_v7());
    run(&command_handler, call(id, "a", 2)).await.unwrap();
    let creating = CommandRequest {
        creates: true,
        ..call(id, "b", 3)
    };
    assert_eq!(
        run(&command_handler, creating).await.unwrap(),
        r#"{"total":5,"version":2,"position":2}"#
    );
}

#[tokio::test]
async fn concurrent_commands_on_one_aggregate_all_count() {
    let test = TestLog::new().await;
    let (command_handler, id) = (test.command_handler(), Uuid::now_v7());
    let commands = (0..4).map(|n| {
        let (command_handler, call) = (&command_handler, call(id, &n.to_string(), 1));
        async move { run(command_handler, call).await.unwrap() }
    });
    join_all(commands).await;
    assert_eq!(
        command_handler.load::<Counter>(id).await.unwrap().aggregate.total,
        4
    );
}

#[tokio::test]
async fn a_demanded_version_is_held() {
    let test = TestLog::new().await;
    let (command_handler, id) = (test.command_handler(), Uuid::now_v7());
    run(&command_handler, call(id, "a", 1)).await.unwrap();
    let demand = |name, version| CommandRequest {
        expected_version: Some(version),
        ..call(id, name, 1)
    };
    let Err(CommandError::Version(conflict)) = run(&command_handler, demand("b", 0)).await else {
        panic!("an old version was accepted")
    };
    assert_eq!(
        conflict.to_string(),
        format!("counter {id} is at version 1, expected 0")
    );
    let accepted = run(&command_handler, demand("c", 1)).await.unwrap();
    // Sent again, it is at version 2 by now, and still the same command.
    assert_eq!(run(&command_handler, demand("c", 1)).await.unwrap(), accepted);
}

#[tokio::test]
async fn an_event_of_a_future_build_stops_the_command_with_a_clear_error() {
    let test = TestLog::new().await;
    let (command_handler, id) = (test.command_handler(), Uuid::now_v7());
    let mut future = crate::support::append(key("future"), id, 1);
    future.events[0].payload = serde_json::value::to_raw_value(&json!({"by": "much"})).unwrap();
    test.appender(event_store::AppenderOptions::default())
        .append(future)
        .await
        .unwrap();
    let error = run(&command_handler, call(id, "a", 1)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("malformed payload of Counted version 1"),
        "{error}"
    );
    assert_eq!(test.log.head().await.unwrap().position, Position::new(1));
}

#[tokio::test]
async fn a_taken_claim_refuses_the_command_and_says_who_holds_it() {
    let test = TestLog::new().await;
    let command_handler = test.command_handler().claiming::<Counter>(distinct_totals);
    let [a, b] = [(); 2].map(|()| Uuid::now_v7());
    let first = run(&command_handler, call(a, "a", 5)).await.unwrap();
    let creating = CommandRequest {
        creates: true,
        ..call(b, "b", 5)
    };
    for taking in [creating, call(b, "b", 5)] {
        let refused = run(&command_handler, taking).await;
        let Err(CommandError::ClaimTaken(taken)) = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!((taken[0].key.as_str(), &taken[0].owners), ("5", &vec![a]));
    }
    assert_eq!(test.log.head().await.unwrap().position, Position::new(1));
    // A refused command leaves its key unused; a used key has its answer, whichever aggregate holds the claim now.
    run(&command_handler, call(a, "a moves on", 1)).await.unwrap();
    run(&command_handler, call(b, "b", 5)).await.unwrap();
    assert_eq!(run(&command_handler, call(a, "a", 5)).await.unwrap(), first);
    // By way of cqrs-es as well.
    let framework = CqrsFramework::<Counter, _>::new(command_handler, vec![], ());
    let refused = framework.execute(&Uuid::now_v7().to_string(), Count(5)).await;
    assert!(
        matches!(&refused, Err(AggregateError::UnexpectedError(why)) if why.to_string().contains("is held by")),
        "{refused:?}"
    );
}

/// Someone is quicker: it is decided again, on what is there then, and not refused for what it would have taken.
#[tokio::test]
async fn a_stale_command_decides_again_before_a_claim_refuses_it() {
    let test = TestLog::new().await;
    let command_handler = test.command_handler().claiming::<Counter>(distinct_totals);
    let [a, b] = [(); 2].map(|()| Uuid::now_v7());
    run(&command_handler, call(a, "a", 5)).await.unwrap();
    run(&command_handler, call(b, "b", 3)).await.unwrap();
    // Takes itself for new and would take 5, which is held by the other; at 3 it takes 8.
    let creating = CommandRequest {
        creates: true,
        ..call(b, "b again", 5)
    };
    assert_eq!(
        run(&command_handler, creating).await.unwrap(),
        r#"{"total":8,"version":2,"position":3}"#
    );
}

#[tokio::test]
async fn a_command_that_decides_nothing_writes_nothing_if_no_outcome_is_wanted() {
    let test = TestLog::new().await;
    let (command_handler, id) = (test.command_handler().without_empty_outcomes(), Uuid::now_v7());
    run(&command_handler, call(id, "a", 2)).await.unwrap();
    let idle = r#"{"total":2,"version":1,"position":1}"#;
    assert_eq!(run(&command_handler, call(id, "idle", 0)).await.unwrap(), idle);
    let together = command_handler
        .together::<BelowZero, _>(key("idle together"), Metadata::default(), |unit| async move {
            let mut counter = unit.load::<Counter>(id).await?;
            unit.handle(&mut counter, Count(0)).await?;
            Ok(json!({"total": counter.aggregate.total}))
        })
        .await
        .unwrap();
    assert_eq!(together.body, r#"{"total":2,"position":1}"#);
    for name in ["idle", "idle together"] {
        assert_eq!(test.log.outcome("test", name).await.unwrap(), None);
    }
    // The key of what was decided has its answer as before.
    let mut used = call(id, "a", 2);
    assert_eq!(run(&command_handler, used.clone()).await.unwrap(), idle);
    used.key.request_hash = [9; 32];
    assert!(run(&command_handler, used).await.is_err());
}

#[tokio::test]
async fn the_cqrs_es_framework_runs_on_the_log() {
    let test = TestLog::new().await;
    let (id, store) = (Uuid::now_v7().to_string(), test.command_handler());
    let framework = CqrsFramework::<Counter, _>::new(store.clone(), vec![], ());
    let metadata = HashMap::from([("request_id".to_owned(), "r-7".to_owned())]);
    framework
        .execute_with_metadata(&id, Count(2), metadata)
        .await
        .unwrap();
    framework.execute(&id, Count(3)).await.unwrap();
    let refused = framework.execute(&id, Count(-9)).await;
    assert!(
        matches!(refused, Err(AggregateError::UserError(BelowZero))),
        "{refused:?}"
    );
    let events = EventStore::<Counter>::load_events(&store, &id).await.unwrap();
    assert_eq!(
        events.iter().map(|event| event.sequence).collect::<Vec<_>>(),
        [1, 2]
    );
    let recorded = test.log.read_after(Position::START, 10).await.unwrap();
    assert_eq!(recorded[0].metadata.request_id.as_deref(), Some("r-7"));
    // Two loaded at the same version: the second one loses.
    let stale = EventStore::<Counter>::load_aggregate(&store, &id).await.unwrap();
    framework.execute(&id, Count(1)).await.unwrap();
    let late = EventStore::<Counter>::commit(
        &store,
        vec![crate::support::CounterEvent::Counted { by: 1 }],
        stale,
        HashMap::new(),
    )
    .await;
    assert!(matches!(late, Err(AggregateError::AggregateConflict)));
}
