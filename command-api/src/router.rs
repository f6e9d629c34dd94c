//! The whole route table.

use axum::routing::post;
use axum::{Extension, Router};
use service::extract::BodyLimit;

use crate::routes::{
    create_license_type, place_order, register_club, resolve_capture, set_price, vipps_webhook,
    withdraw_price,
};
use crate::state::AppState;

/// Most bytes of a webhook's body. The body is read before its signature is known to be right, and a real one has less
/// than a kilobyte.
const WEBHOOK_LIMIT: usize = 64 * 1024;

/// What the router answers, for the counters that begin with the process. A test compares.
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("POST", "/api/v1/orders"),
    ("POST", "/api/v1/orders/{order_id}/capture-resolution"),
    ("POST", "/api/v1/license-types"),
    ("POST", "/api/v1/license-types/{code}/prices"),
    (
        "POST",
        "/api/v1/license-types/{code}/prices/{valid_from}/withdraw",
    ),
    ("POST", "/api/v1/clubs"),
    ("POST", "/api/v1/webhooks/vipps"),
];

/// Every command, by path.
pub fn router(state: AppState) -> Router {
    let api = Router::new()
        .route("/orders", post(place_order::place_order))
        .route(
            "/orders/{order_id}/capture-resolution",
            post(resolve_capture::resolve_capture),
        )
        .route("/license-types", post(create_license_type::create_license_type))
        .route("/license-types/{code}/prices", post(set_price::set_price))
        .route(
            "/license-types/{code}/prices/{valid_from}/withdraw",
            post(withdraw_price::withdraw_price),
        )
        .route("/clubs", post(register_club::register_club))
        .route(
            "/webhooks/vipps",
            post(vipps_webhook::vipps_webhook).layer(Extension(BodyLimit(WEBHOOK_LIMIT))),
        );
    Router::new().nest("/api/v1", api).with_state(state)
}
