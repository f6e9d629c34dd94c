//! NATS is disposable: its stream or its whole store is deleted in the middle of purchases.

use stack::{Options, Process};
use system_tests::{Shop, books};

use crate::till::Till;

const PURCHASES: usize = 400;

#[tokio::test]
async fn a_stream_deleted_in_the_middle_of_purchases_loses_and_doubles_nothing() {
    let shop = Shop::open_private(Options::default()).await;
    let till = Till::new(&shop);
    till.admit(0);
    let deleting = async {
        let context = shop.bus("test").await.unwrap();
        for shift in 1..=3 {
            // More customers come than have bought at the deletion, so that it is in the middle of purchases.
            till.admit(PURCHASES * shift / 4);
            till.has_sold(PURCHASES * shift / 4 - PURCHASES / 8).await;
            // The stream is missing only until the relay has created it again.
            system_tests::eventually("there is a stream to delete", async || {
                context.delete_stream(shop.system.stream()).await.ok()
            })
            .await;
        }
        till.admit(PURCHASES);
    };
    let (sales, ()) = tokio::join!(till.sell(0..PURCHASES), deleting);
    books::close(&shop, &sales).await;
    shop.close().await;
}

#[tokio::test]
async fn nats_wiped_in_the_middle_of_purchases_loses_and_doubles_nothing() {
    let shop = Shop::open_private(Options::default()).await;
    let till = Till::new(&shop);
    let wiping = async {
        till.has_sold(PURCHASES / 4).await;
        shop.system.stop_one(Process::Nats).await.unwrap();
        std::fs::remove_dir_all(shop.system.servers().nats().data_dir().unwrap()).unwrap();
        // The shop sells without it.
        till.has_sold(PURCHASES * 2 / 4).await;
        shop.system.start_one(Process::Nats).await.unwrap();
        till.has_sold(PURCHASES * 3 / 4).await;
    };
    let (sales, ()) = tokio::join!(till.sell(0..PURCHASES), wiping);
    books::close(&shop, &sales).await;
    shop.close().await;
}
