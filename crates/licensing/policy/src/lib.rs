//! Who may use which route: every route of both APIs, once.
//!
//! The programs put [`service::auth::guarded`] in front of all their routes with this table. A route without a row answers
//! no request, and a test walks the OpenAPI documents for such routes.

use service::auth::Rule;
use service::auth::Who::{
    Admin, Anyone, Capability, OrganizerOfClub, Owner, OwnerOrAdmin, Provider, Public, Staff, Theirs,
};

/// Every route, and who may use it. What a row means is documented at [`service::auth::Who`].
#[rustfmt::skip]
pub const POLICY: &[Rule] = &[
    // Orders.
    Rule::new("POST", "/api/v1/orders", Anyone),
    Rule::new("POST", "/api/v1/orders/{order_id}/cancel", Owner),
    Rule::new("POST", "/api/v1/orders/{order_id}/refunds", Staff),
    Rule::new("POST", "/api/v1/orders/{order_id}/capture-resolution", Staff),
    Rule::new("GET",  "/api/v1/orders", Theirs),
    Rule::new("GET",  "/api/v1/orders/outline", Theirs),
    Rule::new("GET",  "/api/v1/orders/{order_id}", Theirs),
    Rule::new("GET",  "/api/v1/orders/{order_id}/timeline", Staff),
    Rule::new("GET",  "/api/v1/orders/{order_id}/return-status", Capability),

    Rule::new("GET",  "/api/v1/receipts", Theirs),
    Rule::new("GET",  "/api/v1/receipts/{receipt_id}", Theirs),
    Rule::new("GET",  "/api/v1/receipts/{receipt_id}/receipt.pdf", Theirs),

    Rule::new("GET",  "/api/v1/letters", Staff),

    // Sums, and all rows at once.
    Rule::new("GET",  "/api/v1/activities", Theirs),
    Rule::new("GET",  "/api/v1/reports/sales", Staff),
    Rule::new("GET",  "/api/v1/exports/orders", Staff),
    Rule::new("GET",  "/api/v1/exports/licenses", Staff),
    Rule::new("GET",  "/api/v1/exports/receipts", Staff),

    // Licenses.
    Rule::new("POST", "/api/v1/licenses/{license_id}/check-in", OrganizerOfClub),
    Rule::new("POST", "/api/v1/licenses/{license_id}/revoke", Staff),
    Rule::new("POST", "/api/v1/licenses/{license_id}/suspend", Staff),
    Rule::new("POST", "/api/v1/licenses/{license_id}/reinstate", Staff),
    Rule::new("POST", "/api/v1/licenses/{license_id}/correct", Staff),
    Rule::new("GET",  "/api/v1/licenses", Theirs),
    Rule::new("GET",  "/api/v1/licenses/outline", Theirs),
    Rule::new("GET",  "/api/v1/licenses/{license_id}", Theirs),
    Rule::new("GET",  "/api/v1/licenses/{license_id}/license.pdf", Theirs),
    Rule::new("GET",  "/api/v1/licenses/{license_id}/verification", Public),
    Rule::new("GET",  "/.well-known/license-keys.json", Public),
    Rule::new("GET",  "/revocations", Public),

    // The catalogue.
    Rule::new("POST", "/api/v1/license-types", Staff),
    Rule::new("POST", "/api/v1/license-types/{code}/prices", Staff),
    Rule::new("POST", "/api/v1/license-types/{code}/prices/{valid_from}/withdraw", Staff),
    Rule::new("POST", "/api/v1/license-types/{code}/retire", Staff),
    Rule::new("GET",  "/api/v1/license-types", Public),
    Rule::new("POST", "/api/v1/clubs", Staff),
    Rule::new("PATCH", "/api/v1/clubs/{club_id}", Staff),
    Rule::new("GET",  "/api/v1/clubs", Public),
    Rule::new("POST", "/api/v1/terms", Staff),
    Rule::new("GET",  "/api/v1/terms", Public),

    // Many commands at once.
    Rule::new("POST", "/api/v1/batches", Staff),
    Rule::new("GET",  "/api/v1/batches", Staff),
    Rule::new("GET",  "/api/v1/batches/{batch_id}", Staff),
    Rule::new("GET",  "/api/v1/batches/{batch_id}/results", Staff),

    // People.
    Rule::new("POST", "/api/v1/suspensions", Staff),
    Rule::new("POST", "/api/v1/suspensions/{suspension_id}/lift", Staff),
    Rule::new("GET",  "/api/v1/suspensions", Staff),
    Rule::new("PATCH", "/api/v1/users/me", Anyone),
    Rule::new("POST", "/api/v1/users/{user_id}/roles", Admin),
    Rule::new("POST", "/api/v1/users/{user_id}/revoke-sessions", OwnerOrAdmin),
    Rule::new("POST", "/api/v1/users/{user_id}/erase", OwnerOrAdmin),
    Rule::new("POST", "/api/v1/holders/{holder_id}/erase", Admin),
    Rule::new("GET",  "/api/v1/users", Staff),
    Rule::new("GET",  "/api/v1/users/me", Anyone),
    Rule::new("GET",  "/api/v1/users/{user_id}", Staff),

    // What changes, of what one may see, and what works.
    Rule::new("GET",  "/api/v1/stream", Theirs),
    Rule::new("GET",  "/api/v1/status", Public),

    // Payment providers, by their signature.
    Rule::new("POST", "/api/v1/webhooks/vipps", Provider),
    Rule::new("POST", "/api/v1/webhooks/nexi", Provider),

    // The description of the API.
    Rule::new("GET",  "/api/v1/openapi.json", Public),
    Rule::new("GET",  "/api/v1/docs", Public),
    Rule::new("GET",  "/api/v1/docs/", Public),
    Rule::new("GET",  "/api/v1/docs/{*file}", Public),
];
