//! Every route of this service.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use service::docs;

use crate::AppState;
use crate::begin_login::{LOGIN, begin_login};
use crate::check::{CHECK, check};
use crate::end_login::end_login;
use crate::logout::{LOGOUT, log_out};
use crate::me::{ME, get_me};
use crate::openapi::document;
use crate::provider::CALLBACK;
use crate::refresh::{REFRESH, refresh};

/// What the router answers, besides [`docs::ROUTES`]. The counters of requests begin with it, and a test compares it with
/// the OpenAPI document.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", LOGIN),
    ("GET", CALLBACK),
    ("POST", REFRESH),
    ("POST", LOGOUT),
    ("GET", ME),
    ("GET", CHECK),
];

/// The routes, without the layers that [`service::http::serve`] puts around them.
pub fn router(state: AppState) -> Router {
    Router::new()
        // A person's browser goes there.
        .route(LOGIN, get(begin_login))
        .route(CALLBACK, get(end_login))
        // A page asks.
        .route(REFRESH, post(refresh))
        .route(LOGOUT, post(log_out))
        .route(ME, get(get_me))
        // The edge asks.
        .route(CHECK, get(check))
        .layer(map_response(never_kept))
        .merge(docs::routes(&document()))
        .with_state(state)
}

/// No answer about a session is kept anywhere.
async fn never_kept(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}
