//! The whole route table: the router, the OpenAPI document and the request counters are made from it.

mod cancel_order;
pub(crate) mod change_contact;
pub(crate) mod check_in_license;
pub(crate) mod correct_license;
mod create_license_type;
mod erase;
pub(crate) mod impose_suspension;
mod lift_suspension;
mod nexi_webhook;
pub(crate) mod place_order;
mod publish_terms;
mod refund_order;
pub(crate) mod register_club;
mod reinstate_license;
mod resolve_capture;
pub(crate) mod retire_license_type;
pub(crate) mod revoke_license;
mod revoke_sessions;
pub(crate) mod set_price;
pub(crate) mod set_roles;
pub(crate) mod submit_batch;
mod suspend_license;
pub(crate) mod update_club;
mod vipps_webhook;
pub(crate) mod webhooks;
pub(crate) mod withdraw_price;

use axum::routing::{MethodRouter, patch, post};
use axum::{Extension, Router};
use domain::{NewLicenseType, NewSuspension, NewTerms, Resolution, ScanReport};
use policy::POLICY;
use service::auth::{Who, guarded};
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
    documented: fn(Who) -> Documented,
}

/// Every operation of this API.
#[rustfmt::skip]
fn routes() -> Vec<Route> {
    let limit = || Extension(BodyLimit(webhooks::WEBHOOK_LIMIT));
    vec![
        Route::new("/api/v1/orders", post(place_order::place_order), openapi::operation::<place_order::OrderRequest>),
        Route::new("/api/v1/orders/{order_id}/cancel", post(cancel_order::cancel_order), openapi::operation::<cancel_order::CancelOrder>),
        Route::new("/api/v1/orders/{order_id}/refunds", post(refund_order::refund_order), openapi::operation::<refund_order::RefundOrder>),
        Route::of::<Resolution>("/api/v1/orders/{order_id}/capture-resolution"),
        Route::new("/api/v1/licenses/{license_id}/revoke", post(revoke_license::revoke_license), openapi::operation::<revoke_license::RevokeLicense>),
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
        Route::new("/api/v1/batches", post(submit_batch::submit_batch), submit_batch::documented),
        Route::patch("/api/v1/users/me", patch(change_contact::change_contact), openapi::operation::<change_contact::ChangeContact>),
        Route::new("/api/v1/users/{user_id}/roles", post(set_roles::set_roles), openapi::operation::<set_roles::SetRoles>),
        Route::new("/api/v1/users/{user_id}/revoke-sessions", post(revoke_sessions::revoke_sessions), openapi::operation::<revoke_sessions::RevokeSessions>),
        Route::new("/api/v1/users/{user_id}/erase", post(erase::erase_user), openapi::operation::<erase::EraseUser>),
        Route::new("/api/v1/holders/{holder_id}/erase", post(erase::erase_holder), openapi::operation::<erase::EraseHolder>),
        Route::new("/api/v1/webhooks/vipps", post(vipps_webhook::vipps_webhook).layer(limit()), vipps_webhook::documented),
        Route::new("/api/v1/webhooks/nexi", post(nexi_webhook::nexi_webhook).layer(limit()), nexi_webhook::documented),
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

    /// An operation with a handler of its own, reached by `PATCH`.
    fn patch(path: &'static str, handler: MethodRouter<AppState>, documented: fn(Who) -> Documented) -> Self {
        Self {
            method: Method::Patch,
            ..Self::new(path, handler, documented)
        }
    }

    /// An operation with a handler of its own, reached by `POST`.
    fn new(path: &'static str, handler: MethodRouter<AppState>, documented: fn(Who) -> Documented) -> Self {
        Self {
            method: Method::Post,
            path,
            handler,
            documented,
        }
    }
}

impl Route {
    /// Who may use it. A route without a row answers 404, and a test refuses it.
    fn who(&self) -> Who {
        let row = POLICY
            .iter()
            .find(|rule| rule.method == self.method.as_str() && rule.path == self.path);
        row.map_or(Who::Admin, |rule| rule.who)
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
            .map(|route| (route.method, route.path, (route.documented)(route.who()))),
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
