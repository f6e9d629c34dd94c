//! Emulators to test against: in this process, or as the real program that can be killed.

use std::fmt::Write as _;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use payments::emulator::{self, Faults, Options, Webhook};
use payments::nexi::{self, Nexi, NexiOptions};
use payments::vipps::{Credentials, Vipps, VippsOptions};
use payments::{CreatedPayment, Limits, NewPayment, PaymentProvider};
use secret::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub(crate) const SECRET: &str = "A0+looks/like/base64==";
pub(crate) const NEXI_KEY: &str = "the-secret-key";
pub(crate) const NEXI_AUTHORIZATION: &str = "abcdefgh12345678";
pub(crate) const RETURN_URL: &str = "https://shop.example.org/takk?ordre=1";
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn credentials() -> Credentials {
    Credentials {
        client_id: "client".to_owned(),
        client_secret: "client-secret".to_owned(),
        subscription_key: "subscription".to_owned(),
        merchant_serial_number: "123456".to_owned(),
    }
}

/// Limits that make a failing call fail soon.
pub(crate) fn impatient() -> Limits {
    Limits {
        connect_timeout: Duration::from_millis(500),
        attempt_timeout: Duration::from_millis(300),
        deadline: Duration::from_secs(3),
        retry_delay: Duration::from_millis(5),
        ..Limits::default()
    }
}

pub(crate) fn vipps(base_url: &str, limits: Limits) -> Vipps {
    Vipps::new(VippsOptions {
        base_url: base_url.to_owned(),
        credentials: credentials(),
        limits,
    })
    .unwrap()
}

pub(crate) fn nexi(base_url: &str, limits: Limits) -> Nexi {
    Nexi::new(NexiOptions {
        base_url: base_url.to_owned(),
        credentials: nexi::Credentials {
            secret_key: Secret::new(NEXI_KEY),
            webhook_authorization: Secret::new(NEXI_AUTHORIZATION),
        },
        terms_url: "https://shop.example.org/vilkar".to_owned(),
        limits,
    })
    .unwrap()
}

/// Which adapter a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vipps,
    Nexi,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::Vipps, Kind::Nexi];

impl Kind {
    pub(crate) fn adapter(self, base_url: &str, limits: Limits) -> Arc<dyn PaymentProvider> {
        match self {
            Self::Vipps => Arc::new(vipps(base_url, limits)),
            Self::Nexi => Arc::new(nexi(base_url, limits)),
        }
    }
}

/// A payment that the customer has approved.
pub(crate) async fn approved(adapter: &dyn PaymentProvider, new: &NewPayment) -> CreatedPayment {
    let created = adapter.create(new).await.unwrap();
    assert_eq!(press(&created.redirect_url, "approve").await.0, 200);
    created
}

pub(crate) fn new_payment(amount_ore: i64) -> NewPayment {
    NewPayment {
        reference: format!("test-{}", Uuid::new_v4()),
        amount_ore,
        description: "1 engangslisens".to_owned(),
        return_url: RETURN_URL.to_owned(),
        webhook_url: None,
    }
}

/// Waits, with a deadline that only a failing test reaches.
pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it happens in time")
}

/// Polls until the condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let mut pauses = tokio::time::interval(Duration::from_millis(10));
    in_time(async {
        while !holds().await {
            pauses.tick().await;
        }
    })
    .await;
}

pub(crate) struct Emulator {
    pub(crate) url: String,
    _stop: DropGuard,
}

pub(crate) fn options(webhook_url: Option<&str>) -> Options {
    Options {
        public_url: String::new(),
        credentials: credentials(),
        data_file: None,
        webhook: webhook_url.map(|url| Webhook {
            url: url.to_owned(),
            secret: SECRET.to_owned(),
            merchant_serial_number: "123456".to_owned(),
        }),
        nexi_secret_key: Some(Secret::new(NEXI_KEY)),
        max_retry_delay: Duration::from_millis(200),
        reservation_ttl: Duration::from_hours(1),
        faults: Faults::default(),
        payment_ttl: Duration::from_mins(10),
        access_token_ttl: Duration::from_hours(1),
        max_payments: 1000,
    }
}

impl Emulator {
    /// In this process.
    pub(crate) async fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let options = Options {
            public_url: url.clone(),
            ..options
        };
        tokio::spawn(emulator::serve(listener, options, shutdown.clone()));
        Self {
            url,
            _stop: shutdown.drop_guard(),
        }
    }

    pub(crate) fn vipps(&self) -> Vipps {
        vipps(&self.url, Limits::default())
    }

    pub(crate) fn nexi(&self) -> Nexi {
        nexi(&self.url, Limits::default())
    }

    /// Sets one rule.
    pub(crate) async fn rule(&self, rule: Value) {
        self.fault(json!({ "rules": [rule] })).await;
    }

    pub(crate) async fn fault(&self, faults: Value) {
        set_faults(&self.url, faults).await;
    }

    pub(crate) async fn inspect(&self, reference: &str) -> Value {
        inspect(&self.url, reference).await
    }
}

pub(crate) async fn set_faults(url: &str, faults: Value) {
    let response = reqwest::Client::new()
        .post(format!("{url}/emulator/faults"))
        .json(&faults)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{faults}");
}

pub(crate) async fn inspect(url: &str, reference: &str) -> Value {
    reqwest::get(format!("{url}/emulator/payments/{reference}"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

/// Presses a button as a client that wants JSON.
pub(crate) async fn press(redirect_url: &str, button: &str) -> (u16, Value) {
    let response = reqwest::Client::new()
        .post(format!("{redirect_url}/{button}"))
        .send()
        .await
        .unwrap();
    (
        response.status().as_u16(),
        response.json().await.unwrap_or(json!(null)),
    )
}

/// A folder that goes away with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let mut name = String::from("payments-");
        write!(name, "{}", Uuid::new_v4()).unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The real program.
pub(crate) struct Program {
    pub(crate) url: String,
    pub(crate) child: Child,
}

impl Program {
    pub(crate) fn start(data_file: &Path, webhook_url: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_payment-emulator"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--webhook-max-retry-delay-ms",
                "200",
            ])
            .arg("--data-file")
            .arg(data_file)
            .args(["--webhook-url", webhook_url, "--webhook-secret", SECRET])
            .args([
                "--vipps-client-id",
                "client",
                "--vipps-client-secret",
                "client-secret",
            ])
            .args(["--nexi-secret-key", NEXI_KEY])
            .args([
                "--vipps-subscription-key",
                "subscription",
                "--vipps-msn",
                "123456",
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let start = seen.len();
            assert!(
                log.read_line(&mut seen).unwrap() > 0,
                "the emulator did not start:\n{seen}"
            );
            let line: Value = serde_json::from_str(&seen[start..]).unwrap();
            if let Some(address) = line["address"].as_str() {
                break address.to_owned();
            }
        };
        // The pipe must not fill up.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            url: format!("http://{address}"),
            child,
        }
    }

    /// SIGKILL: no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
