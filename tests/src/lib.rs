//! A shop to test: the whole system on real servers, a small catalogue, and a thin HTTP client.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test that fails says so by panicking"
)]

use std::future::Future;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate, Utc};
use event_bus::{Access, ConnectError, Connection, TlsFiles};
use reqwest::header::HeaderMap;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use stack::{Options, System, Tokens};
use uuid::Uuid;

pub mod purchase;

pub mod books;
pub mod privacy;

pub mod campaign;
pub mod payment_campaign;

pub mod sources;

/// How long a test waits for a condition.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running shop with a small catalogue.
pub struct Shop {
    /// The system.
    pub system: System,
    /// Tokens of five people; the organizer's is for the first club.
    pub tokens: Tokens,
    /// Two clubs.
    pub clubs: [Uuid; 2],
    http: Client,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as sent.
    pub text: String,
    /// Its body as JSON; null if it is none.
    pub body: Value,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The text at a JSON pointer.
    pub fn text_at(&self, pointer: &str) -> &str {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer} in {}", self.text))
    }

    /// This answer, if it has that status.
    #[expect(clippy::return_self_not_must_use, reason = "often only the status matters")]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// The position that a command or a query answered with.
    pub fn position(&self) -> u64 {
        self.header("event-position")
            .and_then(|value| value.parse().ok())
            .expect("an Event-Position")
    }
}

impl Shop {
    /// On the servers that all tests share.
    pub async fn open(options: Options) -> Self {
        Self::in_system(System::on_shared_servers(options).await.expect("a system")).await
    }

    /// On its own servers, which a test may kill and wipe.
    pub async fn open_private(options: Options) -> Self {
        Self::in_system(System::on_private_servers(options).await.expect("a system")).await
    }

    /// On the servers that all tests share, with an empty catalogue and without terms.
    pub async fn open_empty(options: Options) -> Self {
        Self::empty(System::on_shared_servers(options).await.expect("a system"))
    }

    fn empty(system: System) -> Self {
        let http = Client::builder()
            .timeout(Duration::from_secs(40))
            .build()
            .expect("a client");
        let tokens = system.tokens(&[]).expect("tokens");
        Self {
            system,
            tokens,
            clubs: [Uuid::nil(); 2],
            http,
        }
    }

    async fn in_system(system: System) -> Self {
        let mut shop = Self::empty(system);
        let staff = shop.tokens.staff.clone();
        for (code, category, role, price_ore) in [
            ("konkurranse-bilcross", "competition", "driver", 42_000),
            ("banedag-racing", "track_day", "driver", 22_000),
            ("passasjer-ledsager-rally", "passenger", "passenger", 22_000),
        ] {
            let max_days = if category == "track_day" { 3 } else { 1 };
            let new = json!({
                "code": code, "category": category, "discipline": "test", "role": role,
                "name_nb": code, "name_en": code, "price_ore": price_ore, "max_days": max_days,
            });
            shop.post("/license-types", &staff, code, &new).await.expect(201);
        }
        let terms = stack::catalogue::terms();
        shop.post("/terms", &staff, "terms", &terms).await.expect(201);
        for (at, name) in ["NMK Testby", "Bodø Motorsport"].into_iter().enumerate() {
            let key = format!("club-{at}");
            let club = shop
                .post("/clubs", &staff, &key, &json!({ "name": name }))
                .await
                .expect(201);
            shop.clubs[at] = club.text_at("/club_id").parse().expect("a club id");
        }
        shop.tokens = shop.system.tokens(&shop.clubs[..1]).expect("tokens");
        shop
    }

    /// A connection to NATS with the server's URL, which is the administrator's if the server is ours.
    pub async fn bus(&self, name: &str) -> Result<Connection, ConnectError> {
        let servers = self.system.servers();
        let tls = servers
            .certificates()
            .map_or_else(TlsFiles::default, |files| TlsFiles {
                authorities: Some(files.authority.clone()),
                certificate: Some(files.client.certificate.clone()),
                key: Some(files.client.key.clone()),
            });
        let access = Access {
            url: servers.nats().url().to_owned(),
            tls,
            ..Access::default()
        };
        event_bus::connect_as(&access, name).await
    }

    /// An order of one bilcross license, thirty days ahead. A test changes the fields that it is about.
    pub fn order(&self) -> Value {
        json!({
            "lines": [self.line("konkurranse-bilcross", "Kari Nordmann")],
            "payment_provider": "vipps",
            "accept_terms_version": stack::catalogue::TERMS_VERSION,
        })
    }

    /// As [`Shop::order`], for another holder: one person has one license of a type on a day.
    pub fn order_for(&self, holder: &str) -> Value {
        let mut order = self.order();
        order["lines"] = json!([self.line("konkurranse-bilcross", holder)]);
        order
    }

    /// As [`Shop::order`], for a holder that follows from the key, so that one shop can have several orders and a retry sends
    /// the same.
    pub fn order_of(&self, key: &str) -> Value {
        let letters = key.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        self.order_for(&format!("Kari Nordmann {letters}"))
    }

    /// One line of an order.
    pub fn line(&self, license_type: &str, holder: &str) -> Value {
        json!({
            "license_type": license_type,
            "club_id": self.clubs[0],
            "activity_date": in_days(30),
            "holder": {"name": holder, "birth_date": "1990-05-17", "phone": "+47 900 00 000"},
            "vehicle": {"registration": "AB12345"},
        })
    }

