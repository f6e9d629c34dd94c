//! Kills every process, in turn, together and more than once, during two thousand purchases.

use futures_util::future::try_join_all;
use stack::{Options, Process};
use system_tests::{Shop, books, privacy};

use crate::till::Till;

const PURCHASES: usize = 2_000;

/// The kills in their order, some of several processes at once: the four that events pass through, four times each.
const VICTIMS: [&[Process]; 14] = [
    &[Process::CommandApi],
    &[Process::Projector],
    &[Process::Nats],
    &[Process::Postgres],
    &[Process::PaymentEmulator],
    &[Process::CommandApi, Process::Postgres],
    &[Process::Nats],
    &[Process::QueryApi],
    &[Process::Projector],
    &Process::ALL,
    &[Process::Redis],
    &[Process::Nats, Process::Projector],
    &[Process::Postgres],
    &[Process::CommandApi],
];

#[tokio::test]
async fn every_process_killed_in_the_middle_of_2000_purchases_loses_and_doubles_nothing() {
    let shop = Shop::open_private(Options::default()).await;
    let till = Till::new(&shop);
    // Customers come in shifts, one more than there are kills. The number of sold orders, not the clock, puts each kill into
    // the middle of its shift.
    let shift = PURCHASES / (VICTIMS.len() + 1);
    till.admit(0);
    let killing = async {
        for (number, victims) in VICTIMS.iter().enumerate() {
            try_join_all(victims.iter().map(|process| shop.system.wait_ready(*process)))
                .await
                .unwrap();
            till.admit((number + 1) * shift);
            till.has_sold(number * shift + shift / 3).await;
            assert!(till.sold() < (number + 1) * shift, "killed too late");
            try_join_all(victims.iter().map(|process| shop.system.kill(*process)))
                .await
                .unwrap();
        }
        till.admit(PURCHASES);
    };
    let (sales, ()) = tokio::join!(till.sell(0..PURCHASES), killing);
    for process in Process::ALL {
        shop.system.wait_ready(process).await.unwrap();
        let kills = VICTIMS
            .iter()
            .filter(|victims| victims.contains(&process))
            .count();
        let restarts = shop.system.restarts(process).unwrap();
        assert_eq!(
            restarts, kills as u64,
            "{process} ends when it is killed, and only then"
        );
    }
    books::close(&shop, &sales).await;
    assert_eq!(privacy::complaints(&shop), Vec::<String>::new());
    shop.close().await;
}
