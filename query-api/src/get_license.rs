//! `GET /api/v1/licenses/{license_id}`

use axum::{extract::State, response::Response};
use read_model::{LICENSES, LicenseFilter};
use service::{auth::Principal, extract::Path, problem::Problem};
use uuid::Uuid;

use crate::{
    AppState,
    answer::{self, Audience},
    parameters::Parameters,
    scope::scope,
    view,
};

pub(crate) async fn get_license(
    State(state): State<AppState>,
    principal: Principal,
    Path(license_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let license_id = Uuid::try_parse(&license_id).map_err(|_| view::not_an_id("/license_id"))?;
    let view = view::of_one(parameters, &LICENSES)?;
    let filter = LicenseFilter {
        license_id: Some(license_id),
        ..LicenseFilter::default()
    };
    let conditions = filter.within(&scope(&principal));
    answer::one(&state, view, conditions, Audience::Personal(&principal)).await
}
