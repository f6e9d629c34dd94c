//! The whole route table: the router, the OpenAPI document and the request counters are made from it.

mod cancel_order;
mod create_license_type;
pub(crate) mod place_order;
mod refund_order;
pub(crate) mod register_club;
mod resolve_capture;
mod revoke_license;
pub(crate) mod set_price;
pub(crate) mod vipps_webhook;
pub(crate) mod withdraw_price;

use axum::routing::{MethodRouter, post};
use axum::{Extension, Router};
use domain::{NewLicenseType, Resolution};
use service::docs;
use service::extract::BodyLimit;
use utoipa::openapi::OpenApi;

use crate::command::{Command, run};
use crate::openapi::{self, Documented};
use crate::state::AppState;

/// One operation, reached by `POST`.
pub(crate) struct Route {
    path: &'static str,
    handler: MethodRouter<AppState>,
    documented: fn() -> Documented,
}

/// Every operation of this API.
#[rustfmt::skip]
fn routes() -> Vec<Route> {
    let webhook = post(vipps_webhook::vipps_webhook).layer(Extension(BodyLimit(vipps_webhook::WEBHOOK_LIMIT)));
    vec![
        Route::new("/api/v1/orders", post(place_order::place_order), openapi::operation::<place_order::OrderRequest>),
        Route::new("/api/v1/orders/{order_id}/cancel", post(cancel_order::cancel_order), openapi::operation::<cancel_order::CancelOrder>),
        Route::new("/api/v1/orders/{order_id}/refunds", post(refund_order::refund_order), openapi::operation::<refund_order::RefundOrder>),
        Route::of::<Resolution>("/api/v1/orders/{order_id}/capture-resolution"),
        Route::new("/api/v1/licenses/{license_id}/revoke", post(revoke_license::revoke_license), openapi::operation::<revoke_license::RevokeLicense>),
        Route::of::<NewLicenseType>("/api/v1/license-types"),
        Route::of::<set_price::SetPrice>("/api/v1/license-types/{code}/prices"),
        Route::of::<withdraw_price::WithdrawPrice>("/api/v1/license-types/{code}/prices/{valid_from}/withdraw"),
        Route::of::<register_club::RegisterClub>("/api/v1/clubs"),
        Route::new("/api/v1/webhooks/vipps", webhook, vipps_webhook::documented),
    ]
}

impl Route {
    /// A command that takes the path of all commands.
    fn of<C: Command>(path: &'static str) -> Self {
        Self::new(path, post(run::<C>), openapi::operation::<C>)
    }

    fn new(path: &'static str, handler: MethodRouter<AppState>, documented: fn() -> Documented) -> Self {
        Self {
            path,
            handler,
            documented,
        }
    }
}

/// Method and path of every route, as metrics name them.
pub(crate) fn endpoints() -> Vec<(&'static str, &'static str)> {
    let operations = routes().into_iter().map(|route| ("POST", route.path));
    operations.chain(docs::ROUTES.iter().copied()).collect()
}

/// The OpenAPI document of this API.
pub fn openapi() -> OpenApi {
    openapi::of(
        routes()
            .into_iter()
            .map(|route| (route.path, (route.documented)())),
    )
}

/// Every command by path, the document and the page to browse it.
pub fn router(state: AppState) -> Router {
    routes()
        .into_iter()
        .fold(docs::routes(&openapi()), |router, route| {
            router.route(route.path, route.handler)
        })
        .with_state(state)
}
