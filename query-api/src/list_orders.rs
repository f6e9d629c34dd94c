//! `GET /api/v1/orders`

use axum::extract::State;
use axum::response::Response;
use read_model::{ORDER_STATUSES, ORDERS, OrderFilter};
use service::auth::Principal;
use service::problem::Problem;

use crate::answer::{self, Audience};
use crate::parameters::Parameters;
use crate::scope::scope;
use crate::{AppState, view};

pub(crate) async fn list_orders(
    State(state): State<AppState>,
    principal: Principal,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let (created_from, created_before) = parameters.moments(["created_from", "created_to"]);
    let (activity_from, activity_to) = parameters.dates(["activity_from", "activity_to"]);
    let (total_min_ore, total_max_ore) =
        parameters.integers(["total_min_ore", "total_max_ore"], &(0..=i64::MAX));
    let filter = OrderFilter {
        order_id: None,
        status: parameters.choice("status", ORDER_STATUSES),
        club_id: parameters.uuid("club_id"),
        license_type: parameters.text("license_type"),
        provider: parameters.text("provider"),
        created_from,
        created_before,
        activity_from,
        activity_to,
        total_min_ore,
        total_max_ore,
        customer_id: parameters.uuid("customer_id"),
        q: parameters.text("q"),
    };
    let view = view::of_list(parameters, &ORDERS)?;
    let conditions = filter.within(&scope(&principal));
    answer::list(&state, view, &filter, conditions, Audience::Personal(&principal)).await
}
