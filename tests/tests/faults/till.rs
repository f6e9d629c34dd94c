//! Customers who don't give up: each buys with one key, sent again until it is acknowledged, and pays.

use std::ops::Range;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use system_tests::{Answer, Shop, eventually_within};
use tokio::sync::watch;
use uuid::Uuid;

/// Customers at once.
const LANES: usize = 32;
/// How long a customer goes on trying.
const PATIENCE: Duration = Duration::from_mins(2);

/// What every holder is called, with a number.
pub(crate) const HOLDER: &str = "Kari Nordmann";

/// One purchase as its customer knows it.
pub(crate) struct Purchase {
    pub(crate) key: String,
    pub(crate) order: Value,
    pub(crate) order_id: Uuid,
    /// The acknowledgement as received.
    pub(crate) answer: String,
    pub(crate) total_ore: i64,
}

impl Purchase {
    /// Who gets a license.
    pub(crate) fn holders(&self) -> Vec<&str> {
        let lines = self.order["lines"].as_array().unwrap();
        lines
            .iter()
            .map(|line| line["holder"]["name"].as_str().unwrap())
            .collect()
    }
}

/// Sells, and counts what was acknowledged.
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

    /// From now on, lets in only so many customers in all.
    pub(crate) fn admit(&self, customers: usize) {
        self.admitted.send_replace(customers);
    }

    /// Sells and is paid; a purchase is acknowledged before it is paid.
    pub(crate) async fn sell(&self, numbers: Range<usize>) -> Vec<Purchase> {
        futures_util::stream::iter(numbers)
            .map(|number| self.sell_one(number))
            .buffer_unordered(LANES)
            .collect()
            .await
    }

    /// Waits until so many purchases are acknowledged.
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
        let order = self.order(number);
        let what = format!("purchase {number} is acknowledged");
        let answer = eventually_within(PATIENCE, &what, async || {
            let sent = self
                .shop
                .try_post("/orders", &self.shop.tokens.customer, &key, &order);
            let answer = sent.await.ok()?;
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
        Purchase {
            key,
            order,
            order_id: answer.text_at("/order_id").parse().unwrap(),
            total_ore: answer.body["total_ore"].as_i64().unwrap(),
            answer: answer.text,
        }
    }

    /// One line, or two in every fourth order.
    fn order(&self, number: usize) -> Value {
        let mut order = self.shop.order();
        let lines = if number.is_multiple_of(4) { 2 } else { 1 };
        let line = |line| {
            self.shop
                .line("konkurranse-bilcross", &format!("{HOLDER} {number}-{line}"))
        };
        order["lines"] = (1..=lines).map(line).collect();
        order
    }

    /// Pays at the provider. Twice is as good as once, so that it can be tried again.
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

/// What the API says of a failure that passes.
fn worth_another_try(answer: &Answer) -> bool {
    let passing = ["conflict", "request_in_flight"];
    answer.status.is_server_error() || passing.iter().any(|code| answer.body["code"] == *code)
}
