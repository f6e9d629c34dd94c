//! Two payment providers for development and tests: the protocols of Vipps ePayment and of Nexi Checkout over HTTP, and
//! one book of payments. Its payments survive a crash, and switches inject faults.
//!
//! The emulator follows the protocols' states, amounts, idempotency, errors and webhooks in order with retries. It shares
//! no JSON types with the adapters, so a test fails if the two disagree. Both use one implementation of the signature of
//! Vipps' webhooks, which a published test vector checks.
//!
//! | Route | |
//! |---|---|
//! | `POST /accesstoken/get` | Vipps: an access token |
//! | `POST /epayment/v1/payments` | Vipps: create |
//! | `GET /epayment/v1/payments/{reference}` | Vipps: read |
//! | `POST /epayment/v1/payments/{reference}/capture`, `/refund`, `/cancel` | Vipps: change |
//! | `POST /v1/payments` | Nexi: create |
//! | `GET /v1/payments/{id}` | Nexi: read |
//! | `POST /v1/payments/{id}/charges`, `/cancels`, `PUT …/terminate` | Nexi: change |
//! | `POST /v1/charges/{id}/refunds` | Nexi: refund |
//! | `GET /pay/{id}` | the customer's page |
//! | `POST /pay/{id}/approve`, `/decline` | its buttons; JSON for a client that does not accept HTML |
//! | `GET /portal/{id}` | the merchant's portal |
//! | `POST /portal/{id}/capture`, `/refund`, `/void`, `/expire` | its buttons; no idempotency key is needed |
//! | `POST /emulator/faults`, `GET` | switch faults on and off: see [`Faults`] |
//! | `GET /emulator/calls` | how many requests merchants made, and which are held |
//! | `GET /emulator/books?after=&limit=` | every payment with its sums and movements |
//! | `GET /emulator/payments/{id}` | one payment of the books |
//! | `GET /emulator/orders/{reference}` | all payments of one order |
//! | `GET /health/ready` | 200 when it answers, 503 when it stops or its journal fails |
//!
//! `{id}` is the payment's id at its provider: at Vipps, the merchant's reference.
//!
//! A change is in the journal and flushed to disk before the emulator answers, shows or sends it. So an approval survives
//! a crash.

mod acts;
mod calls;
mod cli;
mod connection;
mod delivery;
mod faults;
mod inspect;
mod journal;
mod memory;
mod merchant;
mod message;
mod misbehave;
mod nexi_api;
mod nexi_create;
mod nexi_error;
mod page;
mod payment;
mod portal;
mod problem;
mod store;
mod switch;
mod tokens;
mod vipps_api;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::{Router, middleware};
use secret::Secret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

use self::calls::Calls;
use self::connection::{Cut, Listener};
use self::store::Store;
use self::switch::FaultSwitch;
use self::tokens::Tokens;
use crate::vipps::Credentials;

pub use cli::{Ask, Cli, Command, ServeOptions};
pub use faults::{ApiFault, Fault, Faults, Hold, Operation, Point, Provider, Rule, WebhookFault};

const MAX_BODY_BYTES: usize = 64 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const EXPIRY_CHECK: Duration = Duration::from_millis(100);

/// How an emulator runs. `Debug` shows no secret.
#[derive(Clone)]
pub struct Options {
    /// Where customers reach it: `redirectUrl` begins with this.
    pub public_url: String,
    /// What a merchant must present at Vipps.
    pub credentials: Credentials,
    /// What a merchant must present at Nexi; without one, Nexi's API refuses every request.
    pub nexi_secret_key: Option<Secret>,
    /// Where the state is kept; `None` keeps it in memory only.
    pub data_file: Option<PathBuf>,
    /// Where the webhooks of Vipps go, and the secret they are signed with; `None` sends none. Those of Nexi go where the
    /// payment says.
    pub webhook: Option<Webhook>,
    /// The longest wait between two tries of a webhook.
    pub max_retry_delay: Duration,
    /// How long a payment waits for the customer.
    pub payment_ttl: Duration,
    /// How long a reservation stands.
    pub reservation_ttl: Duration,
    /// How long an access token lives.
    pub access_token_ttl: Duration,
    /// How many payments are kept; creating more is refused with 507.
    pub max_payments: usize,
    /// What goes wrong from the start.
    pub faults: Faults,
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
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, ?options, version = env!("CARGO_PKG_VERSION"), "payment emulator started");
    }
    let faults = Arc::new(FaultSwitch::new(options.faults.clone()));
    // Stops with us, however we end.
    let background = shutdown.child_token();
    let _stop_background = background.clone().drop_guard();
    let delivery = delivery::Delivery::new(
        options.webhook.clone(),
        options.max_retry_delay,
        Arc::clone(&store),
        Arc::clone(&faults),
    )?;
    tokio::spawn(background.clone().run_until_cancelled_owned(delivery.run()));
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
    let service = router(state).into_make_service_with_connect_info::<Cut>();
    let server = axum::serve(Listener(listener), service)
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
        .merge(vipps_api::routes())
        .merge(nexi_api::routes())
        .route_layer(middleware::from_fn_with_state(
            state.clone(),
            misbehave::misbehave,
        ))
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
