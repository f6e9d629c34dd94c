//! The one shape of every error answer: RFC 9457 `application/problem+json` with a stable code for machines and a
//! Norwegian and an English text for people. What went wrong inside is logged here, once, and never returned.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::postgres;
use crate::request_id::{self, RequestId};

/// Where a problem's code is explained; the code is appended.
const TYPE_BASE: &str = "https://bilsportlisens.no/problems/";

/// The content type of every error answer.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

type Text = Cow<'static, str>;

/// An error answer. Built with [`Problem::new`] or one of the named constructors, refined by chaining.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: Text,
    message_nb: Text,
    message_en: Text,
    detail: Option<String>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    members: serde_json::Map<String, serde_json::Value>,
}

/// What is wrong with one field, named by a JSON pointer into the request body (or `/name` of a parameter).
#[derive(Debug, Clone, Serialize, ToSchema)]
struct FieldError {
    /// JSON pointer into the body, or `/name` of a parameter.
    #[schema(example = "/limit")]
    pointer: String,
    /// What is wrong with it, for machines.
    #[schema(value_type = String)]
    code: Text,
    /// What is wrong with it, for people, in Norwegian (bokmål).
    #[schema(value_type = String)]
    message_nb: Text,
    /// What is wrong with it, for people, in English.
    #[schema(value_type = String)]
    message_en: Text,
}

impl Problem {
    /// A problem with a stable `snake_case` code and its text in bokmål and English.
    pub fn new(
        status: StatusCode,
        code: impl Into<Text>,
        message_nb: impl Into<Text>,
        message_en: impl Into<Text>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            code: code.into(),
            message_nb: message_nb.into(),
            message_en: message_en.into(),
            detail: None,
            errors: Vec::new(),
            headers: Vec::new(),
            members: serde_json::Map::new(),
        }))
    }

    /// 500 `internal`. Logs the error with its causes (of a database error only SQLSTATE and primary message, since
    /// the rest may hold row data); the answer says nothing about it.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %postgres::describe(error), "request failed");
        Self::from_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// 404 `not_found`: the resource does not exist, or the caller may not see it.
    pub fn not_found() -> Self {
        Self::from_status(StatusCode::NOT_FOUND)
    }

    /// 401 `unauthorized`: the request needs a login and carries none.
    pub fn unauthorized() -> Self {
        Self::from_status(StatusCode::UNAUTHORIZED)
    }

    /// 403 `forbidden`: the caller is known and may not do this.
    pub fn forbidden() -> Self {
        Self::from_status(StatusCode::FORBIDDEN)
    }

    /// 503 with `Retry-After: 1`: something this request needs is down or behind, and trying again may help.
    pub fn unavailable(
        code: impl Into<Text>,
        message_nb: impl Into<Text>,
        message_en: impl Into<Text>,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message_nb, message_en).retry_after(1)
    }

    /// The general problem of a status, with the text that fits when nothing more is known.
    pub fn from_status(status: StatusCode) -> Self {
        let (code, message_nb, message_en) = general(status);
        let problem = Self::new(status, code, message_nb, message_en);
        match status {
            StatusCode::UNAUTHORIZED => problem.header(header::WWW_AUTHENTICATE, "Bearer"),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => problem.retry_after(1),
            _ => problem,
        }
    }

    /// Adds one sentence for the developer on the other side. Never internals.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds what is wrong with one field. `pointer` is a JSON pointer such as `/lines/0/activity_date`.
    #[must_use]
    pub fn field(
        mut self,
        pointer: impl Into<String>,
        code: impl Into<Text>,
        message_nb: impl Into<Text>,
        message_en: impl Into<Text>,
    ) -> Self {
        self.0.errors.push(FieldError {
            pointer: pointer.into(),
            code: code.into(),
            message_nb: message_nb.into(),
            message_en: message_en.into(),
        });
        self
    }

    /// Adds `Retry-After` with this number of seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(header::RETRY_AFTER, seconds)
    }

    /// Sets a header of the answer, replacing one of the same name. An invalid one is left out and logged.
    #[must_use]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        if let (Ok(name), Ok(value)) = (name.try_into(), value.try_into()) {
            self.0.headers.push((name, value));
        } else {
            tracing::error!(code = %self.0.code, "a problem has an invalid header");
        }
        self
    }

    /// Adds a member of its own to the body (RFC 9457, 3.2), for machines.
    #[must_use]
    pub fn member(mut self, name: &str, value: serde_json::Value) -> Self {
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What went wrong, for people, in English.
    pub fn message_en(&self) -> &str {
        &self.0.message_en
    }

    /// The sentence for developers, if there is one.
    pub fn details(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Pointer and code of each field that is wrong.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let errors = self.0.errors.iter();
        errors.map(|error| (error.pointer.as_str(), &*error.code))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.0.status.as_u16(), self.0.code)
    }
}

impl Error for Problem {}

