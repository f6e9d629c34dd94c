//! A payment provider for development and tests: the Vipps ePayment protocol over HTTP. Its payments survive a crash, and
//! switches inject faults.
//!
//! The emulator follows the protocol's states, amounts, idempotency, problem+json and signed webhooks in order with
//! retries. It shares no JSON types with the adapter, so a test fails if the two disagree. Both use one implementation of
//! the webhook signature, which a published test vector checks.
//!
//! | Route | |
//! |---|---|
//! | `POST /accesstoken/get` | an access token |
//! | `POST /epayment/v1/payments` | create |
//! | `GET /epayment/v1/payments/{reference}` | read |
//! | `POST /epayment/v1/payments/{reference}/capture`, `/refund`, `/cancel` | change |
//! | `GET /pay/{reference}` | the customer's page |
//! | `POST /pay/{reference}/approve`, `/decline` | its buttons; JSON for a client that does not accept HTML |
//! | `GET /portal/{reference}` | the merchant's portal |
//! | `POST /portal/{reference}/capture`, `/refund`, `/void` | its buttons; no idempotency key is needed |
//! | `POST /emulator/faults` | switch faults on and off: see [`Faults`] |
//! | `GET /emulator/calls` | how many requests merchants made, and which are held |
//! | `GET /emulator/payments/{reference}` | everything about a payment, for tests |
//! | `GET /health/ready` | 200 when it answers, 503 when it stops or its journal fails |
//!
//! A change is in the journal and flushed to disk before the emulator answers, shows or sends it. So an approval survives
//! a crash.

mod api;
mod calls;
mod cli;
mod delivery;
mod faults;
mod inspect;
mod journal;
mod memory;
mod merchant;
mod page;
mod payment;
mod portal;
mod problem;
mod store;
mod tokens;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

use self::calls::Calls;
use self::faults::FaultSwitch;
use self::store::Store;
use self::tokens::Tokens;
use crate::vipps::Credentials;

pub use cli::Cli;
pub use faults::{ApiFault, Faults, Hold, Operation, Point, WebhookFault};

const MAX_BODY_BYTES: usize = 64 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const EXPIRY_CHECK: Duration = Duration::from_millis(100);

/// How an emulator runs. `Debug` shows no secret.
#[derive(Clone)]
pub struct Options {
    /// Where customers reach it: `redirectUrl` begins with this.
    pub public_url: String,
    /// What a merchant must present.
    pub credentials: Credentials,
    /// Where the state is kept; `None` keeps it in memory only.
    pub data_file: Option<PathBuf>,
    /// Where webhooks go, and the secret they are signed with; `None` sends none.
    pub webhook: Option<Webhook>,
    /// How long a payment waits for the customer.
    pub payment_ttl: Duration,
    /// How long an access token lives.
    pub access_token_ttl: Duration,
    /// How many payments are kept; creating more is refused with 507.
    pub max_payments: usize,
}

/// A registered webhook.
#[derive(Clone)]
pub struct Webhook {
    /// The receiver.
    pub url: String,
    /// The key of the signature.
    pub secret: String,
    /// The sales unit named in every webhook.
    pub merchant_serial_number: String,
    /// The longest wait between two tries.
    pub max_retry_delay: Duration,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("public_url", &self.public_url)
            .field("data_file", &self.data_file)
            .field("webhook_url", &self.webhook.as_ref().map(|webhook| &webhook.url))
            .field("payment_ttl", &self.payment_ttl)
            .finish_non_exhaustive()
    }
}

/// Why an emulator does not start or has stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data file can't be opened, is in use, or holds something else.
    #[error("data file {path}: {reason}")]
    DataFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The webhook URL is not one that can be called.
    #[error("the webhook URL is not an http or https URL")]
    WebhookUrl,
    /// The journal could not be written: the state on disk is the truth, so the emulator stops.
    #[error("the journal can't be written")]
    Journal,
    /// The server failed.
    #[error("the server failed")]
    Serve(#[source] std::io::Error),
}

#[derive(Clone)]
struct AppState {
    store: Arc<Store>,
    faults: Arc<FaultSwitch>,
    calls: Arc<Calls>,
    tokens: Arc<Tokens>,
    options: Arc<Options>,
    shutdown: CancellationToken,
}

/// Serves on `listener` until `shutdown`, then lets requests in flight finish for a few seconds.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let store = Arc::new(Store::open(&options)?);
    let faults = Arc::new(FaultSwitch::default());
    // Stops with us, however we end.
    let background = shutdown.child_token();
    let _stop_background = background.clone().drop_guard();
    if let Some(webhook) = options.webhook.clone() {
        let delivery = delivery::Delivery::new(webhook, Arc::clone(&store), Arc::clone(&faults))?;
        tokio::spawn(background.clone().run_until_cancelled_owned(delivery.run()));
    }
    tokio::spawn(
        background
            .clone()
            .run_until_cancelled_owned(expire(Arc::clone(&store))),
    );

    let state = AppState {
        store: Arc::clone(&store),
        faults,
        calls: Arc::default(),
        tokens: Arc::new(Tokens::new(options.access_token_ttl)),
        options: Arc::new(options),
        shutdown: shutdown.clone(),
    };
    let stopping = shutdown.clone();
    let server = axum::serve(listener, router(state))
        .with_graceful_shutdown(async move { stopping.cancelled().await })
        .into_future();
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        result = server => result.map_err(Error::Serve),
        () = drained => Ok(()),
        () = store.journal_failed() => Err(Error::Journal),
    }
}

fn router(state: AppState) -> Router {
    Router::new()
        .merge(api::routes(&state))
        .merge(page::routes())
        .merge(portal::routes())
        .merge(inspect::routes())
        .fallback(problem::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .with_state(state)
}

async fn expire(store: Arc<Store>) {
    let mut ticks = tokio::time::interval(EXPIRY_CHECK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if store.expire_due().await.is_err() {
            return;
        }
    }
}
