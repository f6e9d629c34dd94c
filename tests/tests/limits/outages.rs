//! Whatever happens to Redis: no check fails, each instance goes on with its share, and all count together again by
//! themselves.

use std::time::Duration;

use service::limits::Reader;
use stack::Servers;
use system_tests::eventually;

use crate::support::{Instance, PATIENT_MS, address, admits, connection, customer, left, say, secret};

/// A burst of ten for all, so of five for each of two instances.
const LIMITS: &str = "address=off,public=60/h:10,customer=60/h:10";
const BURST: usize = 10;
const SHARE: usize = 5;

/// How many of thirty requests of a new customer get in.
async fn admitted(instance: &Instance, number: u128) -> usize {
    let mut admitted = 0;
    for _ in 0..30 {
        admitted += usize::from(admits(instance, &customer(number, "198.51.100.1")).await);
    }
    admitted
}

/// Checks that each does without Redis, and says so, while it stays ready.
async fn go_on_alone(instances: [&Instance; 2], number: u128, outage: &str) {
    for instance in instances {
        goes_on_alone(instance, number, outage).await;
    }
}

async fn goes_on_alone(instance: &Instance, number: u128, outage: &str) {
    eventually(&format!("{outage}: Redis is not used"), async || {
        let (ready, reason) = instance.readiness();
        assert!(ready, "{outage}: {reason:?}");
        // A request finds the outage.
        admits(instance, &Reader::Anonymous(address("203.0.113.1"))).await;
        reason.filter(|reason| reason.starts_with("Redis is not used"))
    })
    .await;
    assert_eq!(admitted(instance, number).await, SHARE, "{outage}");
}

/// Checks that both count together again.
async fn count_together(instances: [&Instance; 2], number: u128, outage: &str) {
    eventually(&format!("{outage}: Redis is used again"), async || {
        let fine = instances
            .iter()
            .all(|instance| instance.readiness() == (true, None));
        fine.then_some(())
    })
    .await;
    for instance in instances {
        instance.is_connected().await;
    }
    let [one, other] = instances;
    assert_eq!(admitted(one, number).await, BURST, "{outage}");
    assert_eq!(
        admitted(other, number).await,
        0,
        "{outage}: the other instance had counted them"
    );
}

#[tokio::test]
async fn every_outage_leaves_each_instance_its_share_and_ends_by_itself() {
    let servers = Servers::temporary().await.unwrap();
    let redis = servers.redis();
    let (url, secret) = (redis.url(), secret());
    // Far longer than an answer takes, and short enough to wait for once in each outage.
    let start = || Instance::start(url, 1000, LIMITS, &secret);
    let (one, other) = tokio::join!(start(), start());
    let both = [&one, &other];
    count_together(both, 1, "at first").await;

    redis.pause().unwrap();
    go_on_alone(both, 10, "paused").await;
    redis.resume().unwrap();
    count_together(both, 11, "paused").await;

    redis.kill().await.unwrap();
    go_on_alone(both, 20, "killed").await;
    redis.start().await.unwrap();
    count_together(both, 21, "killed").await;

    let mut admin = connection(url).await;
    for (number, outage, begin, end) in [
        (
            30,
            "full",
            "CONFIG SET maxmemory 1 maxmemory-policy noeviction",
            "CONFIG SET maxmemory 0",
        ),
        (40, "read-only", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
        (
            50,
            "without permission",
            "ACL SETUSER default -evalsha",
            "ACL SETUSER default +evalsha",
        ),
        (
            60,
            "of another password",
            "CONFIG SET requirepass other",
            "CONFIG SET requirepass \"\"",
        ),
    ] {
        let _: String = say(&mut admin, begin).await.unwrap();
        if number == 60 {
            // Those that are logged in stay so.
            let _: u64 = say(&mut admin, "CLIENT KILL TYPE normal SKIPME yes")
                .await
                .unwrap();
        }
        go_on_alone(both, number, outage).await;
        // A word of the command: an empty password takes the quotes away.
        let end = end.replace("\"\"", "");
        let _: String = say(&mut admin, &end).await.unwrap();
        count_together(both, number + 1, outage).await;
    }
    servers.stop().await;
}

#[tokio::test]
async fn a_wiped_redis_starts_all_over_and_is_never_away() {
    let servers = Servers::temporary().await.unwrap();
    let url = servers.redis().url();
    let instance = Instance::start(url, PATIENT_MS, LIMITS, &secret()).await;
    let mut admin = connection(url).await;
    for wipe in ["FLUSHALL", "SCRIPT FLUSH"] {
        assert!(admitted(&instance, 1).await <= BURST);
        let _: String = say(&mut admin, wipe).await.unwrap();
        let verdict = instance.limiter.check(&customer(1, "198.51.100.1")).await;
        let expected = if wipe == "FLUSHALL" { 9 } else { 0 };
        assert_eq!(left(&verdict, "customer"), expected, "{wipe}");
        assert!(instance.redis.is_connected());
    }
    servers.stop().await;
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_waited_for_once_and_not_by_each_request() {
    let servers = Servers::temporary().await.unwrap();
    let redis = servers.redis();
    // A hundred waits of five seconds would take longer than this test may.
    let instance = Instance::start(redis.url(), PATIENT_MS, LIMITS, &secret()).await;
    redis.pause().unwrap();
    let checks = async {
        for number in 0..100 {
            assert!(admits(&instance, &customer(number, "198.51.100.1")).await);
        }
    };
    tokio::time::timeout(Duration::from_mins(1), checks)
        .await
        .unwrap();
    redis.resume().unwrap();
    servers.stop().await;
}

#[tokio::test]
async fn an_instance_starts_without_redis() {
    let servers = Servers::temporary().await.unwrap();
    let redis = servers.redis();
    let url = redis.url().to_owned();
    redis.stop().await.unwrap();
    let starting = tokio::spawn(async move { Instance::start(&url, PATIENT_MS, LIMITS, &secret()).await });
    redis.start().await.unwrap();
    let instance = starting.await.unwrap();
    assert_eq!(admitted(&instance, 1).await, BURST);
    servers.stop().await;
}
