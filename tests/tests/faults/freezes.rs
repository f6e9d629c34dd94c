//! Paused servers keep their connections and answer nothing, which is harder to detect than a dead server.

use stack::{Options, Process};
use system_tests::{Shop, books, eventually};

use crate::till::Till;

const PURCHASES: usize = 300;

/// Whether command-api is ready, if it answers.
async fn is_ready(shop: &Shop) -> Option<bool> {
    let url = format!("{}/health/ready", shop.system.command_ops_url());
    let answer = shop.http().get(url).send().await.ok()?;
    Some(answer.status().is_success())
}

#[tokio::test]
async fn frozen_servers_in_the_middle_of_purchases_lose_and_double_nothing() {
    let shop = Shop::open_private(Options::default()).await;
    let till = Till::new(&shop);
    let freezing = async {
        // The shop sells without these two.
        for (process, until) in [(Process::Nats, 2), (Process::Projector, 4)] {
            till.has_sold(PURCHASES * (until - 1) / 6).await;
            shop.system.pause(process).unwrap();
            till.has_sold(PURCHASES * until / 6).await;
            shop.system.resume(process).unwrap();
        }
        // Without PostgreSQL it can't sell: it reports itself unready, and sells again when PostgreSQL answers.
        till.has_sold(PURCHASES * 5 / 6).await;
        shop.system.pause(Process::Postgres).unwrap();
        eventually("command-api is not ready", async || {
            is_ready(&shop).await.filter(|ready| !ready)
        })
        .await;
        shop.system.resume(Process::Postgres).unwrap();
    };
    let (sales, ()) = tokio::join!(till.sell(0..PURCHASES), freezing);
    for process in Process::ALL {
        assert_eq!(shop.system.restarts(process).unwrap(), 0, "{process} ended");
    }
    books::close(&shop, &sales).await;
    shop.close().await;
}
