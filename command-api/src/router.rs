//! The whole route table.

use axum::Router;
use axum::routing::post;

use crate::routes::{
    create_license_type, place_order, register_club, set_price, vipps_webhook, withdraw_price,
};
use crate::state::AppState;

/// Every command, by path.
pub fn router(state: AppState) -> Router {
    let api = Router::new()
        .route("/orders", post(place_order::place_order))
        .route("/license-types", post(create_license_type::create_license_type))
        .route("/license-types/{code}/prices", post(set_price::set_price))
        .route(
            "/license-types/{code}/prices/{valid_from}/withdraw",
            post(withdraw_price::withdraw_price),
        )
        .route("/clubs", post(register_club::register_club))
        .route("/webhooks/vipps", post(vipps_webhook::vipps_webhook));
    Router::new().nest("/api/v1", api).with_state(state)
}
