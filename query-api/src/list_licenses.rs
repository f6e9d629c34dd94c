//! `GET /api/v1/licenses`

use axum::extract::State;
use axum::response::Response;
use read_model::{LICENSE_STATUSES, LICENSES, LicenseFilter, ROLES};
use service::auth::Principal;
use service::problem::Problem;

use crate::answer::{self, Audience};
use crate::parameters::Parameters;
use crate::scope::scope;
use crate::{AppState, view};

pub(crate) async fn list_licenses(
    State(state): State<AppState>,
    principal: Principal,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let (activity_from, activity_to) = parameters.dates(["activity_from", "activity_to"]);
    let filter = LicenseFilter {
        license_id: None,
        order_id: parameters.uuid("order_id"),
        status: parameters.choice("status", LICENSE_STATUSES),
        club_id: parameters.uuid("club_id"),
        license_type: parameters.text("license_type"),
        category: parameters.text("category"),
        discipline: parameters.text("discipline"),
        role: parameters.choice("role", ROLES),
        activity_from,
        activity_to,
        q: parameters.text("q"),
    };
    let view = view::of_list(parameters, &LICENSES)?;
    let conditions = filter.within(&scope(&principal));
    answer::list(&state, view, &filter, conditions, Audience::Personal(&principal)).await
}
