//! Messages from outside that were dealt with.

use std::time::Duration;

use event_store::Inbox;

use crate::support::{TestLog, pool};

#[tokio::test]
async fn a_message_is_known_by_source_and_key_until_it_is_old() {
    let log = TestLog::new().await;
    let inbox = Inbox::new(pool(&log.url));
    assert!(!inbox.has("a", b"1").await.unwrap());
    for _ in 0..2 {
        inbox.remember("a", b"1").await.unwrap();
    }
    inbox.remember("a", b"2").await.unwrap();
    assert!(inbox.has("a", b"1").await.unwrap());
    assert!(!inbox.has("b", b"1").await.unwrap());
    assert!(!inbox.has("a", b"11").await.unwrap());

    let age = "update inbox_messages set dealt_with_at = now() - interval '9 days' where key = '1'";
    log.client().await.batch_execute(age).await.unwrap();
    let week = Duration::from_hours(8 * 24);
    assert_eq!(inbox.forget("b", week).await.unwrap(), 0);
    assert_eq!(inbox.forget("a", week).await.unwrap(), 1);
    assert!(!inbox.has("a", b"1").await.unwrap());
    assert!(inbox.has("a", b"2").await.unwrap());
}
