//! `GET /api/v1/licenses` and `GET /api/v1/licenses/{license_id}`

use axum::extract::State;
use axum::response::Response;
use query::Parameters;
use read_model::{LICENSES, Scope};
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;

use crate::AppState;
use crate::access::access;
use crate::codes::with_code;

pub(crate) async fn list_licenses(
    State(state): State<AppState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let rows = access(&principal, Scope::of_licenses);
    state
        .reads
        .list_with(&LICENSES, parameters, rows, with_code(state.signer.as_ref()))
        .await
}

pub(crate) async fn get_license(
    State(state): State<AppState>,
    principal: Principal,
    Path(license_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let rows = access(&principal, Scope::of_licenses);
    state
        .reads
        .one_with(
            &LICENSES,
            &license_id,
            parameters,
            rows,
            with_code(state.signer.as_ref()),
        )
        .await
}
