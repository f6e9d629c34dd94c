//! `GET /api/v1/orders` and `GET /api/v1/orders/{order_id}`

use axum::extract::State;
use axum::response::Response;
use query::{Parameters, Reads};
use read_model::{ORDERS, Scope};
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;

use crate::access::access;

pub(crate) async fn list_orders(
    State(reads): State<Reads>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .list(&ORDERS, parameters, access(&principal, Scope::of_orders))
        .await
}

pub(crate) async fn get_order(
    State(reads): State<Reads>,
    principal: Principal,
    Path(order_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .one(
            &ORDERS,
            &order_id,
            parameters,
            access(&principal, Scope::of_orders),
        )
        .await
}
