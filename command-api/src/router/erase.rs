//! `POST /holders/{holder_id}/erase` and `POST /users/{user_id}/erase`: a person is forgotten.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Refusal;
use events::ErasureGround;
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::answer::{answered, problem};
use crate::erasure::{Erasure, record};
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::router::set_roles::UserPath;
use crate::state::AppState;

/// Why a holder is forgotten. A word, not a text: a text about the person would stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseHolder {
    /// The reason in the law.
    reason: ErasureGround,
}

/// Why a user is forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseUser {
    /// The reason in the law.
    reason: ErasureGround,
}

/// A holder.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct HolderPath {
    /// The holder's id, as licenses show it.
    holder_id: Uuid,
}

/// The erasure. It is carried out within seconds.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Erased {
    /// Who is forgotten.
    person_id: Uuid,
    /// Names the erasure, also in the ledger.
    erasure_id: Uuid,
    /// How many orders, licenses and other things held data of the person.
    aggregates: u64,
}

impl Operation for EraseHolder {
    const NAME: &'static str = "erase_holder";
    const SUMMARY: &'static str = "Forgets a holder: the personal data in orders, licenses and suspensions until now. \
        Orders under way and valid licenses refuse it. Receipts stay, they hold no holder.";
    const SUCCESS: StatusCode = StatusCode::ACCEPTED;
    const REFUSALS: &'static [Refusal] = &[
        Refusal::Unknown,
        Refusal::ErasureOrderOpen,
        Refusal::ErasureLicenseValid,
        Refusal::ErasureTooLarge,
    ];
    type Path = HolderPath;
    type Answer = Erased;

    fn target(path: &HolderPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.holder_id.to_string()))
    }
}

impl Operation for EraseUser {
    const NAME: &'static str = "erase_user";
    const SUMMARY: &'static str = "Forgets a user's contact data. Orders stay with the user's id; whom they are for is forgotten \
        as a holder.";
    const SUCCESS: StatusCode = StatusCode::ACCEPTED;
    const REFUSALS: &'static [Refusal] = &[Refusal::ErasureTooLarge];
    type Path = UserPath;
    type Answer = Erased;

    fn target(path: &UserPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.user_id.to_string()))
    }
}

pub(crate) async fn erase_holder(
    State(state): State<AppState>,
    incoming: Incoming<EraseHolder>,
) -> Result<Response, Problem> {
    let (person, ground) = (incoming.path.holder_id, incoming.request.reason);
    erase(&state, incoming, person, ground, false).await
}

pub(crate) async fn erase_user(
    State(state): State<AppState>,
    incoming: Incoming<EraseUser>,
) -> Result<Response, Problem> {
    let (person, ground) = (incoming.path.user_id, incoming.request.reason);
    incoming.caller.may_of_owner(person)?;
    erase(&state, incoming, person, ground, true).await
}

async fn erase<O: Operation>(
    state: &AppState,
    incoming: Incoming<O>,
    person: Uuid,
    ground: ErasureGround,
    is_user: bool,
) -> Result<Response, Problem> {
    let erasure = Erasure {
        id: Uuid::now_v7(),
        person,
        ground,
        is_user,
        decided_before: false,
    };
    let with = (incoming.key, incoming.metadata);
    record(&state.command_handler, &state.shop.holder_key, erasure, with)
        .await
        .map(|response| answered(O::SUCCESS, response))
        .map_err(problem)
}
