//! Staged work: sealed, in order, and gone when it is done.

use std::time::Duration;

use event_store::{Chunk, Error};
use uuid::Uuid;

use crate::support::pool;
use crate::vault::Sealed;

const TEXT: &[u8] = b"[{\"name\":\"Kari Nordmann\"}]";

fn chunk(first: u32) -> Chunk {
    Chunk {
        first,
        content: [TEXT, first.to_string().as_bytes()].concat(),
    }
}

#[tokio::test]
async fn chunks_come_back_in_their_order_until_they_are_removed() {
    let log = Sealed::new().await;
    let staging = log.staging();
    let (work, other) = (Uuid::now_v7(), Uuid::now_v7());
    for first in [251, 1, 501] {
        staging.add(work, &chunk(first)).await.unwrap();
    }
    staging.add(other, &chunk(1)).await.unwrap();
    for (after, first) in [
        (0, Some(1)),
        (1, Some(251)),
        (250, Some(251)),
        (251, Some(501)),
        (501, None),
    ] {
        let next = staging.next(work, after).await.unwrap();
        assert_eq!(next, first.map(chunk), "after {after}");
    }
    staging.remove(work, 251).await.unwrap();
    assert_eq!(staging.next(work, 0).await.unwrap(), Some(chunk(501)));
    staging.remove(work, u32::MAX).await.unwrap();
    assert_eq!(staging.next(work, 0).await.unwrap(), None);
    assert_eq!(
        staging.next(other, 0).await.unwrap(),
        Some(chunk(1)),
        "other work stays"
    );
    assert!(
        staging.add(other, &chunk(1)).await.is_err(),
        "a chunk is staged once"
    );
}

#[tokio::test]
async fn the_database_holds_no_text_and_a_moved_chunk_does_not_open() {
    let log = Sealed::new().await;
    let staging = log.staging();
    let (work, other) = (Uuid::now_v7(), Uuid::now_v7());
    staging.add(work, &chunk(1)).await.unwrap();
    let client = pool(&log.test.url).get().await.unwrap();
    let stored: Vec<u8> = client
        .query_one("select content from staged_chunks", &[])
        .await
        .unwrap()
        .get(0);
    assert!(!stored.windows(4).any(|part| part == b"Kari"));
    for change in ["work_id = $1", "first = 2, work_id = coalesce(work_id, $1)"] {
        client.execute("delete from staged_chunks", &[]).await.unwrap();
        staging.add(work, &chunk(1)).await.unwrap();
        client
            .execute(&format!("update staged_chunks set {change}"), &[&other])
            .await
            .unwrap();
        let moved = if change.starts_with("work") { other } else { work };
        assert!(
            matches!(staging.next(moved, 0).await, Err(Error::Broken(_))),
            "{change}"
        );
    }
}

#[tokio::test]
async fn work_to_which_nothing_was_added_for_long_is_found() {
    let log = Sealed::new().await;
    let staging = log.staging();
    let (old, growing) = (Uuid::now_v7(), Uuid::now_v7());
    for (work, first) in [(old, 1), (old, 251), (growing, 1), (growing, 251)] {
        staging.add(work, &chunk(first)).await.unwrap();
    }
    let client = pool(&log.test.url).get().await.unwrap();
    let age =
        "update staged_chunks set staged_at = staged_at - interval '2 days' where work_id = $1 or first = 1";
    client.execute(age, &[&old]).await.unwrap();
    let found = staging.older_than(Duration::from_hours(24), 10).await.unwrap();
    assert_eq!(found, [old]);
    assert!(
        staging
            .older_than(Duration::from_hours(24), 0)
            .await
            .unwrap()
            .is_empty()
    );
}
