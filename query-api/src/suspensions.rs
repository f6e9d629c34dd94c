//! `GET /api/v1/suspensions`, for staff.

use axum::extract::State;
use axum::response::Response;
use query::{Parameters, Reads};
use read_model::SUSPENSIONS;
use service::auth::Principal;
use service::problem::Problem;

use crate::access::all_rows;

pub(crate) async fn list_suspensions(
    State(reads): State<Reads>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads.list(&SUSPENSIONS, parameters, all_rows(&principal)).await
}
