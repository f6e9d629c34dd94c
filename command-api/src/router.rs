//! The whole route table: the router, the OpenAPI document and the request counters are made from it.

mod check_in_license;
mod correct_license;
mod create_license_type;
mod impose_suspension;
mod lift_suspension;
pub(crate) mod place_order;
mod publish_terms;
pub(crate) mod register_club;
mod reinstate_license;
mod resolve_capture;
mod retire_license_type;
mod revoke_license;
pub(crate) mod set_price;
mod suspend_license;
mod update_club;
pub(crate) mod vipps_webhook;
pub(crate) mod withdraw_price;

use axum::routing::{MethodRouter, patch, post};
use axum::{Extension, Router};
use domain::{NewLicenseType, NewSuspension, NewTerms, Resolution, ScanReport};
use policy::POLICY;
use service::auth::guarded;
use service::docs;
use service::extract::BodyLimit;
use utoipa::openapi::OpenApi;

use crate::command::{Command, run};
use crate::openapi::{self, Documented};
use crate::operation::Method;
use crate::state::AppState;

/// One operation.
pub(crate) struct Route {
    method: Method,
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
        Route::of::<Resolution>("/api/v1/orders/{order_id}/capture-resolution"),
        Route::of::<revoke_license::RevokeLicense>("/api/v1/licenses/{license_id}/revoke"),
        Route::of::<suspend_license::SuspendLicense>("/api/v1/licenses/{license_id}/suspend"),
        Route::of::<reinstate_license::ReinstateLicense>("/api/v1/licenses/{license_id}/reinstate"),
        Route::new("/api/v1/licenses/{license_id}/correct", post(correct_license::correct_license), openapi::operation::<correct_license::Correction>),
        Route::new("/api/v1/licenses/{license_id}/check-in", post(check_in_license::check_in_license), openapi::operation::<ScanReport>),
        Route::new("/api/v1/suspensions", post(impose_suspension::impose_suspension), openapi::operation::<NewSuspension>),
        Route::of::<lift_suspension::LiftSuspension>("/api/v1/suspensions/{suspension_id}/lift"),
        Route::of::<NewLicenseType>("/api/v1/license-types"),
        Route::of::<set_price::SetPrice>("/api/v1/license-types/{code}/prices"),
        Route::of::<withdraw_price::WithdrawPrice>("/api/v1/license-types/{code}/prices/{valid_from}/withdraw"),
        Route::of::<retire_license_type::RetireLicenseType>("/api/v1/license-types/{code}/retire"),
        Route::of::<register_club::RegisterClub>("/api/v1/clubs"),
        Route::of::<update_club::UpdateClub>("/api/v1/clubs/{club_id}"),
        Route::of::<NewTerms>("/api/v1/terms"),
        Route::new("/api/v1/webhooks/vipps", webhook, vipps_webhook::documented),
    ]
}

impl Route {
    /// A command that takes the path of all commands.
    fn of<C: Command>(path: &'static str) -> Self {
        let handler = match C::METHOD {
            Method::Post => post(run::<C>),
            Method::Patch => patch(run::<C>),
        };
        Self {
            method: C::METHOD,
            ..Self::new(path, handler, openapi::operation::<C>)
        }
    }

    /// An operation with a handler of its own, reached by `POST`.
    fn new(path: &'static str, handler: MethodRouter<AppState>, documented: fn() -> Documented) -> Self {
        Self {
            method: Method::Post,
            path,
            handler,
            documented,
        }
    }
}

/// Method and path of every route, as metrics name them.
pub(crate) fn endpoints() -> Vec<(&'static str, &'static str)> {
    let operations = routes()
        .into_iter()
        .map(|route| (route.method.as_str(), route.path));
    operations.chain(docs::ROUTES.iter().copied()).collect()
}

/// The OpenAPI document of this API.
pub fn openapi() -> OpenApi {
    openapi::of(
        routes()
            .into_iter()
            .map(|route| (route.method, route.path, (route.documented)())),
    )
}

/// Every command by path, the document and the page to browse it.
pub fn router(state: AppState) -> Router {
    let router = routes()
        .into_iter()
        .fold(docs::routes(&openapi()), |router, route| {
            router.route(route.path, route.handler)
        });
    guarded(router, POLICY, &state).with_state(state)
}
