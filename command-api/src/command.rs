//! The one path that every command takes: key, metadata, `If-Match`, replay, refusal.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, SubsecRound as _, Utc};
use cqrs_es::Aggregate;
use domain::Refusal;
use envelope::EventPayload;
use event_store::{CommandError, CommandHandler, CommandRequest, TakenClaim};
use serde::Serialize;
use serde_json::Value;
use service::problem::Problem;
use uuid::Uuid;

use crate::answer::{self, answered, problem};
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::state::AppState;

/// An operation that one aggregate decides.
pub(crate) trait Command: Operation {
    /// The aggregate.
    type Aggregate: Aggregate<Services = (), Error = Refusal, Command: Clone + Send + Sync, Event: EventPayload>
        + 'static;

    /// The aggregate's command, and its answer.
    fn plan(self, path: Self::Path, now: DateTime<Utc>) -> Result<Plan<Self>, Problem>;

    /// What it answers when another aggregate holds what it claims.
    fn taken(_: &CommandHandler, _: &[TakenClaim]) -> impl Future<Output = Problem> + Send {
        std::future::ready(answer::taken())
    }
}

/// Makes the answer.
type Answers<C> = dyn Fn(&<C as Command>::Aggregate, u64) -> <C as Operation>::Answer + Send + Sync;

/// What to ask which aggregate, and what to answer when it accepts.
pub(crate) struct Plan<C: Command> {
    aggregate_id: Uuid,
    pub(crate) command: <C::Aggregate as Aggregate>::Command,
    pub(crate) answer: Box<Answers<C>>,
}

impl<C: Command> Plan<C> {
    /// `answer` is made from the aggregate after the command and its version.
    pub(crate) fn new(
        aggregate_id: Uuid,
        command: <C::Aggregate as Aggregate>::Command,
        answer: impl Fn(&C::Aggregate, u64) -> C::Answer + Send + Sync + 'static,
    ) -> Self {
        Self {
            aggregate_id,
            command,
            answer: Box::new(answer),
        }
    }
}

/// Runs a command and answers it. The same key and body are answered with the same bytes again.
pub(crate) async fn run<C: Command>(
    State(state): State<AppState>,
    incoming: Incoming<C>,
) -> Result<Response, Problem> {
    let Incoming {
        path,
        request,
        key,
        metadata,
        expected_version,
        ..
    } = incoming;
    let Plan {
        aggregate_id,
        command,
        answer,
    } = request.plan(path, now())?;
    let request = CommandRequest {
        aggregate_id,
        command,
        key,
        metadata,
        expected_version,
        creates: C::CREATES,
    };
    let executed = state
        .command_handler
        .execute(request, |aggregate: &C::Aggregate, version| {
            stored(&answer(aggregate, version))
        })
        .await;
    match executed {
        Ok(response) => Ok(answered(C::SUCCESS, response)),
        Err(CommandError::ClaimTaken(taken)) => Err(C::taken(&state.command_handler, &taken).await),
        Err(error) => Err(problem(error)),
    }
}

/// The moment of a command, as precise as the log keeps time.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// An answer as it is stored. Its members are in alphabetical order, so equal answers have equal bytes.
pub(crate) fn stored(answer: &impl Serialize) -> Value {
    // Answers hold numbers, texts and ids under names, which always have a JSON form.
    serde_json::to_value(answer).unwrap_or_default()
}
