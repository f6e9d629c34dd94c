//! The database server is restored to an earlier point without notice to the shop.

use std::process::Command;

use stack::{Options, Process};
use system_tests::{Shop, books, eventually};

use crate::till::Till;

#[tokio::test]
async fn a_database_restored_to_an_earlier_point_is_noticed_and_the_shop_goes_on() {
    let shop = Shop::open_private(Options::default()).await;
    let till = Till::new(&shop);
    let mut sales = till.sell(0..20).await;
    books::come_to_rest(&shop, &sales).await;

    let data = shop.system.servers().postgres().data_dir().unwrap().to_owned();
    let (backup, before) = (data.with_extension("backup"), data.with_extension("before"));
    shop.system.stop_one(Process::Postgres).await.unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .args([&data, &backup])
        .status()
        .unwrap();
    assert!(copied.success());
    shop.system.start_one(Process::Postgres).await.unwrap();

    sales.add(till.sell(20..40).await);
    books::come_to_rest(&shop, &sales).await;
    // The restored log does not hold the later ones.
    sales.purchases.truncate(20);
    let url = shop.system.databases().events_reader.clone();
    let old = epochs(&url).await;
    assert_eq!(old.len(), 1);

    shop.system.stop_one(Process::Postgres).await.unwrap();
    std::fs::rename(&data, before).unwrap();
    std::fs::rename(backup, &data).unwrap();
    shop.system.start_one(Process::Postgres).await.unwrap();
    eventually("the log begins a new epoch", async || {
        (epochs(&url).await.len() == 2).then_some(())
    })
    .await;
    sales.add(till.sell(40..60).await);
    books::come_to_rest(&shop, &sales).await;
    // The provider has payments of orders that are gone: a restore undoes nothing outside.
    let complaints = books::complaints_of_ours(&shop, &sales).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    shop.close().await;
}

/// The reasons of the log's epochs.
async fn epochs(url: &str) -> Vec<String> {
    let log = books::connect(url).await;
    let rows = log
        .query("select reason from log_epochs order by began_at", &[])
        .await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}
