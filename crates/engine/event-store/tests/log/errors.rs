//! Driver errors, by what the caller can do about them.

use envelope::Position;
use event_store::{AppenderOptions, Error, Log};
use uuid::Uuid;

use crate::support::{TestLog, append, key, pool};

async fn log_with_one_event() -> TestLog {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    appender
        .append(append(key("one"), Uuid::now_v7(), 1))
        .await
        .unwrap();
    test
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable() {
    let test = log_with_one_event().await;
    let nowhere = Log::connect("postgres://app@127.0.0.1:1/events", 1).unwrap();
    let away = nowhere.head().await;
    assert!(matches!(away, Err(Error::Unavailable(_))), "{away:?}");
    // A statement that the database gives up on, and a session that it ends: both may succeed later.
    let slow = format!(
        "{}{}options=-c%20statement_timeout=1",
        test.url,
        if test.url.contains('?') { '&' } else { '?' }
    );
    let slow = Log::new(pool(&slow));
    let mut blocker = test.client().await;
    let held = blocker.transaction().await.unwrap();
    held.batch_execute("lock table log_head in access exclusive mode")
        .await
        .unwrap();
    let timed_out = slow.head().await;
    assert!(
        matches!(&timed_out, Err(Error::Unavailable(why)) if why.contains("57014")),
        "{timed_out:?}"
    );
}

#[tokio::test]
async fn what_waiting_does_not_mend_is_refused() {
    let test = log_with_one_event().await;
    let client = test.client().await;
    client
        .batch_execute("alter table events rename to elsewhere")
        .await
        .unwrap();
    let gone = test.log.read_after(Position::START, 10).await;
    assert!(
        matches!(&gone, Err(Error::Refused(why)) if why.contains("42P01")),
        "{gone:?}"
    );
}

#[tokio::test]
async fn an_answer_of_other_types_is_unreadable_and_not_unavailable() {
    let test = log_with_one_event().await;
    let client = test.client().await;
    let other_types = "alter table events rename to kept;
        create view events as select position, aggregate_type, aggregate_id::text as aggregate_id, sequence, event_type,
            event_version, payload, metadata, recorded_at from kept";
    client.batch_execute(other_types).await.unwrap();
    let other = test.log.read_after(Position::START, 10).await;
    assert!(
        matches!(&other, Err(Error::Unreadable(why)) if why.contains("column")),
        "{other:?}"
    );
    let fewer_columns = "drop view events; create view events as select * from kept;
        alter table log_head rename to head_kept; create view log_head as select null::bigint as position, epoch from head_kept";
    client.batch_execute(fewer_columns).await.unwrap();
    let none = test.log.head().await;
    assert!(matches!(none, Err(Error::Unreadable(_))), "{none:?}");
}
