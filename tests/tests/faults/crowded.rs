//! Requests hold all of their connections. Leadership, delivery and readiness are not affected.

use std::time::{Duration, Instant};

use serde_json::json;
use stack::{Options, Process};
use system_tests::{Shop, eventually};
use tokio_postgres::NoTls;
use uuid::Uuid;

/// Longer than the leader's lease, the readiness check's patience and the wait for a connection together.
const HELD: Duration = Duration::from_secs(30);

#[tokio::test]
async fn requests_that_hold_every_connection_leave_leadership_and_readiness_alone() {
    let shop = Shop::open(Options::default()).await;
    let ops = shop.system.command_ops_url();
    let (owner, connection) = tokio_postgres::connect(&shop.system.databases().events_owner, NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let leader = async || -> Uuid {
        let row = owner.query_one("select holder from leases", &[]).await.unwrap();
        row.get(0)
    };
    let led_by = leader().await;
    // A refused command reads the answer stored under its key, and waits for this lock.
    owner
        .batch_execute("begin; lock table commands in access exclusive mode")
        .await
        .unwrap();
    let crowd = async {
        let refused = json!({"lines": [], "payment_provider": "vipps", "accept_terms_version": "2026-01"});
        let one = async |n: usize| shop.place(&format!("crowd-{n}"), &refused).await.status.as_u16();
        futures_util::future::join_all((0..40).map(one)).await
    };
    let watch = async {
        eventually("every connection of the requests is in use", async || {
            let waiting = shop.command_metric("bilsport_pool_waiting", "events").await;
            waiting.filter(|count| *count >= 1.0)
        })
        .await;
        let until = Instant::now() + HELD;
        let mut pace = tokio::time::interval(Duration::from_millis(200));
        while Instant::now() < until {
            pace.tick().await;
            let ready = shop.ops(&ops, "health/ready").await.unwrap();
            assert_eq!(ready.status, 200, "{}", ready.text);
            assert_eq!(leader().await, led_by);
            let leads = shop.command_metric("bilsport_relay_leader", "command-api").await;
            assert_eq!(leads, Some(1.0));
        }
        owner.batch_execute("commit").await.unwrap();
    };
    let (answers, ()) = tokio::join!(crowd, watch);
    assert!(
        answers.iter().all(|status| [422, 503].contains(status)),
        "{answers:?}"
    );
    assert_eq!(shop.system.restarts(Process::CommandApi).unwrap(), 0);
    shop.place("after", &shop.order_of("after")).await.expect(201);
    shop.close().await;
}
