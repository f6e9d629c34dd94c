//! `GET /api/v1/batches`, `GET /api/v1/batches/{batch_id}` and `GET /api/v1/batches/{batch_id}/results`, for staff.

use axum::extract::State;
use axum::response::Response;
use query::{Parameters, Reads};
use read_model::{BATCH_ITEMS, BATCHES};
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;

use crate::access::all_rows;

pub(crate) async fn list_batches(
    State(reads): State<Reads>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads.list(&BATCHES, parameters, all_rows(&principal)).await
}

pub(crate) async fn get_batch(
    State(reads): State<Reads>,
    principal: Principal,
    Path(batch_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .one(&BATCHES, &batch_id, parameters, all_rows(&principal))
        .await
}

pub(crate) async fn list_results(
    State(reads): State<Reads>,
    principal: Principal,
    Path(batch_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let reads = reads.in_one_place();
    let access = || all_rows(&principal);
    // A batch that does not exist has no results, not an empty page of them.
    let batch = parameters.waiting_as();
    reads.one(&BATCHES, &batch_id, batch, access()).await?;
    let parameters = parameters.of_path("batch_id", batch_id);
    reads.list(&BATCH_ITEMS, parameters, access()).await
}