    /// Sends a command with an idempotency key.
    pub async fn post(&self, path: &str, token: &str, key: &str, body: &Value) -> Answer {
        self.try_post(path, token, key, body).await.expect("an answer")
    }

    /// Sends a command; an error if no answer came.
    pub async fn try_post(
        &self,
        path: &str,
        token: &str,
        key: &str,
        body: &Value,
    ) -> reqwest::Result<Answer> {
        let url = format!("{}/api/v1{path}", self.system.command_api_url());
        let request = self
            .http
            .post(url)
            .bearer_auth(token)
            .header("Idempotency-Key", key)
            .json(body);
        answer(request).await
    }

    /// Changes what exists, with an idempotency key.
    pub async fn patch(&self, path: &str, token: &str, key: &str, body: &Value) -> Answer {
        let url = format!("{}/api/v1{path}", self.system.command_api_url());
        let request = self.http.patch(url).bearer_auth(token);
        let request = request.header("Idempotency-Key", key).json(body);
        answer(request).await.expect("an answer")
    }

    /// Asks a query.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        let url = format!("{}/api/v1{path}", self.system.query_api_url());
        answer(self.http.get(url).bearer_auth(token))
            .await
            .expect("an answer")
    }

    /// Anything else over HTTP.
    pub fn http(&self) -> &Client {
        &self.http
    }

    /// Places an order as the first customer.
    pub async fn place(&self, key: &str, order: &Value) -> Answer {
        self.post("/orders", &self.tokens.customer, key, order).await
    }

    /// Presses a button on the provider's page: `approve` or `decline`.
    pub async fn at_provider(&self, placed: &Answer, action: &str) -> Answer {
        let url = format!("{}/{action}", placed.text_at("/payment/redirect_url"));
        answer(self.http.post(url).header("Accept", "application/json"))
            .await
            .expect("an answer")
    }

    /// The payment as the provider has it.
    pub async fn payment(&self, order_id: &str) -> Value {
        let url = format!(
            "{}/emulator/payments/{order_id}",
            self.system.payment_emulator_url()
        );
        answer(self.http.get(url)).await.expect("an answer").body
    }

    /// Sets the provider's faults; `{}` ends them.
    pub async fn provider_faults(&self, faults: &Value) {
        let url = format!("{}/emulator/faults", self.system.payment_emulator_url());
        let set = answer(self.http.post(url).json(faults)).await.expect("an answer");
        assert!(set.status.is_success(), "{}", set.text);
    }

    /// The sum of command-api's counters of that name that have `label` as a label's value; `None` if there is none yet.
    pub async fn command_metric(&self, name: &str, label: &str) -> Option<f64> {
        self.metric(&self.system.command_ops_url(), name, label).await
    }

    /// As [`Shop::command_metric`], of the program with that ops port.
    pub async fn metric(&self, ops_url: &str, name: &str, label: &str) -> Option<f64> {
        let text = self.ops(ops_url, "metrics").await.ok()?.text;
        let labelled = format!("=\"{label}\"");
        text.lines()
            .filter(|line| line.starts_with(name) && line.contains(&labelled))
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .reduce(|sum: f64, count| sum + count)
    }

    /// What an ops port answers: `metrics`, `health/live` or `health/ready`.
    pub async fn ops(&self, ops_url: &str, resource: &str) -> reqwest::Result<Answer> {
        answer(self.http.get(format!("{ops_url}/{resource}"))).await
    }

    /// Waits until the order has that status, or one of several (`paid or fulfilled`), and returns it as staff reads it.
    pub async fn order_with_status(&self, order_id: &str, status: &str) -> Value {
        let path = format!("/orders/{order_id}");
        eventually(&format!("order {order_id} becomes {status}"), async || {
            let order = self.get(&path, &self.tokens.staff).await;
            let is = |wanted| order.body["status"] == wanted;
            status.split(" or ").any(is).then_some(order.body)
        })
        .await
    }

    /// The licenses of an order, as staff reads them.
    pub async fn licenses_of(&self, order_id: &str) -> Vec<Value> {
        let page = self
            .get(&format!("/licenses?order_id={order_id}"), &self.tokens.staff)
            .await
            .expect(200);
        page.body["items"].as_array().cloned().expect("items")
    }

    /// Stops everything. After a failure the end of the test's process does it.
    pub async fn close(self) {
        self.system.stop().await;
    }
}

/// Sends a request and reads the answer.
pub async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    // A stream of events has no end to wait for.
    let is_stream = headers
        .get("content-type")
        .is_some_and(|kind| kind == "text/event-stream");
    let text = if is_stream {
        String::new()
    } else {
        response.text().await?
    };
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer {
        status,
        headers,
        text,
        body,
    })
}

/// The date in `days` days, close enough to Norway's calendar for a test.
pub fn in_days(days: u64) -> NaiveDate {
    Utc::now().date_naive() + Days::new(days)
}

/// Waits until `condition` gives something, [`PATIENCE`] at most.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, condition: impl FnMut() -> F) -> T {
    eventually_within(PATIENCE, what, condition).await
}

/// Waits until `condition` gives something, `patience` at most.
pub async fn eventually_within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + patience;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
    }
}
