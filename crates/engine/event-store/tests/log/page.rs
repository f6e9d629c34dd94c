//! A page of the log: events and head of one moment.

use envelope::{LogPage, Position};
use event_store::{AppenderOptions, Error};
use uuid::Uuid;

use crate::support::{TestLog, append, key};

#[tokio::test]
async fn a_page_is_what_two_reads_would_give_if_nothing_happened_between() {
    let test = TestLog::new().await;
    let empty = test.log.read_page(Position::START, 10).await.unwrap();
    assert_eq!(empty.events, []);
    assert_eq!(empty.head, test.log.head().await.unwrap());

    let (appender, id) = (test.appender(AppenderOptions::default()), Uuid::now_v7());
    for sequence in 1..=5 {
        let append = append(key(sequence.to_string()), id, sequence);
        appender.append(append).await.unwrap();
    }
    let head = test.log.head().await.unwrap();
    for (after, limit) in [(0, 10), (0, 2), (3, 10), (4, 0), (5, 10), (9, 10)] {
        let after = Position::new(after);
        let events = test.log.read_after(after, limit).await.unwrap();
        let page = test.log.read_page(after, limit).await.unwrap();
        assert_eq!(page, LogPage { head, events }, "{limit} after {after}");
    }
}

#[tokio::test]
async fn a_page_with_a_hole_is_an_error() {
    let test = TestLog::new().await;
    let (appender, id) = (test.appender(AppenderOptions::default()), Uuid::now_v7());
    for sequence in 1..=5 {
        let append = append(key(sequence.to_string()), id, sequence);
        appender.append(append).await.unwrap();
    }
    let client = test.client().await;
    let lose = "alter table events disable trigger events_are_final; delete from events where position = 3";
    client.batch_execute(lose).await.unwrap();
    for after in [0, 1, 2] {
        let error = test.log.read_page(Position::new(after), 10).await.unwrap_err();
        assert!(
            matches!(&error, Error::Broken(what) if what.contains("missing")),
            "{after}: {error}"
        );
    }
    assert_eq!(
        test.log
            .read_page(Position::new(3), 10)
            .await
            .unwrap()
            .events
            .len(),
        2
    );
}
