//! `POST /suspensions`: a person or a vehicle gets no licenses.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{HolderKey, NewSuspension, Refusal, Suspension, SuspensionCommand};
use envelope::Metadata;
use event_store::{CommandError, CommandHandler, CommandRequest, CommandResponse, IdempotencyKey};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::SuspensionStatus;

use crate::answer::{answered, problem};
use crate::command::{now, stored};
use crate::incoming::Incoming;
use crate::operation::{NoPath, Operation};
use crate::state::AppState;

/// The suspension after the command.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangedSuspension {
    /// The suspension's id.
    suspension_id: Uuid,
    /// The suspension's status.
    status: SuspensionStatus,
    /// The suspension's version.
    version: u64,
}

impl ChangedSuspension {
    pub(super) fn of(suspension_id: Uuid, suspension: &Suspension, version: u64) -> Self {
        Self {
            suspension_id,
            status: suspension.status(),
            version,
        }
    }
}

impl Operation for NewSuspension {
    const NAME: &'static str = "impose_suspension";
    const SUMMARY: &'static str =
        "Suspends a person or a vehicle: they get no more licenses. Issued licenses stay as they are.";
    const SUCCESS: StatusCode = StatusCode::CREATED;
    const CREATES: bool = true;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new())];
    type Path = NoPath;
    type Answer = ChangedSuspension;

    fn target(_: &NoPath) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

pub(crate) async fn impose_suspension(
    State(state): State<AppState>,
    incoming: Incoming<NewSuspension>,
) -> Result<Response, Problem> {
    let holder_key = &state.shop.holder_key;
    let command = (incoming.key, incoming.metadata);
    let imposed = decide(
        &state.command_handler,
        holder_key,
        Uuid::now_v7(),
        incoming.request,
        command,
    )
    .await;
    imposed
        .map(|response| answered(NewSuspension::SUCCESS, response))
        .map_err(problem)
}

/// Imposes a suspension under this id.
pub(crate) async fn decide(
    command_handler: &CommandHandler,
    holder_key: &Arc<HolderKey>,
    suspension_id: Uuid,
    new: NewSuspension,
    (key, metadata): (IdempotencyKey, Metadata),
) -> Result<CommandResponse, CommandError<Refusal>> {
    let request = CommandRequest {
        aggregate_id: suspension_id,
        command: SuspensionCommand::Impose {
            new: Box::new(new),
            holder_key: Arc::clone(holder_key),
            now: now(),
        },
        key,
        metadata,
        expected_version: None,
        creates: true,
    };
    let answer =
        |suspension: &Suspension, version| stored(&ChangedSuspension::of(suspension_id, suspension, version));
    command_handler.execute::<Suspension>(request, answer).await
}
