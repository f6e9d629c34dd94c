//! `GET /api/v1/orders/{order_id}/return-status`
//!
//! For a browser that the payment provider sent back, with or without a login there: the capability in the return URL shows
//! the number, status and total of its order, and nothing else.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::Utc;
use query::openapi::Excerpt;
use query::{Parameters, Reads, parse_key};
use read_model::ORDERS;
use service::extract::Path;
use service::problem::Problem;
use service::return_key::ReturnKey;

/// The name of the capability in the query.
const TOKEN: &str = "t";
/// What it shows.
const COLUMNS: &[&str] = &["order_number", "status", "total_ore"];

/// Where it is.
pub(crate) const RETURN_STATUS: &str = "/api/v1/orders/{order_id}/return-status";

pub(crate) async fn get_return_status(
    State(reads): State<Reads>,
    State(return_key): State<ReturnKey>,
    Path(order_id): Path<String>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let order_id = parse_key(&ORDERS, &order_id)?;
    // Before anything is read: the answer to a wrong token says nothing about the order.
    let token = parameters.take(TOKEN).unwrap_or_default();
    if !return_key.allows(order_id, &token, Utc::now()) {
        return Err(invalid());
    }
    reads.excerpt(&ORDERS, order_id, COLUMNS, parameters).await
}

/// What the document says of it.
pub(crate) fn documented() -> Excerpt {
    Excerpt {
        operation: "get_return_status",
        summary: "The number, status and total of an order, by the capability in the return URL",
        schema: "ReturnStatus",
        columns: COLUMNS,
        capability: (
            TOKEN,
            "The parameter of the same name in the return URL. It is good for one order and 24 hours.",
        ),
        refusal: invalid(),
    }
}

/// 401, the same for a token that is missing, malformed, expired, or of another order, and whether the order exists or not.
fn invalid() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "return_token_invalid",
        "Lenken er ugyldig eller utløpt. Logg inn for å se ordren.",
        "The link is not valid, or has expired. Log in to see the order.",
    )
}
