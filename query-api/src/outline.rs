//! `GET /api/v1/orders/outline` and `GET /api/v1/licenses/outline`

use axum::extract::State;
use axum::response::Response;
use query::{Asker, Conditions, OutlineQuery, Parameters, Resource};
use read_model::reports::{Counters, read_outline};
use read_model::{LICENSES, ORDERS, Scope};
use service::auth::Principal;
use service::problem::Problem;

use crate::AppState;
use crate::access::{access, scope};

pub(crate) async fn outline_orders(
    State(state): State<AppState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    outline(&state, &ORDERS, &principal, Scope::of_orders, parameters).await
}

pub(crate) async fn outline_licenses(
    State(state): State<AppState>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    outline(&state, &LICENSES, &principal, Scope::of_licenses, parameters).await
}

/// From the counters for a reader who sees all that they count. What others see, and what has no counters, is counted in the
/// rows while they are few.
async fn outline(
    state: &AppState,
    resource: &'static Resource,
    principal: &Principal,
    of: fn(&Scope) -> Conditions,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let asked = OutlineQuery::of(&mut parameters, resource);
    let counters = match scope(principal) {
        Scope::Everything => Counters::of(&asked),
        Scope::Own(_) | Scope::OwnAndClubs { .. } => None,
    };
    let Some(counters) = counters else {
        return state
            .reads
            .outline(&asked, parameters, access(principal, of))
            .await;
    };
    let person = Asker::person(principal.user_id);
    state
        .reports
        .outline_by(&asked, person, parameters, move |client| {
            let counters = counters.clone();
            Box::pin(async move { read_outline(client, &counters).await })
        })
        .await
}
