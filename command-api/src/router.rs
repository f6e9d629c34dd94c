//! The whole route table: the router, the OpenAPI document and the request counters are made from it.

use axum::routing::{MethodRouter, post};
use axum::{Extension, Router};
use domain::{NewLicenseType, Resolution};
use service::docs;
use service::extract::BodyLimit;
use utoipa::openapi::OpenApi;

use crate::command::{Command, run};
use crate::openapi::{self, Documented};
use crate::routes::place_order::{OrderRequest, place_order};
use crate::routes::register_club::RegisterClub;
use crate::routes::set_price::SetPrice;
use crate::routes::vipps_webhook::{self, WEBHOOK_LIMIT, vipps_webhook};
use crate::routes::withdraw_price::WithdrawPrice;
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
    let webhook = post(vipps_webhook).layer(Extension(BodyLimit(WEBHOOK_LIMIT)));
    vec![
        Route::new("/api/v1/orders", post(place_order), openapi::operation::<OrderRequest>),
        Route::of::<Resolution>("/api/v1/orders/{order_id}/capture-resolution"),
        Route::of::<NewLicenseType>("/api/v1/license-types"),
        Route::of::<SetPrice>("/api/v1/license-types/{code}/prices"),
        Route::of::<WithdrawPrice>("/api/v1/license-types/{code}/prices/{valid_from}/withdraw"),
        Route::of::<RegisterClub>("/api/v1/clubs"),
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
