//! The OpenAPI document of this service, from the declarations of its resources.

mod documents;
mod gate;
mod reports;
mod status;
mod stream;

use query::openapi::{add, add_excerpt, add_for_some, add_list_for_some, add_of_path, add_outline, add_with};
use read_model::reports::ACTIVITIES;
use read_model::{
    BATCH_ITEMS, BATCHES, CLUBS, LETTERS, LICENSE_TYPES, LICENSES, ORDERS, RECEIPTS, SUSPENSIONS, TERMS,
    TIMELINE, USERS,
};
use service::docs;
use service::problem::Problem;
use utoipa::openapi::OpenApi;

use crate::codes::keys_missing;
use crate::return_status::{self, RETURN_STATUS};

const DESCRIPTION: &str = "Reads what was sold: orders and licenses, the catalogue, and clubs. Everything that changes state \
    is a command of the other API. A command's answer has a position; with it as `min_position` a query here shows the \
    command's effect. Errors are `application/problem+json` (RFC 9457) with a stable `code`.";

/// What is counted in an outline.
const COVERED: &str = "With `seek` of the list, a client goes from a day to its rows. For staff everything is counted that `status` \
    and one of the filters for club, license type, provider, category, discipline, role and check-in keep, between whole days \
    of the sort key. What other filters keep, or another reader sees, is counted while it is at most 10,000 rows. Beyond that, and \
    while the counts are made again, `covered` is false. A list that shows what is similar to `q` has no days.";

/// The document.
pub fn document() -> OpenApi {
    let mut document = docs::document("Bilsport licenses: queries", DESCRIPTION);
    add(&mut document, &ORDERS, "/api/v1/orders", true);
    add_outline(&mut document, &ORDERS, "/api/v1/orders/outline", COVERED);
    add_excerpt(&mut document, &ORDERS, RETURN_STATUS, return_status::documented());
    add_with(
        &mut document,
        &LICENSES,
        "/api/v1/licenses",
        true,
        &[keys_missing()],
    );
    add_outline(&mut document, &LICENSES, "/api/v1/licenses/outline", COVERED);
    add_of_path(
        &mut document,
        &TIMELINE,
        "/api/v1/orders/{order_id}/timeline",
        "order_id",
    );
    add_for_some(&mut document, &USERS, "/api/v1/users", "/api/v1/users/me");
    add(&mut document, &RECEIPTS, "/api/v1/receipts", true);
    add_list_for_some(&mut document, &LETTERS, "/api/v1/letters");
    add_list_for_some(&mut document, &SUSPENSIONS, "/api/v1/suspensions");
    let hidden = [Problem::not_found()];
    add_with(&mut document, &BATCHES, "/api/v1/batches", true, &hidden);
    add_of_path(
        &mut document,
        &BATCH_ITEMS,
        "/api/v1/batches/{batch_id}/results",
        "batch_id",
    );
    add(&mut document, &LICENSE_TYPES, "/api/v1/license-types", false);
    add(&mut document, &CLUBS, "/api/v1/clubs", false);
    add(&mut document, &TERMS, "/api/v1/terms", false);
    add(&mut document, &ACTIVITIES, "/api/v1/activities", false);
    reports::add(&mut document);
    documents::add(&mut document);
    gate::add(&mut document);
    stream::add(&mut document);
    status::add(&mut document);
    document
}
