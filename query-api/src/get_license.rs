//! `GET /api/v1/licenses/{license_id}`

use axum::extract::State;
use axum::response::Response;
use read_model::{LICENSES, LicenseFilter};
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;
use uuid::Uuid;

use crate::answer::{self, Audience};
use crate::parameters::Parameters;
use crate::scope::scope;
use crate::{AppState, view};

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
