//! `GET /api/v1/users`, `GET /api/v1/users/{user_id}` for staff, and `GET /api/v1/users/me`.

use axum::extract::State;
use axum::response::Response;
use query::{Access, Bind, Conditions, Parameters, Reads};
use read_model::USERS;
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;

use crate::access::all_rows;

pub(crate) async fn list_users(
    State(reads): State<Reads>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads.list(&USERS, parameters, all_rows(&principal)).await
}

pub(crate) async fn get_user(
    State(reads): State<Reads>,
    principal: Principal,
    Path(user_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    reads
        .one(&USERS, &user_id, parameters, all_rows(&principal))
        .await
}

/// The caller, once the log knows something of them.
pub(crate) async fn get_me(
    State(reads): State<Reads>,
    principal: Principal,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let mut rows = Conditions::default();
    rows.and("user_id = ?", [Bind::Uuid(principal.user_id)]);
    let access = Access::Reader {
        reader: principal.user_id,
        rows,
        few: true,
    };
    let user_id = principal.user_id.to_string();
    reads.one(&USERS, &user_id, parameters, access).await
}
