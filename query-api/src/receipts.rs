//! `GET /api/v1/receipts` and `GET /api/v1/receipts/{receipt_id}`

use axum::extract::State;
use axum::response::Response;
use query::{Parameters, Reads};
use read_model::{RECEIPTS, Scope};
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;

use crate::access::access;

pub(crate) async fn list_receipts(
    State(reads): State<Reads>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .list(&RECEIPTS, parameters, access(&principal, Scope::of_receipts))
        .await
}

pub(crate) async fn get_receipt(
    State(reads): State<Reads>,
    principal: Principal,
    Path(receipt_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .one(
            &RECEIPTS,
            &receipt_id,
            parameters,
            access(&principal, Scope::of_receipts),
        )
        .await
}
