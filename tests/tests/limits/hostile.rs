//! Values in Redis that the script never wrote, or wrote under another clock or another limit.

use service::limits::Reader;
use stack::Servers;

use crate::support::{Instance, PATIENT_MS, address, admits, connection, left, retry_after, say, secret};

#[tokio::test]
async fn whatever_a_key_holds_a_reader_waits_for_one_request_at_most() {
    let servers = Servers::temporary().await.unwrap();
    let url = servers.redis().url();
    let mut look = connection(url).await;
    let limits = "address=off,public=60/min:5";
    let instance = Instance::start(url, PATIENT_MS, limits, &secret()).await;
    let reader = Reader::Anonymous(address("198.51.100.1"));
    assert!(admits(&instance, &reader).await);
    let [key]: [String; 1] = say::<Vec<_>>(&mut look, "KEYS bilsport:limit:*")
        .await
        .unwrap()
        .try_into()
        .unwrap();
    let held: u64 = say(&mut look, &format!("GET {key}")).await.unwrap();
    let [seconds, micros]: [u64; 2] = say::<Vec<_>>(&mut look, "TIME")
        .await
        .unwrap()
        .try_into()
        .unwrap();
    let now = seconds * 1_000_000 + micros;
    assert!(
        held.abs_diff(now) <= 60_000_000,
        "{held} is no moment of Redis's clock"
    );

    // Nothing that is no moment, or a moment that is over.
    for nothing in ["x", "nan", "-nan", "-1", "-inf", "", "12a", "1", "0x1"] {
        put(&mut look, &key, nothing).await;
        let verdict = instance.limiter.check(&reader).await;
        assert!(verdict.refusal().is_none(), "{nothing}");
        assert_eq!(left(&verdict, "public"), 4, "{nothing}");
    }
    // Another type.
    let _: u64 = say(&mut look, &format!("DEL {key}")).await.unwrap();
    let _: u64 = say(&mut look, &format!("LPUSH {key} 1")).await.unwrap();
    assert!(admits(&instance, &reader).await);
    // Later than any moment of these limits: the clock was ahead, or a burst was larger.
    for late in [
        "inf",
        "1e300",
        "99999999999999999999",
        &(held + 3_600_000_000).to_string(),
    ] {
        put(&mut look, &key, late).await;
        let verdict = instance.limiter.check(&reader).await;
        assert_eq!(left(&verdict, "public"), 0, "{late}");
        assert_eq!(retry_after(&verdict), 1, "{late}");
        let healed: u64 = say(&mut look, &format!("GET {key}")).await.unwrap();
        assert!(healed <= now + 65_000_000 + 60_000_000, "{late} became {healed}");
    }
    assert!(instance.redis.is_connected(), "none of that takes Redis away");
    servers.stop().await;
}

async fn put(look: &mut redis::aio::MultiplexedConnection, key: &str, value: &str) {
    let _: String = redis::cmd("SET")
        .arg(key)
        .arg(value)
        .query_async(look)
        .await
        .unwrap();
}
