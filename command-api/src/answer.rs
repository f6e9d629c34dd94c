//! The outcome of a command as an HTTP answer.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Refusal;
use event_store::{AppendError, CommandError, CommandResponse, Error};
use serde::de::DeserializeOwned;
use serde_json::json;
use service::problem::Problem;

const EVENT_POSITION: HeaderName = HeaderName::from_static("event-position");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer's body, byte for byte as stored.
pub(crate) fn answered(status: StatusCode, answer: CommandResponse) -> Response {
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], answer.body).into_response();
    response
        .headers_mut()
        .insert(EVENT_POSITION, HeaderValue::from(answer.position.get()));
    if answer.replayed {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// A stored answer as the type that it was stored from.
pub(crate) fn read<T: DeserializeOwned>(response: &CommandResponse) -> Result<T, Problem> {
    serde_json::from_str(&response.body).map_err(|error| Problem::internal(&error))
}

/// What a command that did not succeed answers.
pub(crate) fn problem(error: CommandError<Refusal>) -> Problem {
    match error {
        CommandError::Refused(refusal) => refused(&refusal),
        CommandError::Version(conflict) => version_mismatch(conflict.actual),
        CommandError::Contended { .. } | CommandError::Append(AppendError::Conflict(_)) => contended(),
        CommandError::ClaimTaken(_) | CommandError::Append(AppendError::ClaimTaken(_)) => taken(),
        CommandError::Append(AppendError::KeyReused) => key_reused(),
        CommandError::Append(AppendError::Unstorable(why)) => {
            tracing::warn!(error = why, "a command can't be stored");
            unstorable()
        }
        CommandError::Append(AppendError::Unavailable(why)) => unavailable(&why),
        CommandError::Log(error) => unreadable(&error),
    }
}

/// Every problem that each command can answer besides its refusals, as an example.
pub(crate) fn problems() -> [Problem; 5] {
    [
        contended(),
        taken(),
        key_reused(),
        unstorable(),
        log_unavailable(),
    ]
}

/// What a failed read of the log answers.
pub(crate) fn unreadable(error: &Error) -> Problem {
    match error {
        Error::Unavailable(why) => unavailable(why),
        other => Problem::internal(other),
    }
}

/// 412: `If-Match` demands another version.
pub(crate) fn version_mismatch(actual: u64) -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "version_mismatch",
        "Noen andre har endret dette i mellomtiden.",
        "Somebody else has changed this meanwhile.",
    )
    .detail(format!("the current version is {actual}"))
}

fn contended() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "conflict",
        "Mange endrer dette samtidig. Prøv igjen.",
        "Many are changing this at once. Try again.",
    )
    .retry_after(1)
}

/// 409: another aggregate holds what the command claims.
pub(crate) fn taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "taken",
        "Dette er allerede tatt.",
        "This is taken already.",
    )
}

/// 422: the key was used for another request.
fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "Nøkkelen er brukt til en annen forespørsel.",
        "The idempotency key was used for another request.",
    )
}

fn unstorable() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "unstorable",
        "Forespørselen har tegn som ikke kan lagres.",
        "The request has characters that can't be stored.",
    )
}

fn unavailable(why: &str) -> Problem {
    // One line per refused request: the health check reports the outage once.
    tracing::warn!(error = why, "the log is unavailable");
    log_unavailable()
}

fn log_unavailable() -> Problem {
    Problem::unavailable(
        "log_unavailable",
        "Vi får ikke lagret bestillingen akkurat nå. Prøv igjen om litt: ingenting blir gjort to ganger.",
        "We can't store this right now. Try again shortly: nothing is done twice.",
    )
}

/// What a refused command answers.
pub(crate) fn refused(refusal: &Refusal) -> Problem {
    let status = match refusal {
        Refusal::Invalid(_) | Refusal::TermsUnknown { .. } | Refusal::TermsOutdated { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refusal::Unknown => return Problem::not_found(),
        Refusal::Exists
        | Refusal::OrderState
        | Refusal::OrderPaid
        | Refusal::PaymentMismatch
        | Refusal::NotExpired
        | Refusal::PriceInForce
        | Refusal::NothingToCollect
        | Refusal::OwnAdminRole
        | Refusal::Retired
        | Refusal::PriceChanged { .. }
        | Refusal::LicenseState
        | Refusal::ErasureOrderOpen
        | Refusal::ErasureLicenseValid
        | Refusal::ErasureTooLarge
        | Refusal::TermsMissing => StatusCode::CONFLICT,
    };
    let problem = Problem::new(status, refusal.code(), refusal.message_nb(), refusal.message_en());
    let fields = match refusal {
        Refusal::Invalid(fields) => fields,
        Refusal::PriceChanged { total_ore } => return problem.member("total_ore", json!(total_ore)),
        Refusal::TermsUnknown { current } | Refusal::TermsOutdated { current } => {
            return problem
                .field(
                    "/accept_terms_version",
                    refusal.code(),
                    refusal.message_nb(),
                    refusal.message_en(),
                )
                .member("current_terms_version", json!(current));
        }
        _ => return problem,
    };
    fields.iter().fold(problem, |problem, field| {
        problem.field(
            &field.pointer,
            field.rule.code(),
            field.rule.message_nb(),
            field.rule.message_en(),
        )
    })
}
