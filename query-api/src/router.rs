//! Every route of this service.

use axum::Router;
use axum::routing::get;

use crate::AppState;
use crate::get_license::get_license;
use crate::get_order::get_order;
use crate::list_clubs::list_clubs;
use crate::list_license_types::list_license_types;
use crate::list_licenses::list_licenses;
use crate::list_orders::list_orders;

/// What the router answers, for the counters that begin with the process. A test compares.
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("GET", "/api/v1/orders"),
    ("GET", "/api/v1/orders/{order_id}"),
    ("GET", "/api/v1/licenses"),
    ("GET", "/api/v1/licenses/{license_id}"),
    ("GET", "/api/v1/license-types"),
    ("GET", "/api/v1/clubs"),
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
        .with_state(state)
}
