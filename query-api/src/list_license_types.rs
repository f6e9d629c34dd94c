//! `GET /api/v1/license-types`: the catalogue, public, with today's prices.

use axum::extract::State;
use axum::response::Response;
use read_model::{LICENSE_TYPE_STATUSES, LICENSE_TYPES, LicenseTypeFilter, ROLES};
use service::problem::Problem;

use crate::answer::{self, Audience};
use crate::parameters::Parameters;
use crate::{AppState, view};

pub(crate) async fn list_license_types(
    State(state): State<AppState>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let filter = LicenseTypeFilter {
        category: parameters.text("category"),
        role: parameters.choice("role", ROLES),
        status: parameters.choice("status", LICENSE_TYPE_STATUSES),
        q: parameters.text("q"),
    };
    let view = view::of_list(parameters, &LICENSE_TYPES)?;
    answer::list(&state, view, &filter, filter.conditions(), Audience::Public).await
}
