//! More than one command-api: one leads, the other takes over when the leader is paused, and nothing is doubled.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use stack::{Options, Port, Process};
use system_tests::{Shop, eventually, eventually_within};
use tokio::process::{Child, Command};

/// A second command-api, set up like the first one but for its addresses.
struct Second {
    child: Child,
    url: String,
    ops_url: String,
    _ports: [Port; 2],
}

impl Second {
    fn beside(shop: &Shop) -> Self {
        let first = shop.system.pid(Process::CommandApi).unwrap();
        let environment = std::fs::read_to_string(format!("/proc/{first}/environ")).unwrap();
        let ports = [Port::any().unwrap(), Port::any().unwrap()];
        let child = Command::new(std::fs::read_link(format!("/proc/{first}/exe")).unwrap())
            .arg("serve")
            .envs(environment.split('\0').filter_map(|pair| pair.split_once('=')))
            .env("LISTEN", ports[0].address())
            .env("OPS_LISTEN", ports[1].address())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            url: ports[0].http_url(),
            ops_url: ports[1].http_url(),
            _ports: ports,
        }
    }
}

async fn leads(shop: &Shop, ops_url: &str) -> Option<bool> {
    let text = shop
        .http()
        .get(format!("{ops_url}/metrics"))
        .send()
        .await
        .ok()?
        .text()
        .await
        .ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("bilsport_relay_leader"))?;
    Some(line.ends_with(" 1"))
}

#[tokio::test]
async fn a_paused_leader_is_replaced_and_does_no_harm_when_it_comes_back() {
    let shop = Shop::open(Options::default()).await;
    let first = shop.system.command_ops_url();
    eventually("the first leads", async || {
        leads(&shop, &first).await.filter(|leads| *leads)
    })
    .await;
    let second = Second::beside(&shop);
    let standing_by = async || leads(&shop, &second.ops_url).await.filter(|leads| !leads);
    eventually("the second stands by", standing_by).await;

    shop.system.pause(Process::CommandApi).unwrap();
    eventually("the second leads", async || {
        leads(&shop, &second.ops_url).await.filter(|leads| *leads)
    })
    .await;
    let order = shop
        .http()
        .post(format!("{}/api/v1/orders", second.url))
        .bearer_auth(&shop.tokens.customer)
        .header("Idempotency-Key", "k")
        .json(&shop.order());
    let placed: Value = order.send().await.unwrap().json().await.unwrap();
    let (order_id, position) = (
        placed["order_id"].as_str().unwrap(),
        placed["position"].as_u64().unwrap(),
    );
    let context = event_bus::connect(shop.system.servers().nats().url(), "test")
        .await
        .unwrap();
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
    eventually("the second publishes", async || {
        stream_last().await.filter(|last| *last >= position)
    })
    .await;

    // The old leader wakes up in the middle of its term: it learns that it is over, and what it sends is refused.
    shop.system.resume(Process::CommandApi).unwrap();
    eventually("the first stands by", async || {
        leads(&shop, &first).await.filter(|leads| !leads)
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

/// How long it takes is printed, and not held: it depends on the machine. `ROUNDS` says how often.
#[expect(clippy::print_stdout, reason = "the figure is for whoever runs this alone")]
#[tokio::test]
async fn another_instance_leads_soon_after_the_leader_is_killed_or_paused() {
    const DEADLINE: Duration = Duration::from_secs(10);
    let rounds = std::env::var("ROUNDS")
        .ok()
        .map_or(1, |text| text.parse().unwrap());
    let shop = Shop::open(Options::default()).await;
    let (first, second) = (shop.system.command_ops_url(), Second::beside(&shop));
    let signal = |signal| {
        kill(
            Pid::from_raw(i32::try_from(second.child.id().unwrap()).unwrap()),
            signal,
        )
        .unwrap();
    };
    // A paused instance loses the lease to the other one.
    let first_leads = async || {
        signal(Signal::SIGSTOP);
        eventually("the first leads", async || leading(&shop, &first, true).await).await;
        signal(Signal::SIGCONT);
        eventually("the second stands by", async || {
            leading(&shop, &second.ops_url, false).await
        })
        .await;
    };
    let (mut killed, mut paused) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        first_leads().await;
        let begun = Instant::now();
        shop.system.kill(Process::CommandApi).await.unwrap();
        eventually_within(DEADLINE, "somebody leads", async || {
            match leading(&shop, &second.ops_url, true).await {
                Some(leads) => Some(leads),
                None => leading(&shop, &first, true).await,
            }
        })
        .await;
        killed.push(begun.elapsed());

        shop.system.wait_ready(Process::CommandApi).await.unwrap();
        first_leads().await;
        let begun = Instant::now();
        shop.system.pause(Process::CommandApi).unwrap();
        eventually_within(DEADLINE, "the second leads", async || {
            leading(&shop, &second.ops_url, true).await
        })
        .await;
        paused.push(begun.elapsed());
        shop.system.resume(Process::CommandApi).unwrap();
        eventually("the first stands by", async || {
            leading(&shop, &first, false).await
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
