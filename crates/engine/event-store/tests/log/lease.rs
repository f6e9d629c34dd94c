//! One leads, the others stand by.

use std::time::Duration;

use event_store::Lease;

use crate::support::{TestLog, eventually, pool};

#[tokio::test]
async fn one_leads_until_it_lets_go() {
    let test = TestLog::new().await;
    let lease = || Lease::new(pool(&test.url), "relay", Duration::from_mins(1));
    let (one, other) = (lease(), lease());
    assert!(one.hold().await.unwrap());
    assert!(one.hold().await.unwrap(), "renewed");
    assert!(!other.hold().await.unwrap());
    other.release().await.unwrap();
    assert!(!other.hold().await.unwrap(), "nobody lets go for somebody else");
    one.release().await.unwrap();
    assert!(other.hold().await.unwrap());
    // Another name is another lease.
    assert!(
        Lease::new(pool(&test.url), "sealer", Duration::from_mins(1))
            .hold()
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_is_taken_over_and_the_old_owner_learns_of_it() {
    let test = TestLog::new().await;
    let lease = |lasts| Lease::new(pool(&test.url), "relay", lasts);
    let (paused, next) = (lease(Duration::from_millis(100)), lease(Duration::from_mins(1)));
    assert!(paused.hold().await.unwrap());
    eventually("it runs out", async || next.hold().await.unwrap().then_some(())).await;
    assert!(!paused.hold().await.unwrap());
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_leads() {
    let test = TestLog::new().await;
    let leases: Vec<Lease> = (0..8)
        .map(|_| Lease::new(pool(&test.url), "relay", Duration::from_mins(1)))
        .collect();
    let held = futures_util::future::join_all(leases.iter().map(Lease::hold)).await;
    assert_eq!(held.into_iter().filter(|held| *held.as_ref().unwrap()).count(), 1);
}
