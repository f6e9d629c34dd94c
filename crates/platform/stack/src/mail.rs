//! `stack mail`: a mail server for development and tests. It accepts every letter, keeps it on disk, and shows it on a page.
//!
//! | Route | |
//! |---|---|
//! | `GET /` | the letters that are kept, newest first |
//! | `GET /messages/{n}` | one letter: text and attachments |
//! | `GET /messages/{n}/attachments/{i}` | one attachment; the first is 1 |
//! | `GET /messages?to=` | the same as JSON, all or those to one address |
//! | `POST /faults`, `GET` | switch faults on and off: see [`Faults`] |
//! | `GET /health/ready` | 200 while letters are accepted |
//!
//! A letter is flushed to disk before its sender gets an answer, so each acknowledged letter survives a crash.

mod faults;
mod letter;
mod lines;
mod page;
mod session;
mod smtp;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::faults::Switch;
use self::store::Store;

pub use faults::Faults;

/// How long exchanges and requests under way may take to finish after a signal.
const DRAIN: Duration = Duration::from_secs(5);

/// Where a mail server listens, and where it keeps letters.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Address to listen on for SMTP
    #[arg(long, env = "SMTP_LISTEN", default_value = "127.0.0.1:1025")]
    pub smtp_listen: SocketAddr,
    /// Address to listen on for the page
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8025")]
    pub listen: SocketAddr,
    /// Directory that keeps the letters; it is created
    #[arg(long, env = "MAIL_DIR", value_name = "DIR")]
    pub dir: PathBuf,
}

#[derive(Clone)]
struct Mail {
    store: Arc<Store>,
    faults: Arc<Switch>,
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mail = Mail {
        store: Arc::new(Store::open(&options.dir)?),
        faults: Arc::default(),
    };
    let smtp = listen(options.smtp_listen).await?;
    let page = listen(options.listen).await?;
    let shutdown = CancellationToken::new();
    let stopping = shutdown.clone();
    let serving = async {
        let stopped = shutdown.clone().cancelled_owned();
        let page = axum::serve(page, page::router(mail.clone())).with_graceful_shutdown(stopped);
        let ((), page) = tokio::join!(
            smtp::serve(&smtp, &mail, &shutdown),
            tokio::spawn(page.into_future())
        );
        page.context("the page failed")?.context("the page failed")
    };
    let signalled = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopping.cancel();
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = serving => result,
        () = signalled => Ok(()),
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}
