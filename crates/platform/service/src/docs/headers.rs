//! Headers of answers that the documents of all APIs share.

use serde_json::{Value, json};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};

/// A header of answers that several operations share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Who may keep a copy, and how long.
    CacheControl,
    /// The tag of a body.
    ETag,
    /// The log position that the answer is true at.
    EventPosition,
    /// Set while the rows are of another log than there is now.
    EventStale,
    /// Set on a stored answer to a repeated command.
    IdempotencyReplayed,
    /// What is left of the limits.
    RateLimit,
    /// How many requests the limit of which the least is left allows at once.
    RateLimitLimit,
    /// The limits that count for the request.
    RateLimitPolicy,
    /// What is left of that limit.
    RateLimitRemaining,
    /// When all of it is available again.
    RateLimitReset,
    /// The request's id.
    RequestId,
    /// When to try again.
    RetryAfter,
    /// How to log in.
    WwwAuthenticate,
}

impl Header {
    /// Those of a limited operation.
    pub(super) const OF_LIMITS: [Self; 5] = [
        Self::RateLimit,
        Self::RateLimitLimit,
        Self::RateLimitPolicy,
        Self::RateLimitRemaining,
        Self::RateLimitReset,
    ];

    pub(super) const ALL: [Self; 13] = [
        Self::CacheControl,
        Self::ETag,
        Self::EventPosition,
        Self::EventStale,
        Self::IdempotencyReplayed,
        Self::RateLimit,
        Self::RateLimitLimit,
        Self::RateLimitPolicy,
        Self::RateLimitRemaining,
        Self::RateLimitReset,
        Self::RequestId,
        Self::RetryAfter,
        Self::WwwAuthenticate,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::CacheControl => "Cache-Control",
            Self::ETag => "ETag",
            Self::EventPosition => "Event-Position",
            Self::EventStale => "Event-Stale",
            Self::IdempotencyReplayed => "Idempotency-Replayed",
            Self::RateLimit => "RateLimit",
            Self::RateLimitLimit => "RateLimit-Limit",
            Self::RateLimitPolicy => "RateLimit-Policy",
            Self::RateLimitRemaining => "RateLimit-Remaining",
            Self::RateLimitReset => "RateLimit-Reset",
            Self::RequestId => "X-Request-Id",
            Self::RetryAfter => "Retry-After",
            Self::WwwAuthenticate => "WWW-Authenticate",
        }
    }

    /// A reference to it, for a response's header of the same [name](Self::name).
    pub fn reference(self) -> Ref {
        Ref::new(format!("#/components/headers/{}", self.name()))
    }

    /// What the document says of it.
    pub(super) fn build(self) -> RefOr<utoipa::openapi::Header> {
        let (schema, example, description) = match self {
            Self::CacheControl => (
                text(),
                json!("private, no-store"),
                "Who may keep a copy of the answer, and how long.",
            ),
            Self::ETag => (
                text(),
                json!("W/\"fQmTlYP3mWrw0yJ7d4Jr2k8i\""),
                "Tag of the body. Send it as `If-None-Match` to get 304 while the rows are the same.",
            ),
            Self::EventPosition => (
                whole(0),
                json!(4711),
                "Log position: of a command's events, or of the rows in a query's answer.",
            ),
            Self::EventStale => (
                texts(&["true"]),
                json!("true"),
                "Present while the rows are of another log than there is now, until they are rebuilt.",
            ),
            Self::IdempotencyReplayed => (
                texts(&["true"]),
                json!("true"),
                "Present on the stored answer of an earlier request with the same `Idempotency-Key`.",
            ),
            Self::RateLimit => (
                text(),
                json!("\"address\";r=999;t=1, \"customer\";r=99;t=1"),
                "On every answer of a limited operation: `r`, the requests that are left of each limit, and `t`, the seconds \
                 until all are available again (draft-ietf-httpapi-ratelimit-headers).",
            ),
            Self::RateLimitPolicy => (
                text(),
                json!("\"address\";q=1000;w=5, \"customer\";q=100;w=10"),
                "On every answer of a limited operation: `q`, the requests that each limit allows at once, and `w`, the \
                 seconds in which that many become available again.",
            ),
            Self::RateLimitLimit => (
                whole(1),
                json!(100),
                "The requests that the limit of which the least is left allows at once.",
            ),
            Self::RateLimitRemaining => (whole(0), json!(99), "The requests that are left of that limit."),
            Self::RateLimitReset => (
                whole(0),
                json!(1),
                "Seconds until all requests of that limit are available again.",
            ),
            Self::RequestId => (
                text(),
                json!("01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f"),
                "The caller's id of the request, or one that the service made. Every log line has it.",
            ),
            Self::RetryAfter => (whole(1), json!(1), "Seconds until the same request may succeed."),
            Self::WwwAuthenticate => (text(), json!("Bearer"), "How to log in (RFC 6750)."),
        };
        HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(description))
            .example(Some(example))
            .build()
            .into()
    }
}

fn text() -> Schema {
    Object::with_type(Type::String).into()
}

fn texts(values: &[&'static str]) -> Schema {
    let values: Vec<Value> = values.iter().map(|value| json!(value)).collect();
    ObjectBuilder::new()
        .schema_type(SchemaType::from(Type::String))
        .enum_values(Some(values))
        .into()
}

fn whole(least: i64) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(least))
        .into()
}
