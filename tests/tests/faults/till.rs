//! Customers who don't give up: each repeats its order under one key until it is acknowledged, and pays.

use std::ops::Range;
use std::time::Duration;

use futures_util::StreamExt;
use system_tests::purchase::{Purchase, Sales, order_of, send, worth_another_try};
use system_tests::{Answer, Shop, eventually_within};
use tokio::sync::watch;

/// Customers at once.
const LANES: usize = 32;
/// How long a customer retries.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long one try may take.
const ONE_TRY: Duration = Duration::from_secs(40);

/// Sells, and counts the acknowledged purchases.
pub(crate) struct Till<'a> {
    shop: &'a Shop,
    sold: watch::Sender<usize>,
    /// How many customers have been let in.
    admitted: watch::Sender<usize>,
}

impl<'a> Till<'a> {
    pub(crate) fn new(shop: &'a Shop) -> Self {
        Self {
            shop,
            sold: watch::Sender::new(0),
            admitted: watch::Sender::new(usize::MAX),
        }
    }

    /// Lets in customers up to this total number.
    pub(crate) fn admit(&self, customers: usize) {
        self.admitted.send_replace(customers);
    }

    /// Sells to these customers; each pays after its order is acknowledged.
    pub(crate) async fn sell(&self, numbers: Range<usize>) -> Sales {
        let purchases = futures_util::stream::iter(numbers)
            .map(|number| self.sell_one(number))
            .buffer_unordered(LANES);
        Sales {
            purchases: purchases.collect().await,
            abandoned: Vec::new(),
        }
    }

    /// Waits until this number of purchases is acknowledged.
    pub(crate) async fn has_sold(&self, purchases: usize) {
        let mut sold = self.sold.subscribe();
        let enough = sold.wait_for(|sold| *sold >= purchases);
        tokio::time::timeout(PATIENCE, enough)
            .await
            .unwrap_or_else(|_| panic!("{purchases} purchases are not acknowledged in time"))
            .unwrap();
    }

    /// How many purchases are acknowledged.
    pub(crate) fn sold(&self) -> usize {
        *self.sold.borrow()
    }

    async fn sell_one(&self, number: usize) -> Purchase {
        let mut admitted = self.admitted.subscribe();
        admitted.wait_for(|admitted| number < *admitted).await.unwrap();
        let key = format!("purchase-{number}");
        let order = order_of(self.shop, number);
        let url = self.shop.system.command_api_url();
        let what = format!("purchase {number} is acknowledged");
        let answer = eventually_within(PATIENCE, &what, async || {
            let answer = send(self.shop, &url, &key, &order, ONE_TRY).await.ok()?;
            assert!(
                answer.status == 201 || worth_another_try(&answer),
                "{}",
                answer.text
            );
            (answer.status == 201).then_some(answer)
        })
        .await;
        self.sold.send_modify(|sold| *sold += 1);
        self.approve(&answer).await;
        Purchase::acknowledged(&key, &order, &answer)
    }

    /// Approves at the provider, with retries: approving twice is harmless.
    async fn approve(&self, placed: &Answer) {
        let url = format!("{}/approve", placed.text_at("/payment/redirect_url"));
        eventually_within(PATIENCE, "the provider takes the approval", async || {
            let approval = self.shop.http().post(&url).header("Accept", "application/json");
            let answer = approval.send().await.ok()?;
            let status = answer.status();
            assert!(status.is_success() || status.is_server_error(), "{status}");
            status.is_success().then_some(())
        })
        .await;
    }
}
