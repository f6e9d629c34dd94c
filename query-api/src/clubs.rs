//! `GET /api/v1/clubs`: public.

use axum::extract::State;
use axum::response::Response;
use query::{Access, Parameters, Reads};
use read_model::CLUBS;
use read_model::collections::SHARED_CLUBS;
use service::problem::Problem;

pub(crate) async fn list_clubs(
    State(reads): State<Reads>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .list_shared(&SHARED_CLUBS, &CLUBS, parameters, Access::Everyone)
        .await
}
