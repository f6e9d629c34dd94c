//! Rehearsed commands: decided as they would be now, and not recorded.

use envelope::{Metadata, Position};
use event_store::{CommandError, CommandRequest, Guard};
use serde_json::json;
use uuid::Uuid;

use crate::support::{BelowZero, Count, Counter, TestLog, distinct_totals, key, owners};

#[tokio::test]
async fn a_rehearsed_command_is_decided_and_not_recorded() {
    let test = TestLog::new().await;
    let command_handler = test.command_handler().claiming::<Counter>(distinct_totals);
    let rehearsing = command_handler.clone().rehearsing();
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let request = |id, by, name: &str| CommandRequest::new(id, Count(by), key(name));
    let answer = |counter: &Counter, version| json!({"total": counter.total, "version": version});
    command_handler
        .execute(request(one, 3, "one"), answer)
        .await
        .unwrap();

    let rehearsed = rehearsing.execute(request(one, 4, "two"), answer).await.unwrap();
    assert_eq!(rehearsed.body, r#"{"total":7,"version":2,"position":1}"#);
    let refused = rehearsing
        .execute(request(one, -9, "three"), answer)
        .await
        .unwrap_err();
    assert!(matches!(refused, CommandError::Refused(BelowZero)));
    let taken = rehearsing
        .execute(request(other, 3, "four"), answer)
        .await
        .unwrap_err();
    let CommandError::ClaimTaken(taken) = taken else {
        panic!("{taken}")
    };
    assert_eq!((taken[0].key.as_str(), &*taken[0].owners), ("3", &[one][..]));
    // What the command itself gives back is free for it.
    rehearsing.execute(request(one, 0, "five"), answer).await.unwrap();
    rehearsing
        .execute(request(other, 4, "six"), answer)
        .await
        .unwrap();
    rehearsing
        .execute(request(other, 4, "six"), answer)
        .await
        .unwrap();

    let together = async |at_most: u32| {
        let rehearsed = rehearsing
            .together(key("seven"), Metadata::default(), |unit| async move {
                let mut counter = unit.load::<Counter>(other).await?;
                unit.handle(&mut counter, Count(8)).await?;
                unit.guard(Guard {
                    scope: "total".into(),
                    key: "3".into(),
                    at_most,
                });
                Ok::<_, CommandError<BelowZero>>(json!({}))
            })
            .await;
        rehearsed.is_ok()
    };
    assert!(together(1).await);
    assert!(!together(0).await, "more hold it than the command relies on");

    assert_eq!(test.log.head().await.unwrap().position, Position::new(1));
    assert_eq!(owners(&test, "total", "3").await, [(1, one)]);
    assert_eq!(owners(&test, "total", "4").await, []);
    // The keys are free.
    command_handler
        .execute(request(other, 5, "six"), answer)
        .await
        .unwrap();
}

#[tokio::test]
async fn stored_answers_are_found_by_their_keys_together() {
    let test = TestLog::new().await;
    let command_handler = test.command_handler();
    for (name, by) in [("a", 1), ("b", 2)] {
        let request = CommandRequest::new(Uuid::now_v7(), Count(by), key(name));
        let answer = |counter: &Counter, _| json!({"total": counter.total});
        command_handler.execute(request, answer).await.unwrap();
    }
    let mut of_another_request = key("a");
    of_another_request.request_hash = [7; 32];
    let keys = [key("c"), key("b"), of_another_request, key("a")];
    let answers = test.log.answers(&keys).await.unwrap();
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(
        (answers[&1].as_str(), answers[&3].as_str()),
        (r#"{"total":2}"#, r#"{"total":1}"#)
    );
    assert!(test.log.answers(&[]).await.unwrap().is_empty());
}
