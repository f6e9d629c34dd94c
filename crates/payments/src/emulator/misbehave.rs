//! Between a merchant's request and its answer: counting, holding, and every fault of the API.
//!
//! A request that has arrived is carried out even if its sender dies meanwhile.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use uuid::Uuid;

use super::calls::Call;
use super::connection::Cut;
use super::faults::{Fault, Operation, Point, Provider};
use super::nexi_error::NexiError;
use super::problem::Problem;
use super::switch::Subject;
use super::{AppState, MAX_BODY_BYTES, REQUEST_TIMEOUT};

const VIPPS: &str = "/epayment/v1/payments";
const NEXI: &str = "/v1/payments";
const NEXI_CHARGES: &str = "/v1/charges/";

/// What a request asks for, and of which payment.
struct Asked {
    provider: Provider,
    operation: Operation,
    /// Known only of a create.
    reference: String,
    payment_id: String,
}

/// What happens to an answer.
#[derive(Clone, Copy)]
enum Answer {
    Lost,
    Never,
    Reset,
    Slow(Duration),
}

/// Applies the faults of the API.
pub(super) async fn misbehave(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Some((provider, operation, payment_id)) = operation(&state, request.method(), request.uri().path())
    else {
        return next.run(request).await;
    };
    let cut = request.extensions().get::<ConnectInfo<Cut>>().cloned();
    let (request, reference) = match operation {
        Operation::Create => match reference_in(request, provider).await {
            Some(read) => read,
            None => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        },
        _ => (request, String::new()),
    };
    let mut asked = Asked {
        provider,
        operation,
        reference,
        payment_id,
    };
    if let Ok(payment) = state.store.get(&asked.payment_id).await {
        asked.reference = payment.creation.reference;
    }
    let handled = tokio::spawn(async move {
        let call = Call::begin(&state.calls, asked.operation);
        call.wait_before_work(&state.faults).await;
        let reset = Fault::Reset(Point::Work);
        if state.faults.applies(asked.subject(), reset) {
            let response = StatusCode::SERVICE_UNAVAILABLE.into_response();
            return (response, Some((Answer::Reset, asked.provider)));
        }
        if let Some(refused) = instead_of_work(&state, &asked) {
            return (refused, None);
        }
        let response = next.run(request).await;
        let response = if state.faults.applies(asked.subject(), Fault::CreateConflict) {
            conflict(&asked, response)
        } else {
            response
        };
        call.wait_before_answer(&state.faults).await;
        let fault = state.faults.take(asked.subject(), answer_fault);
        (response, fault.map(|fault| (fault, asked.provider)))
    });
    match handled.await {
        Ok((response, None)) => response,
        Ok((response, Some((fault, provider)))) => spoil(response, fault, provider, cut).await,
        Err(_) => Problem::unavailable().into_response(),
    }
}

impl Asked {
    fn subject(&self) -> Subject<'_> {
        Subject {
            provider: self.provider,
            operation: Some(self.operation),
            reference: &self.reference,
            payment_id: &self.payment_id,
        }
    }
}

fn answer_fault(fault: Fault) -> Option<Answer> {
    match fault {
        Fault::AnswerLost => Some(Answer::Lost),
        Fault::AnswerNever => Some(Answer::Never),
        Fault::Reset(Point::Answer) => Some(Answer::Reset),
        Fault::SlowMs(ms) => Some(Answer::Slow(Duration::from_millis(ms))),
        _ => None,
    }
}

/// The answer to a request that no work is done for; none if the work is to be done.
fn instead_of_work(state: &AppState, asked: &Asked) -> Option<Response> {
    let status = |status: u16| StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    state.faults.take(asked.subject(), |fault| match fault {
        Fault::Fail(code) | Fault::Refuse(code) => Some(error(asked.provider, status(code))),
        Fault::TooManyRequests(seconds) => {
            let mut response = error(asked.provider, StatusCode::TOO_MANY_REQUESTS);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            Some(response)
        }
        _ => None,
    })
}

fn error(provider: Provider, status: StatusCode) -> Response {
    match provider {
        Provider::Vipps => Problem::new(status, "told to fail").into_response(),
        Provider::Nexi => NexiError::message(status, "told to fail").into_response(),
    }
}

fn conflict(asked: &Asked, response: Response) -> Response {
    if asked.operation == Operation::Create && response.status().is_success() {
        Problem::new(StatusCode::CONFLICT, "told to conflict").into_response()
    } else {
        response
    }
}

async fn spoil(
    response: Response,
    fault: Answer,
    provider: Provider,
    cut: Option<ConnectInfo<Cut>>,
) -> Response {
    match fault {
        Answer::Lost => error(provider, StatusCode::SERVICE_UNAVAILABLE),
        Answer::Never => {
            tokio::time::sleep(REQUEST_TIMEOUT).await;
            response
        }
        Answer::Reset => {
            if let Some(ConnectInfo(cut)) = cut {
                cut.cut();
            }
            response
        }
        Answer::Slow(time) => {
            tokio::time::sleep(time).await;
            response
        }
    }
}

/// The operation that method and path name, with the payment's id at its provider; none for an access token.
fn operation(state: &AppState, method: &Method, path: &str) -> Option<(Provider, Operation, String)> {
    if let Some(rest) = path.strip_prefix(NEXI_CHARGES) {
        let (charge, _) = rest.split_once("/refunds")?;
        let payment = state.store.payment_of(Uuid::try_parse(charge).ok()?);
        let id = payment.map(|id| id.to_string()).unwrap_or_default();
        return Some((Provider::Nexi, Operation::Refund, id));
    }
    let (provider, rest) = match (path.strip_prefix(VIPPS), path.strip_prefix(NEXI)) {
        (Some(rest), _) => (Provider::Vipps, rest),
        (None, Some(rest)) => (Provider::Nexi, rest),
        (None, None) => return None,
    };
    let rest = rest.trim_start_matches('/');
    let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
    let operation = match what {
        "" if id.is_empty() => Operation::Create,
        "" if method == Method::GET => Operation::Get,
        "capture" | "charges" => Operation::Capture,
        "refund" => Operation::Refund,
        "cancel" | "cancels" | "terminate" => Operation::Cancel,
        _ => return None,
    };
    Some((provider, operation, id.to_owned()))
}

/// The reference in the body of a create, and the request with its body again. None if the body is too large.
async fn reference_in(request: Request, provider: Provider) -> Option<(Request, String)> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.ok()?;
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let reference = match provider {
        Provider::Vipps => &json["reference"],
        Provider::Nexi => &json["order"]["reference"],
    };
    let reference = reference.as_str().unwrap_or_default().to_owned();
    Some((Request::from_parts(parts, Body::from(body)), reference))
}
