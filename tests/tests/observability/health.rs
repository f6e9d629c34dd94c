//! Readiness while a server is down: which programs stay ready, and the reasons they report.

use serde_json::Value;
use stack::{Options, Process};
use system_tests::{Shop, eventually};

/// An answer of `/health/ready`.
#[derive(Debug)]
struct Ready {
    yes: bool,
    body: Value,
}

impl Ready {
    /// The reason of a check.
    fn reason(&self, check: &str) -> Option<&str> {
        self.body["checks"]
            .as_array()?
            .iter()
            .find(|one| one["name"] == check)?["reason"]
            .as_str()
    }

    /// Whether a check passes.
    fn passes(&self, check: &str) -> bool {
        let checks = self.body["checks"].as_array().expect("checks");
        checks.iter().any(|one| one["name"] == check && one["ok"] == true)
    }
}

async fn ready(shop: &Shop, ops: &str) -> Ready {
    let answer = shop.ops(ops, "health/ready").await.expect("an answer");
    let yes = answer.status == 200;
    assert!(yes || answer.status == 503, "{}", answer.status);
    let body = answer.body;
    assert_eq!(body["status"], if yes { "ready" } else { "not_ready" });
    Ready { yes, body }
}

async fn becomes(shop: &Shop, ops: &str, what: &str, condition: impl Fn(&Ready) -> bool) {
    eventually(&format!("{ops} {what}"), async || {
        condition(&ready(shop, ops).await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn readiness_says_who_can_work_and_why_not() {
    let shop = Shop::open_private(Options::default()).await;
    let (command, query, projector) = (
        shop.system.command_ops_url(),
        shop.system.query_ops_url(),
        shop.system.projector_ops_url(),
    );
    let all = [&command, &query, &projector];
    for ops in all {
        becomes(&shop, ops, "is ready", |ready| ready.yes).await;
    }

    // Nothing that matters lives in Redis or NATS.
    shop.system.stop_one(Process::Redis).await.unwrap();
    shop.system.stop_one(Process::Nats).await.unwrap();
    becomes(&shop, &projector, "says that it does without NATS", |ready| {
        ready.yes
            && ready
                .reason("nats")
                .is_some_and(|reason| reason.contains("event database instead"))
    })
    .await;
    for ops in [&command, &query] {
        becomes(&shop, ops, "says that it does without Redis", |ready| {
            ready.yes
                && ready
                    .reason("redis")
                    .is_some_and(|reason| reason.starts_with("Redis is not used"))
        })
        .await;
    }
    let placed = shop
        .place("without-nats", &shop.order_of("without-nats"))
        .await
        .expect(201);
    shop.at_provider(&placed, "approve").await.expect(200);
    shop.order_with_status(placed.text_at("/order_id"), "fulfilled")
        .await;
    shop.system.start_one(Process::Redis).await.unwrap();
    shop.system.start_one(Process::Nats).await.unwrap();
    becomes(&shop, &projector, "has NATS again", |ready| {
        ready.yes && ready.reason("nats").is_none()
    })
    .await;

    // A database that keeps its connections and answers nothing.
    shop.system.pause(Process::Postgres).unwrap();
    for (ops, check) in [
        (&command, "postgres"),
        (&query, "postgres"),
        (&projector, "postgres_read"),
    ] {
        becomes(&shop, ops, "is not ready", |ready| {
            !ready.yes && !ready.passes(check) && ready.reason(check).is_some()
        })
        .await;
        let live = shop.ops(ops, "health/live").await.unwrap();
        assert_eq!(live.status, 200);
        let metrics = shop.ops(ops, "metrics").await.unwrap().text;
        let failing = metrics.lines().any(|line| {
            line.starts_with("bilsport_health_check_ok{")
                && line.contains(&format!("check=\"{check}\""))
                && line.ends_with(" 0")
        });
        assert!(failing, "{metrics}");
    }
    shop.system.resume(Process::Postgres).unwrap();
    for ops in all {
        becomes(&shop, ops, "is ready again", |ready| ready.yes).await;
    }
    let placed = shop
        .place("after-the-pause", &shop.order_of("after-the-pause"))
        .await
        .expect(201);
    shop.order_with_status(placed.text_at("/order_id"), "payment_pending")
        .await;
    shop.close().await;
}