/// What went wrong (RFC 9457). It may have further members.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct Body<'a> {
    /// Where the code is explained.
    #[schema(format = "uri")]
    r#type: String,
    /// The status in words.
    title: &'a str,
    /// The status of the answer.
    status: u16,
    /// What went wrong, for machines. Codes are stable.
    code: &'a str,
    /// One sentence for the developer of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<&'a str>,
    /// What went wrong, for people, in Norwegian (bokmål).
    message_nb: &'a str,
    /// What went wrong, for people, in English.
    message_en: &'a str,
    /// What is wrong with which field; empty if the request as a whole is refused.
    errors: &'a [FieldError],
    #[serde(flatten)]
    #[schema(ignore)]
    members: &'a serde_json::Map<String, serde_json::Value>,
    /// The request's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

/// The schemas of a problem, by name, for OpenAPI documents.
pub(crate) fn schemas() -> [(String, RefOr<Schema>); 2] {
    [
        (Body::name().into_owned(), Body::schema()),
        (FieldError::name().into_owned(), FieldError::schema()),
    ]
}

impl Problem {
    /// Whether the answer has this header of its own.
    pub(crate) fn has_header(&self, name: &HeaderName) -> bool {
        self.0.headers.iter().any(|(set, _)| set == name)
    }

    /// The answer's body.
    pub(crate) fn body(&self, request_id: Option<String>) -> Vec<u8> {
        let inner = &*self.0;
        let body = Body {
            r#type: format!("{TYPE_BASE}{}", inner.code),
            title: title(inner.status),
            status: inner.status.as_u16(),
            code: &inner.code,
            detail: inner.detail.as_deref(),
            message_nb: &inner.message_nb,
            message_en: &inner.message_en,
            errors: &inner.errors,
            members: &inner.members,
            request_id,
        };
        // Serializing strings and numbers into memory cannot fail; an empty body keeps the status in any case.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The answer as it goes over the wire, for a request that was never read and whose connection closes.
    pub(crate) fn raw_answer(&self) -> Vec<u8> {
        let id = RequestId::new();
        let body = self.body(Some(id.to_string()));
        let status = self.0.status;
        let (length, title) = (body.len(), title(status));
        let head = format!(
            "HTTP/1.1 {} {title}\r\ncontent-type: {CONTENT_TYPE}\r\ncache-control: no-store\r\n\
             content-length: {length}\r\nconnection: close\r\n{}: {id}\r\n\r\n",
            status.as_u16(),
            request_id::HEADER,
        );
        [head.into_bytes(), body].concat()
    }
}

fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let bytes = self.body(request_id::current());
        let fixed = [
            (header::CONTENT_TYPE, CONTENT_TYPE),
            (header::CACHE_CONTROL, "no-store"),
        ];
        let Inner { status, headers, .. } = *self.0;
        let mut response = (status, fixed, bytes).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Code and texts of a status when nothing more is known.
fn general(status: StatusCode) -> (&'static str, &'static str, &'static str) {
    match status {
        StatusCode::UNAUTHORIZED => ("unauthorized", "Du må logge inn.", "You need to log in."),
        StatusCode::FORBIDDEN => (
            "forbidden",
            "Du har ikke tilgang til dette.",
            "You do not have access to this.",
        ),
        StatusCode::NOT_FOUND => (
            "not_found",
            "Vi finner ikke det du ser etter.",
            "We cannot find what you are looking for.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "method_not_allowed",
            "Adressen støtter ikke denne metoden.",
            "This address does not support that method.",
        ),
        StatusCode::REQUEST_TIMEOUT => (
            "request_timeout",
            "Forespørselen kom for sakte fram. Prøv igjen.",
            "The request took too long to arrive. Try again.",
        ),
        StatusCode::CONFLICT => (
            "conflict",
            "Noe har endret seg i mellomtiden. Prøv igjen.",
            "Something changed in the meantime. Try again.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "body_too_large",
            "Forespørselen er for stor.",
            "The request is too large.",
        ),
        StatusCode::URI_TOO_LONG => (
            "uri_too_long",
            "Adressen er for lang.",
            "The address is too long.",
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            "headers_too_large",
            "Adressen og hodefeltene er for store til sammen.",
            "The address and header fields are too large together.",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported_media_type",
            "Innholdet må være JSON (application/json) i UTF-8.",
            "The content must be JSON (application/json) in UTF-8.",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            "too_many_requests",
            "For mange forsøk. Vent litt og prøv igjen.",
            "Too many attempts. Wait a moment and try again.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "unavailable",
            "Tjenesten er ikke tilgjengelig akkurat nå. Prøv igjen om litt.",
            "The service is not available right now. Try again in a moment.",
        ),
        status if status.is_server_error() => (
            "internal",
            "Noe gikk galt hos oss. Prøv igjen om litt.",
            "Something went wrong on our side. Try again in a moment.",
        ),
        _ => (
            "bad_request",
            "Forespørselen er ikke gyldig.",
            "The request is not valid.",
        ),
    }
}
