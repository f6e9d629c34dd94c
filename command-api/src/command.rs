//! What a command declares, and the one path that every command takes: key, metadata, `If-Match`, replay, refusal.
//!
//! A command over HTTP is its typed request. [`Operation`] says what goes over the wire and who may send it, [`Command`]
//! which aggregate decides. The router, the extractor and the OpenAPI document follow from these.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, SubsecRound as _, Utc};
use cqrs_es::Aggregate;
use domain::Refusal;
use envelope::EventPayload;
use event_store::CommandRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::answer::{answered, problem};
use crate::incoming::Incoming;
use crate::state::AppState;

/// Who may send a command. Every command needs a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Every role.
    Anyone,
    /// Staff and administrators.
    Staff,
}

/// What an operation declares about itself. The implementing type is the request's body.
pub(crate) trait Operation: DeserializeOwned + ToSchema + Send + 'static {
    /// Names the operation in the OpenAPI document and in the scope of its idempotency keys. Never changes.
    const NAME: &'static str;
    /// What it does, in one sentence.
    const SUMMARY: &'static str;
    /// Who may send it.
    const WHO: Who;
    /// The status of an answer to an accepted command.
    const SUCCESS: StatusCode;
    /// Other statuses of an answer that says the same.
    const ALSO: &'static [StatusCode] = &[];
    /// How the aggregate can refuse it.
    const REFUSALS: &'static [Refusal];
    /// The aggregate does not exist before: it is not loaded first, and `If-Match` is not read.
    const CREATES: bool = false;
    /// An empty body means `{}`.
    const BODY_MAY_BE_EMPTY: bool = false;
    /// The parameters of the path.
    type Path: DeserializeOwned + IntoParams + Send;
    /// The answer, without the position that the log adds. Stored as it is answered.
    type Answer: Serialize + DeserializeOwned + ToSchema + Send;

    /// What else it can answer, as examples.
    fn problems() -> Vec<Problem> {
        Vec::new()
    }

    /// What the path names, as part of the scope of idempotency keys. A path that cannot name anything is refused.
    fn target(path: &Self::Path) -> Result<Option<String>, Problem>;
}

/// An operation that one aggregate decides.
pub(crate) trait Command: Operation {
    /// The aggregate.
    type Aggregate: Aggregate<Services = (), Error = Refusal, Command: Clone + Send + Sync, Event: EventPayload>
        + 'static;

    /// The aggregate's command, and its answer.
    fn plan(self, path: Self::Path, now: DateTime<Utc>) -> Result<Plan<Self>, Problem>;
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
    state
        .command_handler
        .execute(request, |aggregate: &C::Aggregate, version| {
            stored(&answer(aggregate, version))
        })
        .await
        .map(|response| answered(C::SUCCESS, response))
        .map_err(problem)
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
