//! Two projectors: one follows the log, the other takes over when the first is killed or paused, and nothing is applied twice.

use std::time::Duration;

use serde_json::Value;
use stack::{Options, Process};
use system_tests::books::rows_equal_a_replay;
use system_tests::{Shop, eventually, eventually_within};

/// A few times as long as a standby may take: the machine may be busy.
const TAKEOVER: Duration = Duration::from_secs(15);

fn ops_url(shop: &Shop, process: Process) -> String {
    match process {
        Process::Projector2 => shop.system.second_projector_ops_url(),
        _ => shop.system.projector_ops_url(),
    }
}

async fn leads(shop: &Shop, process: Process) -> Option<bool> {
    let text = shop.ops(&ops_url(shop, process), "metrics").await.ok()?.text;
    let line = text
        .lines()
        .find(|line| line.starts_with("bilsport_projector_leading{"))?;
    Some(line.ends_with(" 1"))
}

async fn readiness(shop: &Shop, process: Process) -> Option<(u16, Value)> {
    let answer = shop.ops(&ops_url(shop, process), "health/ready").await.ok()?;
    Some((answer.status.as_u16(), answer.body))
}

/// Which of them leads, and the other one.
async fn by_leadership(shop: &Shop) -> [Process; 2] {
    let [one, other] = [Process::Projector, Process::Projector2];
    let first = eventually("one leads, the other stands by", async || {
        let (first, second) = (leads(shop, one).await?, leads(shop, other).await?);
        (first != second).then_some(first)
    })
    .await;
    if first { [one, other] } else { [other, one] }
}

#[tokio::test]
async fn a_standby_is_ready_and_takes_over_from_a_killed_and_from_a_paused_leader() {
    let shop = Shop::open(Options {
        second_projector: true,
        ..Options::default()
    })
    .await;
    for (round, pauses) in [false, true].into_iter().enumerate() {
        let [leader, standby] = by_leadership(&shop).await;
        let (status, ready) = eventually("the standby says that it stands by", async || {
            let (status, ready) = readiness(&shop, standby).await?;
            ready
                .to_string()
                .contains("standing by")
                .then_some((status, ready))
        })
        .await;
        assert_eq!(
            (status, &ready["status"]),
            (200, &Value::from("ready")),
            "{ready}"
        );
        if pauses {
            shop.system.pause(leader).unwrap();
        } else {
            shop.system.kill(leader).await.unwrap();
        }
        let holder = ["Ola Nordmann", "Liv Nordmann"][round];
        let placed = shop
            .place(&format!("after{round}"), &shop.order_for(holder))
            .await
            .expect(201);
        let path = format!("/orders/{}", placed.text_at("/order_id"));
        eventually_within(TAKEOVER, "the standby has taken over", async || {
            let order = shop.get(&path, &shop.tokens.staff).await;
            (order.status == 200).then_some(())
        })
        .await;
        if pauses {
            shop.system.resume(leader).unwrap();
        }
        shop.system.wait_ready(leader).await.unwrap();
        // A former leader that goes on does no harm, and stands by.
        eventually("one of them leads again", async || {
            let both = (leads(&shop, leader).await?, leads(&shop, standby).await?);
            (both.0 != both.1).then_some(())
        })
        .await;
    }
    rows_equal_a_replay(&shop).await;
    shop.close().await;
}
