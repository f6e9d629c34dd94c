//! `GET /api/v1/orders/{order_id}`

use axum::extract::State;
use axum::response::Response;
use read_model::{ORDERS, OrderFilter};
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;
use uuid::Uuid;

use crate::answer::{self, Audience};
use crate::parameters::Parameters;
use crate::scope::scope;
use crate::{AppState, view};

pub(crate) async fn get_order(
    State(state): State<AppState>,
    principal: Principal,
    Path(order_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let order_id = Uuid::try_parse(&order_id).map_err(|_| view::not_an_id("/order_id"))?;
    let view = view::of_one(parameters, &ORDERS)?;
    let filter = OrderFilter {
        order_id: Some(order_id),
        ..OrderFilter::default()
    };
    let conditions = filter.within(&scope(&principal));
    answer::one(&state, view, conditions, Audience::Personal(&principal)).await
}
