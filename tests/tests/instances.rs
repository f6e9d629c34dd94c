//! Two instances of command-api: one leads, the other takes over when the leader is paused, and nothing is doubled.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::time::{Duration, Instant};

use serde_json::Value;
use stack::{Options, Process};
use system_tests::{Shop, eventually, eventually_within};

/// One of the two.
struct Instance {
    process: Process,
    url: String,
    ops_url: String,
}

/// Both, the one that leads first.
async fn by_leadership(shop: &Shop) -> [Instance; 2] {
    let system = &shop.system;
    let [first, second] = [
        Instance {
            process: Process::CommandApi,
            url: system.command_api_url(),
            ops_url: system.command_ops_url(),
        },
        Instance {
            process: Process::CommandApi2,
            url: system.second_command_api_url().unwrap(),
            ops_url: system.second_command_ops_url(),
        },
    ];
    let first_leads = eventually("one leads, the other stands by", async || {
        let (one, other) = (
            leads(shop, &first.ops_url).await?,
            leads(shop, &second.ops_url).await?,
        );
        (one != other).then_some(one)
    })
    .await;
    if first_leads {
        [first, second]
    } else {
        [second, first]
    }
}

async fn leads(shop: &Shop, ops_url: &str) -> Option<bool> {
    let text = shop.ops(ops_url, "metrics").await.ok()?.text;
    let line = text
        .lines()
        .find(|line| line.starts_with("bilsport_relay_leader"))?;
    Some(line.ends_with(" 1"))
}

#[tokio::test]
async fn a_paused_leader_is_replaced_and_does_no_harm_when_it_comes_back() {
    let options = Options {
        second_command_api: true,
        ..Options::default()
    };
    let shop = Shop::open(options).await;
    let [leader, standby] = by_leadership(&shop).await;

    shop.system.pause(leader.process).unwrap();
    eventually("the other leads", async || {
        leads(&shop, &standby.ops_url).await.filter(|leads| *leads)
    })
    .await;
    let order = shop
        .http()
        .post(format!("{}/api/v1/orders", standby.url))
        .bearer_auth(&shop.tokens.customer)
        .header("Idempotency-Key", "k")
        .json(&shop.order());
    let placed: Value = order.send().await.unwrap().json().await.unwrap();
    let (order_id, position) = (
        placed["order_id"].as_str().unwrap(),
        placed["position"].as_u64().unwrap(),
    );
    let context = shop.bus("test").await.unwrap();
    let stream_last = async || {
        Some(
            context
                .get_stream(shop.system.stream())
                .await
                .ok()?
                .cached_info()
                .state
                .last_sequence,
        )
    };
    eventually("the other publishes", async || {
        stream_last().await.filter(|last| *last >= position)
    })
    .await;

    // The old leader resumes after its lease has ended: it stops leading, and what it sends is refused.
    shop.system.resume(leader.process).unwrap();
    eventually("the old leader stands by", async || {
        leads(&shop, &leader.ops_url).await.filter(|leads| !leads)
    })
    .await;
    let redirect_url = placed["payment"]["redirect_url"].as_str().unwrap();
    let approve = shop
        .http()
        .post(format!("{redirect_url}/approve"))
        .header("Accept", "application/json");
    assert_eq!(approve.send().await.unwrap().status(), 200);
    shop.order_with_status(order_id, "fulfilled").await;
    assert_eq!(shop.licenses_of(order_id).await.len(), 1);
    let payment = eventually("the payment is captured", async || {
        let payment = shop.payment(order_id).await;
        (payment["captured_ore"] == 42_000).then_some(payment)
    })
    .await;
    assert_eq!(payment["captures"], 1, "{payment}");
    shop.close().await;
}

async fn leading(shop: &Shop, ops_url: &str, wanted: bool) -> Option<bool> {
    leads(shop, ops_url).await.filter(|leads| *leads == wanted)
}

/// Prints how long a takeover takes, without a limit: it depends on the machine. `ROUNDS` is the number of takeovers.
#[expect(
    clippy::print_stdout,
    reason = "the figure is for a person who runs this test alone"
)]
#[tokio::test]
async fn another_instance_leads_soon_after_the_leader_is_killed_or_paused() {
    const DEADLINE: Duration = Duration::from_secs(10);
    let rounds = std::env::var("ROUNDS")
        .ok()
        .map_or(1, |text| text.parse().unwrap());
    let options = Options {
        second_command_api: true,
        ..Options::default()
    };
    let shop = Shop::open(options).await;
    let (mut killed, mut paused) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let [leader, standby] = by_leadership(&shop).await;
        let begun = Instant::now();
        shop.system.kill(leader.process).await.unwrap();
        eventually_within(DEADLINE, "an instance leads", async || {
            match leading(&shop, &standby.ops_url, true).await {
                Some(leads) => Some(leads),
                None => leading(&shop, &leader.ops_url, true).await,
            }
        })
        .await;
        killed.push(begun.elapsed());

        shop.system.wait_ready(leader.process).await.unwrap();
        let [leader, standby] = by_leadership(&shop).await;
        let begun = Instant::now();
        shop.system.pause(leader.process).unwrap();
        eventually_within(DEADLINE, "the other leads", async || {
            leading(&shop, &standby.ops_url, true).await
        })
        .await;
        paused.push(begun.elapsed());
        shop.system.resume(leader.process).unwrap();
        eventually("the old leader stands by", async || {
            leading(&shop, &leader.ops_url, false).await
        })
        .await;
    }
    for (what, mut took) in [("killed", killed), ("paused", paused)] {
        took.sort();
        println!(
            "leader {what}: another leads after {:?}, median of {took:?}",
            took[took.len() / 2]
        );
    }
    shop.close().await;
}
