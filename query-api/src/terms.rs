//! `GET /api/v1/terms`: what customers accept, public.

use axum::extract::State;
use axum::response::Response;
use query::{Access, Parameters, Reads};
use read_model::TERMS;
use service::problem::Problem;

pub(crate) async fn list_terms(
    State(reads): State<Reads>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads.list(&TERMS, parameters, Access::Everyone).await
}
