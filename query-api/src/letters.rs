//! `GET /api/v1/letters`, for staff.

use axum::extract::State;
use axum::response::Response;
use query::{Parameters, Reads};
use read_model::LETTERS;
use service::auth::Principal;
use service::problem::Problem;

use crate::access::all_rows;

pub(crate) async fn list_letters(
    State(reads): State<Reads>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads.list(&LETTERS, parameters, all_rows(&principal)).await
}
