//! `GET /api/v1/orders/{order_id}/timeline`, for staff.

use axum::extract::State;
use axum::response::Response;
use query::{Parameters, Reads};
use read_model::{ORDERS, TIMELINE};
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;

use crate::access::all_rows;

pub(crate) async fn list_timeline(
    State(reads): State<Reads>,
    principal: Principal,
    Path(order_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let reads = reads.in_one_place();
    let access = || all_rows(&principal);
    // An order that does not exist has no timeline, not an empty one.
    let order = parameters.waiting_as();
    reads.one(&ORDERS, &order_id, order, access()).await?;
    let parameters = parameters.of_path("order_id", order_id);
    reads.list(&TIMELINE, parameters, access()).await
}
