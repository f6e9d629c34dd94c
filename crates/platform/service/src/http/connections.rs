//! The accept loop: a limited number of connections, time limits for each, and a drain with a deadline.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::HttpOptions;
use super::client::Peer;
use super::head::{FirstByte, HeadTimer};
use super::stall::StallGuard;
use super::unreadable::AnswersUnreadable;
use crate::metrics;

/// The most bytes of request line and headers.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// How long to wait after a failed accept. The usual cause, no file descriptor left, ends only when a connection closes.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(200);

/// Time for dropping connections after the hard deadline.
const ABORT_GRACE: Duration = Duration::from_millis(500);

/// Accepts until `shutdown`, then drains.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    options: &HttpOptions,
    shutdown: CancellationToken,
) {
    let server = Server {
        service: TowerToHyperService::new(router),
        options: options.clone(),
        shutdown,
        abort: CancellationToken::new(),
        tracker: TaskTracker::new(),
    };
    server.accept(&listener, options.max_connections).await;
    // Closed before the drain: a new client is refused at once and goes to another instance.
    drop(listener);
    server.drain(options.drain_timeout).await;
}

struct Server {
    service: TowerToHyperService<Router>,
    options: HttpOptions,
    shutdown: CancellationToken,
    abort: CancellationToken,
    tracker: TaskTracker,
}

impl Server {
    async fn accept(&self, listener: &TcpListener, max_connections: usize) {
        let slots = Arc::new(Semaphore::new(max_connections));
        loop {
            // The slot is taken before the accept, so that at the limit clients wait in the kernel's queue at no cost to us.
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                () = self.shutdown.cancelled() => return,
                next = next => next,
            };
            match (slot, accepted) {
                (Ok(slot), Ok((stream, peer))) => self.spawn(stream, Peer(peer), slot),
                (_, Err(error)) => self.back_off(&error).await,
                // The semaphore is never closed.
                (Err(_closed), Ok(_)) => return,
            }
        }
    }

    /// Pauses after every error but that of a client that gave up while it waited.
    async fn back_off(&self, error: &io::Error) {
        let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
        if gone.contains(&error.kind()) {
            return;
        }
        // 23 is ENFILE and 24 is EMFILE on Linux and the BSDs.
        let reason = if matches!(error.raw_os_error(), Some(23 | 24)) {
            "limit"
        } else {
            "other"
        };
        ::metrics::counter!(metrics::HTTP_ACCEPT_ERRORS, "reason" => reason).increment(1);
        tracing::warn!(%error, reason, "cannot accept a connection");
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = tokio::time::sleep(ACCEPT_BACKOFF) => {}
        }
    }

    fn spawn(&self, stream: TcpStream, peer: Peer, slot: OwnedSemaphorePermit) {
        // Answers are written whole, so waiting to fill a packet only adds delay. Failing to set it harms nothing.
        let _ = stream.set_nodelay(true);
        let first_byte = FirstByte::default();
        let io = StallGuard::new(
            TokioIo::new(stream),
            self.options.write_stall_timeout,
            first_byte.clone(),
        );
        let io = AnswersUnreadable::new(io);
        let service = self.service.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            service.call(request)
        });
        let connection = builder(&self.options, first_byte).serve_connection(io, service);
        let (shutdown, abort) = (self.shutdown.clone(), self.abort.clone());
        ::metrics::gauge!(metrics::HTTP_CONNECTIONS).increment(1.0);
        let open = OpenConnection { _slot: slot };
        self.tracker.spawn(async move {
            let _open = open;
            let mut connection = pin!(connection);
            tokio::select! {
                result = connection.as_mut() => return log_end(result),
                () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                result = connection => log_end(result),
                () = abort.cancelled() => {}
            }
        });
    }

    async fn drain(&self, deadline: Duration) {
        self.tracker.close();
        let open = self.tracker.len();
        if tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok() {
            tracing::info!(connections = open, "connections drained");
            return;
        }
        tracing::warn!(
            connections = self.tracker.len(),
            "drain deadline passed, cutting connections off"
        );
        self.abort.cancel();
        if tokio::time::timeout(ABORT_GRACE, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::error!(connections = self.tracker.len(), "a connection blocks its thread");
        }
    }
}

/// Counts a connection while it is open, however its task ends, and holds its slot.
struct OpenConnection {
    _slot: OwnedSemaphorePermit,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        ::metrics::gauge!(metrics::HTTP_CONNECTIONS).decrement(1.0);
    }
}

fn builder(options: &HttpOptions, first_byte: FirstByte) -> http1::Builder {
    let idle_timeout = Duration::from_secs(options.idle_timeout_s.into());
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer::new(
            first_byte,
            options.header_read_timeout,
            idle_timeout,
        ))
        // This only switches the limit on: the timer decides how long it is.
        .header_read_timeout(options.header_read_timeout)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(2 * MAX_HEADER_BYTES);
    builder
}

/// Logs at debug level: broken and slow connections are normal on the internet.
fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended early");
    }
}
