//! The whole route table: the router, the OpenAPI document and the request counters are made from it.

use axum::routing::{MethodRouter, post};
use axum::{Extension, Router};
use domain::{NewLicenseType, Resolution};
use service::extract::BodyLimit;

use crate::command::{Command, run};
use crate::routes::place_order::place_order;
use crate::routes::register_club::RegisterClub;
use crate::routes::set_price::SetPrice;
use crate::routes::vipps_webhook::{WEBHOOK_LIMIT, vipps_webhook};
use crate::routes::withdraw_price::WithdrawPrice;
use crate::state::AppState;

/// One operation, reached by `POST`.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    handler: MethodRouter<AppState>,
}

/// Every operation of this API.
#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::with("/api/v1/orders", post(place_order)),
        Route::of::<Resolution>("/api/v1/orders/{order_id}/capture-resolution"),
        Route::of::<NewLicenseType>("/api/v1/license-types"),
        Route::of::<SetPrice>("/api/v1/license-types/{code}/prices"),
        Route::of::<WithdrawPrice>("/api/v1/license-types/{code}/prices/{valid_from}/withdraw"),
        Route::of::<RegisterClub>("/api/v1/clubs"),
        Route::with("/api/v1/webhooks/vipps", post(vipps_webhook).layer(Extension(BodyLimit(WEBHOOK_LIMIT)))),
    ]
}

impl Route {
    /// A command that takes the path of all commands.
    fn of<C: Command>(path: &'static str) -> Self {
        Self::with(path, post(run::<C>))
    }

    fn with(path: &'static str, handler: MethodRouter<AppState>) -> Self {
        Self { path, handler }
    }
}

/// Method and path of every operation, as metrics name them.
pub(crate) fn endpoints() -> Vec<(&'static str, &'static str)> {
    routes().iter().map(|route| ("POST", route.path)).collect()
}

/// Every command, by path.
pub fn router(state: AppState) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, Route { path, handler }| {
            router.route(path, handler)
        })
        .with_state(state)
}
