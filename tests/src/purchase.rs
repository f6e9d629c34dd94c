//! Purchases as their customers see them, and the steps that the customers of all tests share.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::{Answer, Shop};

/// The name of every holder, followed by a number.
pub const HOLDER: &str = "Kari Nordmann";

/// An acknowledged and paid purchase.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// The idempotency key, and the id of every request about it.
    pub key: String,
    /// The request body.
    pub order: Value,
    /// The order's id, as acknowledged.
    pub order_id: Uuid,
    /// The acknowledgement as received.
    pub answer: String,
    /// The acknowledged total.
    pub total_ore: i64,
}

impl Purchase {
    /// The purchase that an acknowledgement describes.
    pub fn acknowledged(key: &str, order: &Value, answer: &Answer) -> Self {
        Self {
            key: key.to_owned(),
            order: order.clone(),
            order_id: answer.text_at("/order_id").parse().expect("an order id"),
            total_ore: answer.body["total_ore"].as_i64().expect("a total"),
            answer: answer.text.clone(),
        }
    }

    /// The holders of its licenses.
    pub fn holders(&self) -> Vec<&str> {
        let lines = self.order["lines"].as_array().expect("lines");
        lines
            .iter()
            .filter_map(|line| line["holder"]["name"].as_str())
            .collect()
    }
}

/// All purchases, and the orders that customers gave up before an answer came: these were placed once or not at all, and
/// not paid.
#[derive(Clone, Debug, Default)]
pub struct Sales {
    /// Acknowledged and paid.
    pub purchases: Vec<Purchase>,
    /// The keys of those given up.
    pub abandoned: Vec<String>,
}

impl Sales {
    /// Adds what was sold later.
    pub fn add(&mut self, more: Self) {
        self.purchases.extend(more.purchases);
        self.abandoned.extend(more.abandoned);
    }
}

/// The order of the customer with that number: one line, or two in every fourth.
pub fn order_of(shop: &Shop, number: usize) -> Value {
    let mut order = shop.order();
    let lines = if number.is_multiple_of(4) { 2 } else { 1 };
    let line = |line| shop.line("konkurranse-bilcross", &format!("{HOLDER} {number}-{line}"));
    order["lines"] = (1..=lines).map(line).collect();
    order
}

/// Sends an order once, to one of the instances. Its key is also the request id, which the log keeps with every event of
/// the request.
pub async fn send(
    shop: &Shop,
    command_api_url: &str,
    key: &str,
    order: &Value,
    patience: Duration,
) -> reqwest::Result<Answer> {
    let request = shop
        .http()
        .post(format!("{command_api_url}/api/v1/orders"))
        .bearer_auth(&shop.tokens.customer)
        .header("Idempotency-Key", key)
        .header("X-Request-Id", key)
        .json(order);
    crate::answer(request.timeout(patience)).await
}

/// Whether the answer is a failure that may pass.
pub fn worth_another_try(answer: &Answer) -> bool {
    let passing = ["conflict", "request_in_flight"];
    answer.status.is_server_error() || passing.iter().any(|code| answer.body["code"] == *code)
}
