//! Every process killed, in turn and more than once, while thousands of purchases are under way.

use futures_util::future::try_join_all;
use stack::{Options, Process};
use system_tests::Shop;

use crate::till::Till;
use crate::{books, privacy};

const PURCHASES: usize = 2_000;

/// Who is killed, in this order, the four that events pass through three times each; and then all at once.
const VICTIMS: [Process; 15] = [
    Process::CommandApi,
    Process::Projector,
    Process::Nats,
    Process::Postgres,
    Process::PaymentEmulator,
    Process::CommandApi,
    Process::Nats,
    Process::Projector,
    Process::QueryApi,
    Process::Postgres,
    Process::Redis,
    Process::Projector,
    Process::Postgres,
    Process::Nats,
    Process::CommandApi,
];

#[tokio::test]
async fn every_process_killed_in_the_middle_of_2000_purchases_loses_and_doubles_nothing() {
    let shop = Shop::open_private(Options::default()).await;
    let till = Till::new(&shop);
    let killing = async {
        // By what was sold, not by the clock: each finds all customers in the middle of something.
        let step = PURCHASES / (VICTIMS.len() + 2);
        for (at, process) in (1..).zip(VICTIMS) {
            till.has_sold(step * at).await;
            shop.system.wait_ready(process).await.unwrap();
            shop.system.kill(process).await.unwrap();
        }
        till.has_sold(step * (VICTIMS.len() + 1)).await;
        try_join_all(Process::ALL.map(|process| shop.system.wait_ready(process)))
            .await
            .unwrap();
        try_join_all(Process::ALL.map(|process| shop.system.kill(process)))
            .await
            .unwrap();
        assert!(till.sold() < PURCHASES, "the last ones were killed too late");
    };
    let (purchases, ()) = tokio::join!(till.sell(0..PURCHASES), killing);
    for process in Process::ALL {
        shop.system.wait_ready(process).await.unwrap();
        let kills = 1 + VICTIMS.iter().filter(|victim| **victim == process).count();
        let restarts = shop.system.restarts(process).unwrap();
        assert_eq!(
            restarts, kills as u64,
            "{process} ends when it is killed, and only then"
        );
    }
    books::close(&shop, &purchases).await;
    assert_eq!(privacy::complaints(&shop), Vec::<String>::new());
    shop.close().await;
}
