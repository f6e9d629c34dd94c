//! Errors as the ePayment API writes them: `application/problem+json` with `type`, `title`, `detail` and `traceId`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::payment::OperationRefused;
use super::store::Rejected;

pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "told to fail")
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no such resource")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({
            "type": format!("https://developer.vippsmobilepay.com/problems/{}", self.status.as_u16()),
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "traceId": Uuid::new_v4(),
        });
        let content_type = HeaderValue::from_static("application/problem+json");
        (
            self.status,
            [(header::CONTENT_TYPE, content_type)],
            body.to_string(),
        )
            .into_response()
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let status = match &rejected {
            Rejected::NotFound => StatusCode::NOT_FOUND,
            Rejected::ReferenceTaken => StatusCode::CONFLICT,
            Rejected::Full => StatusCode::INSUFFICIENT_STORAGE,
            Rejected::Journal => StatusCode::SERVICE_UNAVAILABLE,
            Rejected::Refused(refusal) => match refusal {
                OperationRefused::Amount
                | OperationRefused::ExceedsAuthorized
                | OperationRefused::ExceedsCaptured => StatusCode::BAD_REQUEST,
                OperationRefused::NoSuchCharge => StatusCode::NOT_FOUND,
                OperationRefused::TooManyChanges => StatusCode::TOO_MANY_REQUESTS,
                OperationRefused::NotWaiting
                | OperationRefused::NotAuthorized
                | OperationRefused::Authorized
                | OperationRefused::NothingToCancel
                | OperationRefused::NotTheRest
                | OperationRefused::KeyReused => StatusCode::CONFLICT,
            },
        };
        Self::new(status, rejected.to_string())
    }
}
