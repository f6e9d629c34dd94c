//! NATS refuses the password, or has no space, or is down for long. The shop sells all the time, and its health checks
//! report the reason.

use std::time::{Duration, Instant};

use serde_json::Value;
use stack::{NatsLogins, Options, Process};
use system_tests::purchase::Sales;
use system_tests::{Shop, books, eventually};
use tokio::process::Command;

use crate::till::Till;

/// Purchases at a time.
const PURCHASES: usize = 60;
/// Both programs that connect to NATS.
const CLIENTS: [Process; 2] = [Process::CommandApi, Process::Projector];

/// The reason in the NATS check of a program that is ready, if the check is degraded.
async fn said_of_nats(shop: &Shop, process: Process) -> Option<Option<String>> {
    let url = match process {
        Process::CommandApi => shop.system.command_ops_url(),
        _ => shop.system.projector_ops_url(),
    };
    let answer = shop.http().get(format!("{url}/health/ready")).send().await.ok()?;
    assert!(answer.status().is_success(), "{process} can do without NATS");
    let readiness: Value = answer.json().await.ok()?;
    let checks = readiness["checks"].as_array().unwrap();
    let nats = checks.iter().find(|check| check["name"] == "nats").unwrap();
    Some(nats["reason"].as_str().map(str::to_owned))
}

async fn says(shop: &Shop, process: Process, wanted: &str) {
    eventually(&format!("{process} says that {wanted}"), async || {
        let reason = said_of_nats(shop, process).await?;
        reason.filter(|reason| reason.contains(wanted))
    })
    .await;
}

async fn says_nothing(shop: &Shop, process: Process) {
    eventually(&format!("{process} has nothing against NATS"), async || {
        said_of_nats(shop, process).await.filter(Option::is_none)
    })
    .await;
}

#[tokio::test]
async fn a_refused_password_is_told_and_a_new_one_picked_up_without_a_restart() {
    let shop = Shop::open_private(Options::default()).await;
    let (till, servers) = (Till::new(&shop), shop.system.servers());
    let logins = servers.nats_logins().unwrap();
    let mut sales = Sales::default();
    for process in CLIENTS {
        says_nothing(&shop, process).await;
        let old = logins.password(process.name()).unwrap();
        logins.change(process.name(), "changed").unwrap();
        servers.nats().reload().unwrap();
        says(&shop, process, "nats refuses the user or the password").await;
        let at = till.sold();
        sales.add(till.sell(at..at + PURCHASES).await);
        let last = sales.purchases.last().unwrap().order_id;
        shop.order_with_status(&last.to_string(), "fulfilled").await;

        // The end of a rotation; then the old password again, for the other program.
        logins.tell(process.name(), "changed").unwrap();
        says_nothing(&shop, process).await;
        logins.tell(process.name(), &old).unwrap();
        logins.change(process.name(), &old).unwrap();
        servers.nats().reload().unwrap();
    }
    for process in CLIENTS {
        says_nothing(&shop, process).await;
        assert_eq!(shop.system.restarts(process).unwrap(), 0, "{process}");
        let log = std::fs::read_to_string(shop.system.logs().join(format!("{process}.log"))).unwrap();
        let password = logins.password(process.name()).unwrap();
        assert!(!log.contains(&password), "{process} tells its password");
    }
    let sold = till.sold();
    sales.add(till.sell(sold..sold + PURCHASES).await);
    books::close(&shop, &sales).await;
    shop.close().await;
}

#[tokio::test]
async fn a_jetstream_without_room_holds_up_nothing_and_is_completed_later() {
    let shop = Shop::open_private(Options::default()).await;
    let till = Till::new(&shop);
    let room = async |before: &str, now: &str| {
        shop.system.stop_one(Process::Nats).await.unwrap();
        let data = shop.system.servers().nats().data_dir().unwrap();
        let file = data.with_file_name("server.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(before), "{text}");
        std::fs::write(&file, text.replace(before, now)).unwrap();
        shop.system.start_one(Process::Nats).await.unwrap();
    };
    room("max_file_store: 8GB", "max_file_store: 64KB").await;
    let mut sales = till.sell(0..PURCHASES).await;
    says(&shop, Process::CommandApi, "resource").await;
    let full = shop
        .command_metric("bilsport_relay_interruptions_total", "full")
        .await;
    assert!(full.is_some_and(|times| times > 0.0), "{full:?}");
    // The rows come from the log, and licenses are issued.
    sales.add(till.sell(PURCHASES..2 * PURCHASES).await);
    for purchase in [&sales.purchases[0], &sales.purchases[2 * PURCHASES - 1]] {
        shop.order_with_status(&purchase.order_id.to_string(), "fulfilled")
            .await;
    }
    room("max_file_store: 64KB", "max_file_store: 8GB").await;
    says_nothing(&shop, Process::CommandApi).await;
    sales.add(till.sell(2 * PURCHASES..3 * PURCHASES).await);
    books::close(&shop, &sales).await;
    shop.close().await;
}

/// Three seconds, or `NATS_AWAY_S`.
#[tokio::test]
async fn a_nats_that_is_away_under_load_is_caught_up_with() {
    let away = std::env::var("NATS_AWAY_S")
        .ok()
        .map_or(3, |text| text.parse().unwrap());
    let shop = Shop::open_private(Options::default()).await;
    let till = Till::new(&shop);
    let mut sales = till.sell(0..PURCHASES).await;
    shop.system.stop_one(Process::Nats).await.unwrap();
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_secs(away) {
        let sold = till.sold();
        sales.add(till.sell(sold..sold + PURCHASES).await);
        let last = sales.purchases.last().unwrap().order_id;
        shop.order_with_status(&last.to_string(), "fulfilled").await;
    }
    says(&shop, Process::CommandApi, "disconnected from nats").await;
    shop.system.start_one(Process::Nats).await.unwrap();
    for process in CLIENTS {
        says_nothing(&shop, process).await;
    }
    let sold = till.sold();
    sales.add(till.sell(sold..sold + PURCHASES).await);
    books::close(&shop, &sales).await;
    let status = status_as_operator(&shop).await;
    assert_eq!(status["verdict"], "well", "{status}");
    let gaps = |count: &str| status["gaps"][count].as_u64().unwrap();
    assert!(gaps("found") >= gaps("refilled"), "{status}");
    shop.close().await;
}

/// `projector status --json`, as the operator, who may only read.
async fn status_as_operator(shop: &Shop) -> Value {
    let (system, servers) = (&shop.system, shop.system.servers());
    let projector = system.pid(Process::Projector).unwrap();
    let output = Command::new(std::fs::read_link(format!("/proc/{projector}/exe")).unwrap())
        .args(["status", "--json"])
        .env("EVENTS_DATABASE_URL", &system.databases().events_reader)
        .env("READ_DATABASE_URL", &system.databases().read_owner)
        .env("PROJECTOR_OPS_URL", system.projector_ops_url())
        .env("NATS_URL", servers.nats().url())
        .env("NATS_USER", "operator")
        .env(
            "NATS_PASSWORD_FILE",
            servers.nats_logins().unwrap().file("operator"),
        )
        .env("NATS_API_PREFIX", NatsLogins::api_prefix("operator"))
        .output()
        .await
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}
