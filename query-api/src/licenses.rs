//! `GET /api/v1/licenses` and `GET /api/v1/licenses/{license_id}`

use axum::extract::State;
use axum::response::Response;
use query::{Parameters, Reads};
use read_model::{LICENSES, Scope};
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;

use crate::access::access;

pub(crate) async fn list_licenses(
    State(reads): State<Reads>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .list(&LICENSES, parameters, access(&principal, Scope::of_licenses))
        .await
}

pub(crate) async fn get_license(
    State(reads): State<Reads>,
    principal: Principal,
    Path(license_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .one(
            &LICENSES,
            &license_id,
            parameters,
            access(&principal, Scope::of_licenses),
        )
        .await
}
