//! What is counted, for whom, and that it is exact.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use service::limits::Reader;
use stack::shared;

use crate::support::{
    Instance, PATIENT_MS, address, admits, connection, customer, left, retry_after, say, secret,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_come_at_once_through_two_instances_a_burst_gets_in_and_no_more() {
    let servers = shared().await.unwrap();
    let (url, secret) = (servers.redis().url(), secret());
    // One request comes back each 72 seconds.
    let limits = "customer=50/h:50,address=off";
    let start = || Instance::start(url, PATIENT_MS, limits, &secret);
    let (one, other) = tokio::join!(start(), start());
    let kari = customer(1, "198.51.100.1");
    let requests = (0..400).map(|number| {
        let instance = if number % 2 == 0 { &one } else { &other };
        let limiter = instance.limiter.clone();
        tokio::spawn(async move { limiter.check(&kari).await })
    });
    let verdicts = join_all(requests).await.into_iter().map(Result::unwrap);
    let (refused, admitted): (Vec<_>, Vec<_>) = verdicts.partition(|verdict| verdict.refusal().is_some());
    assert_eq!((admitted.len(), refused.len()), (50, 350));
    // Each saw what the others had left.
    let seen: BTreeSet<u64> = admitted.iter().map(|verdict| left(verdict, "customer")).collect();
    assert_eq!(seen, (0..50).collect());
    for verdict in &refused {
        assert_eq!(left(verdict, "customer"), 0);
        let wait = retry_after(verdict);
        assert!((1..=72).contains(&wait), "{wait}");
    }
    assert!(
        admits(&one, &customer(2, "198.51.100.1")).await,
        "another customer"
    );
}

#[tokio::test]
async fn a_request_is_charged_to_its_address_and_its_reader_or_to_none() {
    let servers = shared().await.unwrap();
    let limits = "address=60/h:10,public=60/h:4,customer=60/h:3,webhook=60/h:2";
    let instance = Instance::start(servers.redis().url(), PATIENT_MS, limits, &secret()).await;
    let home = "198.51.100.7";
    for _ in 0..3 {
        assert!(admits(&instance, &customer(1, home)).await);
    }
    for _ in 0..5 {
        let refused = instance.limiter.check(&customer(1, home)).await;
        assert!(refused.refusal().is_some());
        assert_eq!(
            left(&refused, "address"),
            7,
            "a refused request costs the neighbours nothing"
        );
    }
    // The others behind the same address, until it is used up.
    let anonymous = Reader::Anonymous(address(home));
    let mut admitted = 0;
    for reader in [
        anonymous,
        customer(2, home),
        anonymous,
        customer(3, home),
        anonymous,
        customer(4, home),
    ] {
        admitted += usize::from(admits(&instance, &reader).await);
    }
    assert_eq!(admitted, 6);
    let last = instance.limiter.check(&customer(5, home)).await;
    assert!(last.refusal().is_none());
    assert_eq!(left(&last, "address"), 0);
    let refused = instance
        .limiter
        .check(&customer(6, home))
        .await
        .refusal()
        .unwrap();
    assert_eq!((refused.status().as_u16(), refused.code()), (429, "rate_limited"));
    assert!(
        refused.message_en().contains("network"),
        "it is not this customer's fault"
    );
    // A provider has a limit of its own.
    let provider = Reader::Provider(address(home));
    let got_in = [(); 3].map(|()| provider);
    let got_in = join_all(got_in.iter().map(|provider| admits(&instance, provider))).await;
    assert_eq!(got_in.iter().filter(|admitted| **admitted).count(), 2);
    // And the same person has one limit, wherever they are.
    assert!(!admits(&instance, &customer(1, "203.0.113.1")).await);
}

#[tokio::test]
async fn a_subscriber_of_ipv6_is_one_address() {
    let servers = shared().await.unwrap();
    let limits = "public=60/h:1";
    let instance = Instance::start(servers.redis().url(), PATIENT_MS, limits, &secret()).await;
    for (text, expected) in [
        ("2001:db8:1:2:3::4", true),
        ("2001:db8:1:2:ffff::", false),
        ("2001:db8:1:3::", true),
        ("198.51.100.1", true),
        ("::ffff:198.51.100.1", false),
        ("198.51.100.2", true),
    ] {
        let admitted = admits(&instance, &Reader::Anonymous(address(text))).await;
        assert_eq!(admitted, expected, "{text}");
    }
}

#[tokio::test]
async fn redis_holds_no_address_and_no_user_and_nothing_for_long() {
    let servers = shared().await.unwrap();
    let url = servers.redis().url();
    let mut look = connection(url).await;
    let before: BTreeSet<String> = keys(&mut look).await;
    let limits = "address=60/min:10,customer=60/min:5";
    let instance = Instance::start(url, PATIENT_MS, limits, &secret()).await;
    assert!(admits(&instance, &customer(0x00C0_FFEE, "198.51.100.1")).await);
    let after = keys(&mut look).await;
    let ours: Vec<&String> = after
        .difference(&before)
        .filter(|key| key.contains(":test:"))
        .collect();
    // Other tests share this Redis.
    assert!(ours.len() >= 2, "{after:?}");
    for key in ours {
        assert!(!key.contains("198.51") && !key.contains("c0ffee"), "{key}");
        let left: i64 = say(&mut look, &format!("PTTL {key}")).await.unwrap();
        assert!(
            left == -2 || (1..=3_600_000).contains(&left),
            "{key} stays for {left} ms"
        );
    }
}

async fn keys(look: &mut redis::aio::MultiplexedConnection) -> BTreeSet<String> {
    say(look, "KEYS bilsport:limit:*").await.unwrap()
}
