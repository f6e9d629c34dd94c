//! What every request passes through, outermost first: its id and span, its record (log line and metrics), the time
//! limit, the panic catcher, the body limit, and the answers for unknown paths and methods.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::client::{ClientAddress, Network, Peer};
use super::record::Record;
use super::{HttpOptions, answer, client};
use crate::extract::{BodyLimit, BodyPatience};
use crate::problem::Problem;
use crate::request_id::{self, RequestId};

/// Puts the layers around a router, with the default limits. For tests that call the router without a socket;
/// [`serve`](super::serve) does it itself.
pub fn apply_layers(router: Router) -> Router {
    apply_layers_with(router, &HttpOptions::default())
}

/// Puts the layers around a router.
pub fn apply_layers_with(router: Router, options: &HttpOptions) -> Router {
    // Cloned for each request.
    let shared = Arc::new(options.clone());
    router
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(method_not_allowed)
        // The first limit is for our own extractors, the second for axum's.
        .layer(Extension(BodyLimit(options.body_limit)))
        .layer(Extension(BodyPatience(options.body_read_timeout)))
        .layer(DefaultBodyLimit::max(options.body_limit))
        .layer(from_fn_with_state(Arc::clone(&shared), bound))
        .layer(from_fn_with_state(shared, identify))
}

/// Gives the request its id and records it, whatever happens inside.
async fn identify(State(options): State<Arc<HttpOptions>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::from_headers(request.headers());
    request.extensions_mut().insert(id.clone());
    let header_value = id.header_value();
    let work = async {
        let client = client(&request, &options);
        // Created inside the scope, so that its log line carries the request id.
        let record = Record::begin(
            &request,
            client.map(|ClientAddress(address)| Network::of_client(address)),
        );
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        let response = answer::as_problem(next.run(request).await);
        record.end(response.status());
        response
    };
    let mut response = request_id::scope(id, work).await;
    response.headers_mut().insert(request_id::HEADER, header_value);
    response
}

/// Where the request comes from; nothing without a connection.
fn client(request: &Request, options: &HttpOptions) -> Option<ClientAddress> {
    let Peer(peer) = request.extensions().get().copied()?;
    let address = client::address(peer, request.headers(), &options.trusted_proxies);
    Some(ClientAddress(address))
}

/// Bounds the handler: too long is a 503, a panic a 500.
async fn bound(State(options): State<Arc<HttpOptions>>, request: Request, next: Next) -> Response {
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(options.request_timeout, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => panicked(panic),
        Err(_elapsed) => timed_out().into_response(),
    }
}

/// The problem when a handler takes too long.
pub(crate) fn timed_out() -> Problem {
    Problem::unavailable(
        "timeout",
        "Det tok for lang tid. Prøv igjen om litt.",
        "It took too long. Try again in a moment.",
    )
}

/// The panic hook has logged the panic where it happened.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    drop(panic);
    Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// axum adds the `Allow` header; to `OPTIONS` that is the whole answer.
async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        Problem::from_status(StatusCode::METHOD_NOT_ALLOWED).into_response()
    }
}
