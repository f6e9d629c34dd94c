//! `GET /api/v1/activities`

use axum::extract::State;
use axum::response::Response;
use query::Parameters;
use read_model::Scope;
use read_model::collections::SHARED_ACTIVITIES;
use read_model::reports::ACTIVITIES;
use service::auth::Principal;
use service::problem::Problem;

use crate::AppState;
use crate::access::access;

pub(crate) async fn list_activities(
    State(state): State<AppState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let rows = access(&principal, Scope::of_activities);
    let shared = &SHARED_ACTIVITIES;
    state
        .reports
        .list_shared(shared, &ACTIVITIES, parameters, rows)
        .await
}
