//! Errors as Nexi writes them: `{"errors": {"field": ["text"]}}` for a bad field, or `{"code", "message", "source"}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::payment::OperationRefused;
use super::store::Rejected;

pub(super) struct NexiError {
    status: StatusCode,
    field: Option<&'static str>,
    text: String,
}

impl NexiError {
    pub(super) fn message(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            field: None,
            text: text.into(),
        }
    }

    pub(super) fn field(field: &'static str, text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            field: Some(field),
            text: text.into(),
        }
    }
}

impl IntoResponse for NexiError {
    fn into_response(self) -> Response {
        let body = match self.field {
            Some(field) => json!({ "errors": { field: [self.text] } }),
            None => json!({
                "code": self.status.as_u16().to_string(),
                "message": self.text,
                "source": "internal",
            }),
        };
        (self.status, Json(body)).into_response()
    }
}

impl From<Rejected> for NexiError {
    fn from(rejected: Rejected) -> Self {
        let text = rejected.to_string();
        match rejected {
            Rejected::NotFound => Self::message(StatusCode::NOT_FOUND, text),
            Rejected::Full => Self::message(StatusCode::INSUFFICIENT_STORAGE, text),
            Rejected::Journal => Self::message(StatusCode::SERVICE_UNAVAILABLE, text),
            Rejected::ReferenceTaken => Self::message(StatusCode::CONFLICT, text),
            Rejected::Refused(refusal) => match refusal {
                OperationRefused::Amount
                | OperationRefused::ExceedsAuthorized
                | OperationRefused::ExceedsCaptured
                | OperationRefused::NotTheRest => Self::field("amount", text),
                OperationRefused::NoSuchCharge => Self::message(StatusCode::NOT_FOUND, text),
                OperationRefused::TooManyChanges => Self::message(StatusCode::TOO_MANY_REQUESTS, text),
                OperationRefused::KeyReused => Self::message(StatusCode::CONFLICT, text),
                OperationRefused::NotWaiting
                | OperationRefused::NotAuthorized
                | OperationRefused::Authorized
                | OperationRefused::NothingToCancel => Self::message(StatusCode::PAYMENT_REQUIRED, text),
            },
        }
    }
}
