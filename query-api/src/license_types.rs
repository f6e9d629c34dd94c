//! `GET /api/v1/license-types`: the catalogue, public, with today's prices.

use axum::extract::State;
use axum::response::Response;
use query::{Access, Parameters, Reads};
use read_model::LICENSE_TYPES;
use read_model::collections::SHARED_LICENSE_TYPES;
use service::problem::Problem;

pub(crate) async fn list_license_types(
    State(reads): State<Reads>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .list_shared(
            &SHARED_LICENSE_TYPES,
            &LICENSE_TYPES,
            parameters,
            Access::Everyone,
        )
        .await
}
