//! Buys one license as a customer with a browser would, and measures each hop. `make up` is ready when the purchase has
//! succeeded.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chrono::{Days, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::catalogue::TERMS_VERSION;
use crate::readiness::http_client;

/// What to buy; the club comes from the catalogue.
const LICENSE_TYPE: &str = "konkurranse-bilcross";
const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Where to buy, and as whom.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// `http://…`, without `/api/v1`.
    pub command_api_url: String,
    /// `http://…`, without `/api/v1`.
    pub query_api_url: String,
    /// A customer's token.
    pub token: String,
    /// The club whose race the license is for.
    pub club: Uuid,
}

/// A purchase that ended in a license.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// The order.
    pub order_id: String,
    /// The license that was issued for it.
    pub license_id: String,
    /// Each hop and how long after the previous one it was seen.
    pub hops: Vec<(&'static str, Duration)>,
}

/// A body for `POST /orders`: one license for one person on a day in the coming year.
pub fn order(club: Uuid) -> Value {
    // A holder may have only one license of a type per day, and this runs at every start.
    let dice = Uuid::new_v4().as_u128();
    let day = Utc::now().date_naive() + Days::new(7 + u64::try_from(dice % 350).unwrap_or_default());
    json!({
        "lines": [{
            "license_type": LICENSE_TYPE,
            "club_id": club,
            "activity_date": day.to_string(),
            "holder": {
                "name": "Kari Nordmann",
                "birth_date": format!("{}-05-17", 1960 + (dice >> 32) % 40),
                "phone": "+47 900 00 000",
                "email": "kari@example.no",
            },
            "vehicle": { "registration": format!("AB{:05}", (dice >> 64) % 90_000 + 10_000) },
        }],
        "payment_provider": "vipps",
        "accept_terms_version": TERMS_VERSION,
    })
}

/// Orders, approves the payment, and waits for the license to be readable.
pub async fn buy(buyer: &Buyer) -> anyhow::Result<Purchase> {
    let http = http_client()?;
    let mut watch = Stopwatch::start();

    let request = http
        .post(format!("{}/api/v1/orders", buyer.command_api_url))
        .bearer_auth(&buyer.token)
        .header("Idempotency-Key", Uuid::new_v4().to_string())
        .json(&order(buyer.club));
    let placed = answer(request, "POST /orders").await?;
    watch.hop("order accepted, payment created");
    let order_id = text(&placed, "/order_id")?;
    let redirect_url = text(&placed, "/payment/redirect_url")?;

    let capability = approve(&http, &redirect_url).await?;
    watch.hop("payment approved by the customer");

    let orders = format!("{}/api/v1/orders/{order_id}", buyer.query_api_url);
    for (statuses, hop) in [
        (
            &["paid", "fulfilled"][..],
            "webhook verified, order paid and readable",
        ),
        (
            &["fulfilled"][..],
            "license issued, payment captured, order fulfilled and readable",
        ),
    ] {
        poll(&http, buyer, &orders, |order| {
            order["status"]
                .as_str()
                .is_some_and(|status| statuses.contains(&status))
        })
        .await
        .with_context(|| format!("order {order_id} did not become {}", statuses.join(" or ")))?;
        watch.hop(hop);
    }

    // In whichever browser the customer came back: by the capability of the return URL, without login.
    let status = format!(
        "{}/api/v1/orders/{order_id}/return-status?{capability}",
        buyer.query_api_url
    );
    let shown = answer(http.get(&status), "GET /orders/{id}/return-status").await?;
    if shown["status"] != "fulfilled" {
        bail!("the return status of order {order_id} is {}", shown["status"]);
    }
    watch.hop("status readable from the return URL without login");

    let licenses = format!("{}/api/v1/licenses?order_id={order_id}", buyer.query_api_url);
    let page = poll(&http, buyer, &licenses, |page| {
        page.pointer("/items/0/license_id").is_some()
    })
    .await
    .with_context(|| format!("no license of order {order_id} became readable"))?;
    watch.hop("license readable");
    Ok(Purchase {
        order_id,
        license_id: text(&page, "/items/0/license_id")?,
        hops: watch.hops,
    })
}

/// Approves as a browser does, which the provider then sends back to the shop. Returns the capability of the return URL.
async fn approve(http: &reqwest::Client, redirect_url: &str) -> anyhow::Result<String> {
    let request = http
        .post(format!("{redirect_url}/approve"))
        .header("Accept", "text/html");
    let response = request.send().await.context("approving the payment failed")?;
    let (status, url) = (response.status(), response.url().clone());
    let token = url
        .query_pairs()
        .find_map(|(name, value)| (name == "t").then(|| format!("t={value}")));
    token.with_context(|| format!("approving the payment answered {status} and led to no return URL"))
}

/// Polls until the answer satisfies the condition. Until the deadline a 404 or 503 is no error.
async fn poll(
    http: &reqwest::Client,
    buyer: &Buyer,
    url: &str,
    wanted: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let begun = Instant::now();
    loop {
        let last = match answer(http.get(url).bearer_auth(&buyer.token), url).await {
            Ok(body) if wanted(&body) => return Ok(body),
            Ok(body) => format!("the last answer was {body}"),
            Err(error) => format!("{error:#}"),
        };
        if begun.elapsed() > DEADLINE {
            bail!("not within {} s; {last}", DEADLINE.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn answer(request: reqwest::RequestBuilder, what: &str) -> anyhow::Result<Value> {
    let response = request.send().await.with_context(|| format!("{what} failed"))?;
    let status = response.status();
    let text = response.text().await.with_context(|| format!("{what} failed"))?;
    if !status.is_success() {
        bail!("{what} answered {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("{what} did not answer with JSON"))
}

fn text(body: &Value, pointer: &str) -> anyhow::Result<String> {
    let value = body.pointer(pointer).and_then(Value::as_str);
    Ok(value
        .with_context(|| format!("the answer has no {pointer}"))?
        .to_owned())
}

struct Stopwatch {
    last: Instant,
    hops: Vec<(&'static str, Duration)>,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            hops: Vec::new(),
        }
    }

    fn hop(&mut self, name: &'static str) {
        let now = Instant::now();
        self.hops.push((name, now - self.last));
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_day_is_within_the_365_days_that_can_be_bought() {
        for _ in 0..1000 {
            let order = order(Uuid::nil());
            let day: chrono::NaiveDate = text(&order, "/lines/0/activity_date").unwrap().parse().unwrap();
            let ahead = (day - Utc::now().date_naive()).num_days();
            assert!((1..=364).contains(&ahead), "{ahead} days ahead");
        }
    }
}
