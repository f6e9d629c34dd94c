//! Repeats of recent commands: answered from memory while the database works for others, and never wrongly.

use event_store::{Append, AppendError, Appender, AppenderOptions};
use uuid::Uuid;

use crate::support::{TestLog, append, in_one_batch_of, key};

fn fresh() -> Append {
    append(key(Uuid::now_v7().to_string()), Uuid::now_v7(), 1)
}

fn named(name: &str) -> Append {
    append(key(name), Uuid::now_v7(), 1)
}

/// Changes the answers that the database keeps, so that they differ from those in memory.
async fn mark_stored(test: &TestLog) {
    let mark = r#"update commands set response = '{"from":"the database"}'"#;
    test.client().await.batch_execute(mark).await.unwrap();
}

/// Whether the answer to a repeat of `name`, sent with another command, is the one in memory.
async fn remembered(test: &TestLog, appender: &Appender, name: &str) -> bool {
    let outcomes = in_one_batch_of(test, appender, vec![fresh(), named(name)]).await;
    let repeat = outcomes[1].as_ref().unwrap();
    assert!(outcomes[0].is_ok() && repeat.replayed, "{outcomes:?}");
    repeat.response == r#"{"sequence":1}"#
}

/// Takes the last events away, as a log restored to an earlier point lacks them, on connections that live on.
async fn cut(test: &TestLog, keep: i64) {
    let cut = format!(
        "alter table events disable trigger all;
         delete from events where position > {keep};
         delete from commands where position > {keep};
         update log_head set position = {keep};
         alter table events enable trigger all;"
    );
    test.client().await.batch_execute(&cut).await.unwrap();
}

#[tokio::test]
async fn a_repeat_beside_others_costs_the_database_nothing_and_one_alone_asks_it() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    appender.append(named("k")).await.unwrap();
    mark_stored(&test).await;
    assert!(remembered(&test, &appender, "k").await);
    let mut other = named("k");
    other.key.request_hash = [2; 32];
    let outcomes = in_one_batch_of(&test, &appender, vec![fresh(), other]).await;
    assert_eq!(outcomes[1], Err(AppendError::KeyReused));
    let alone = appender.append(named("k")).await.unwrap();
    assert_eq!(
        (alone.replayed, alone.response.as_str()),
        (true, r#"{"from":"the database"}"#)
    );
}

#[tokio::test]
async fn memory_is_bounded_and_may_be_none() {
    let test = TestLog::new().await;
    let with = |recent_outcomes| {
        test.appender(AppenderOptions {
            recent_outcomes,
            ..AppenderOptions::default()
        })
    };
    let (small, none) = (with(4), with(0));
    for name in ["a", "b", "c", "d", "e"] {
        small.append(named(name)).await.unwrap();
    }
    none.append(named("f")).await.unwrap();
    mark_stored(&test).await;
    assert!(remembered(&test, &small, "e").await);
    assert!(!remembered(&test, &small, "a").await, "the oldest is forgotten");
    assert!(!remembered(&test, &none, "f").await);
}

/// Also without memory: what repeats within one batch needs the database once.
#[tokio::test]
async fn many_repeats_in_one_batch_are_one_command() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions {
        recent_outcomes: 0,
        ..AppenderOptions::default()
    });
    let outcomes = in_one_batch_of(&test, &appender, (0..20).map(|_| named("k")).collect()).await;
    let replayed = outcomes
        .iter()
        .filter(|outcome| outcome.as_ref().unwrap().replayed);
    assert_eq!(replayed.count(), 19);
    // One that came when the memory was gone again asks the database.
    mark_stored(&test).await;
    assert!(!remembered(&test, &appender, "k").await);
}

#[tokio::test]
async fn what_another_life_of_the_log_answered_is_forgotten() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    for name in ["a", "b"] {
        appender.append(named(name)).await.unwrap();
    }
    mark_stored(&test).await;
    cut(&test, 1).await;
    let ends = test.log.head().await.unwrap().epoch;
    test.log.begin_epoch(ends, "restored").await.unwrap().unwrap();
    let outcomes = in_one_batch_of(&test, &appender, vec![fresh(), named("b")]).await;
    let again = outcomes[1].as_ref().unwrap();
    assert!(!again.replayed, "it is not in this epoch: {again:?}");
    assert!(!remembered(&test, &appender, "a").await);
}

/// The log was restored without a new epoch.
#[tokio::test]
async fn a_log_that_stepped_back_silently_is_noticed() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    for name in ["a", "b", "c"] {
        appender.append(named(name)).await.unwrap();
    }
    cut(&test, 1).await;
    // Two repeats, so that one waits for the other's answer.
    let outcomes = in_one_batch_of(&test, &appender, vec![named("b"), named("c"), fresh()]).await;
    for again in &outcomes[..2] {
        assert!(!again.as_ref().unwrap().replayed, "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_repeat_in_the_batch_of_its_first_attempt_gets_that_ones_answer_or_its_own() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let known = Uuid::now_v7();
    appender.append(append(key("known"), known, 1)).await.unwrap();
    let other_hash = |mut append: Append| {
        append.key.request_hash = [2; 32];
        append
    };
    let outcomes = in_one_batch_of(
        &test,
        &appender,
        vec![
            named("twice"),
            named("twice"),
            other_hash(named("twice")),
            // Refused, so that the key stays unused.
            append(key("second try"), known, 1),
            other_hash(append(key("second try"), known, 2)),
        ],
    )
    .await;
    let replayed = |n: usize| outcomes[n].as_ref().map(|outcome| outcome.replayed).ok();
    assert_eq!(
        (replayed(0), replayed(1)),
        (Some(false), Some(true)),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[2], Err(AppendError::KeyReused));
    assert!(matches!(outcomes[3], Err(AppendError::Conflict(_))));
    assert_eq!(replayed(4), Some(false));
    let kept = test.log.outcome("test", "second try").await.unwrap().unwrap();
    assert_eq!(
        kept.request_hash, [2; 32],
        "nothing was answered that is not committed"
    );
}
