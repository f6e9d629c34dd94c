//! Every route of this service.

use axum::Router;
use axum::routing::get;
use service::docs;

use crate::AppState;
use crate::clubs::list_clubs;
use crate::license_types::list_license_types;
use crate::licenses::{get_license, list_licenses};
use crate::openapi::document;
use crate::orders::{get_order, list_orders};
use crate::terms::list_terms;

/// What the router answers, besides [`docs::ROUTES`]. The counters of requests begin with it, and a test compares it with
/// the OpenAPI document and with the router.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/api/v1/orders"),
    ("GET", "/api/v1/orders/{order_id}"),
    ("GET", "/api/v1/licenses"),
    ("GET", "/api/v1/licenses/{license_id}"),
    ("GET", "/api/v1/license-types"),
    ("GET", "/api/v1/clubs"),
    ("GET", "/api/v1/terms"),
];

/// The routes, without the layers that [`service::http::serve`] puts around them.
pub fn router(state: AppState) -> Router {
    Router::new()
        // Personal: one's own, an organizer's clubs', or staff.
        .route("/api/v1/orders", get(list_orders))
        .route("/api/v1/orders/{order_id}", get(get_order))
        .route("/api/v1/licenses", get(list_licenses))
        .route("/api/v1/licenses/{license_id}", get(get_license))
        // Public.
        .route("/api/v1/license-types", get(list_license_types))
        .route("/api/v1/clubs", get(list_clubs))
        .route("/api/v1/terms", get(list_terms))
        .merge(docs::routes(&document()))
        .with_state(state)
}
