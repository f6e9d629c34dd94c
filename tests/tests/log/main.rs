//! A running shop and its log: every event is sealed, and every append waits for the disk.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod commits;
mod seals;

use futures_util::future::join_all;
use system_tests::Shop;
use system_tests::books::come_to_rest;
use system_tests::purchase::{Purchase, Sales, order_of};

/// Sells to this number of customers at once, and waits for all that follows from their payments.
async fn sell(shop: &Shop, customers: usize) -> Sales {
    let purchases = (0..customers).map(|number| async move {
        let (key, order) = (format!("purchase-{number}"), order_of(shop, number));
        let placed = shop.place(&key, &order).await.expect(201);
        shop.at_provider(&placed, "approve").await.expect(200);
        Purchase::acknowledged(&key, &order, &placed)
    });
    let sales = Sales {
        purchases: join_all(purchases).await,
        abandoned: Vec::new(),
    };
    come_to_rest(shop, &sales).await;
    sales
}
