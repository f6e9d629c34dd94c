//! Every route of this service.

use axum::Router;
use axum::routing::get;
use policy::POLICY;
use service::auth::guarded;
use service::docs;

use crate::activities::list_activities;
use crate::batches::{get_batch, list_batches, list_results};
use crate::clubs::list_clubs;
use crate::exports::{export_licenses, export_orders, export_receipts};
use crate::gate_lists::{self, license_keys, list_revocations};
use crate::letters::list_letters;
use crate::license_pdf::{self, license_pdf};
use crate::license_types::list_license_types;
use crate::licenses::{get_license, list_licenses};
use crate::openapi::document;
use crate::orders::{get_order, list_orders};
use crate::outline::{outline_licenses, outline_orders};
use crate::receipt_pdf::{self, receipt_pdf};
use crate::receipts::{get_receipt, list_receipts};
use crate::return_status::{RETURN_STATUS, get_return_status};
use crate::sales::report_sales;
use crate::status::get_status;
use crate::stream::follow_changes;
use crate::suspensions::list_suspensions;
use crate::terms::list_terms;
use crate::timeline::list_timeline;
use crate::users::{get_me, get_user, list_users};
use crate::verification::{self, verify_license};
use crate::{AppState, compression};

/// What answers 304 besides the resources, as metrics name it.
pub(crate) const CACHED: &[&str] = &[
    license_pdf::KIND,
    receipt_pdf::KIND,
    verification::KIND,
    gate_lists::KEYS,
    gate_lists::REVOCATIONS,
    query::OUTLINE,
];

/// What the router answers, besides [`docs::ROUTES`]. The counters of requests begin with it, and a test compares it with
/// the OpenAPI document and with the router.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/api/v1/orders"),
    ("GET", "/api/v1/orders/outline"),
    ("GET", "/api/v1/orders/{order_id}"),
    ("GET", RETURN_STATUS),
    ("GET", "/api/v1/licenses"),
    ("GET", "/api/v1/licenses/outline"),
    ("GET", "/api/v1/licenses/{license_id}"),
    ("GET", "/api/v1/orders/{order_id}/timeline"),
    ("GET", "/api/v1/users"),
    ("GET", "/api/v1/users/me"),
    ("GET", "/api/v1/users/{user_id}"),
    ("GET", "/api/v1/licenses/{license_id}/license.pdf"),
    ("GET", "/api/v1/licenses/{license_id}/verification"),
    ("GET", "/api/v1/receipts"),
    ("GET", "/api/v1/receipts/{receipt_id}"),
    ("GET", "/api/v1/receipts/{receipt_id}/receipt.pdf"),
    ("GET", "/api/v1/activities"),
    ("GET", "/api/v1/reports/sales"),
    ("GET", "/api/v1/exports/orders"),
    ("GET", "/api/v1/exports/licenses"),
    ("GET", "/api/v1/exports/receipts"),
    ("GET", "/api/v1/letters"),
    ("GET", "/api/v1/suspensions"),
    ("GET", "/api/v1/batches"),
    ("GET", "/api/v1/batches/{batch_id}"),
    ("GET", "/api/v1/batches/{batch_id}/results"),
    ("GET", "/api/v1/stream"),
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/license-types"),
    ("GET", "/api/v1/clubs"),
    ("GET", "/api/v1/terms"),
    ("GET", "/.well-known/license-keys.json"),
    ("GET", "/revocations"),
];

/// The routes, without the layers that [`service::http::serve`] puts around them.
pub fn router(state: AppState) -> Router {
    let router = Router::new()
        // Personal: one's own, an organizer's clubs', or staff.
        .route("/api/v1/orders", get(list_orders))
        .route("/api/v1/orders/outline", get(outline_orders))
        .route("/api/v1/orders/{order_id}", get(get_order))
        .route("/api/v1/licenses", get(list_licenses))
        .route("/api/v1/licenses/outline", get(outline_licenses))
        .route("/api/v1/licenses/{license_id}", get(get_license))
        .route("/api/v1/licenses/{license_id}/license.pdf", get(license_pdf))
        .route("/api/v1/receipts", get(list_receipts))
        .route("/api/v1/receipts/{receipt_id}", get(get_receipt))
        .route("/api/v1/receipts/{receipt_id}/receipt.pdf", get(receipt_pdf))
        .route("/api/v1/activities", get(list_activities))
        .route("/api/v1/stream", get(follow_changes))
        // For staff, and oneself.
        .route("/api/v1/reports/sales", get(report_sales))
        .route("/api/v1/exports/orders", get(export_orders))
        .route("/api/v1/exports/licenses", get(export_licenses))
        .route("/api/v1/exports/receipts", get(export_receipts))
        .route("/api/v1/orders/{order_id}/timeline", get(list_timeline))
        .route("/api/v1/letters", get(list_letters))
        .route("/api/v1/suspensions", get(list_suspensions))
        .route("/api/v1/batches", get(list_batches))
        .route("/api/v1/batches/{batch_id}", get(get_batch))
        .route("/api/v1/batches/{batch_id}/results", get(list_results))
        .route("/api/v1/users", get(list_users))
        .route("/api/v1/users/me", get(get_me))
        .route("/api/v1/users/{user_id}", get(get_user))
        // By capability.
        .route(RETURN_STATUS, get(get_return_status))
        // Public.
        .route("/api/v1/licenses/{license_id}/verification", get(verify_license))
        .route("/api/v1/license-types", get(list_license_types))
        .route("/api/v1/clubs", get(list_clubs))
        .route("/api/v1/terms", get(list_terms))
        .route("/api/v1/status", get(get_status))
        // Public and without a version: gates keep these addresses for years.
        .route("/.well-known/license-keys.json", get(license_keys))
        .route("/revocations", get(list_revocations))
        .layer(compression::layer())
        .merge(docs::routes(&document()));
    guarded(router, POLICY, &state).with_state(state)
}
