//! Headers of requests that the documents of all APIs share.

use serde_json::json;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr, Required};

/// A header of requests that several operations share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Makes repeating a command safe.
    IdempotencyKey,
    /// The version that a command builds on.
    IfMatch,
    /// The tags that the caller has.
    IfNoneMatch,
    /// The position that the rows must have reached.
    MinPosition,
}

impl Parameter {
    pub(super) const ALL: [Self; 4] = [
        Self::IdempotencyKey,
        Self::IfMatch,
        Self::IfNoneMatch,
        Self::MinPosition,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::IdempotencyKey => "Idempotency-Key",
            Self::IfMatch => "If-Match",
            Self::IfNoneMatch => "If-None-Match",
            Self::MinPosition => "Min-Position",
        }
    }

    /// A reference to it, for an operation's `parameter_ref`.
    pub fn reference(self) -> Ref {
        Ref::new(format!("#/components/parameters/{}", self.name()))
    }

    /// What the document says of it.
    pub(super) fn build(self) -> RefOr<utoipa::openapi::path::Parameter> {
        let (schema, example, required, description) = match self {
            Self::IdempotencyKey => (
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .min_length(Some(1))
                    .max_length(Some(255))
                    .pattern(Some("^[!-~]+$"))
                    .into(),
                json!("5f0c9e0a-6f5e-4a59-8f0a-0d6f6f1a2b3c"),
                true,
                "Visible ASCII. The same key with the same body gets the stored answer again, byte for byte, with \
                 `Idempotency-Replayed: true`; with another body 422 `idempotency_key_reused`.",
            ),
            Self::IfMatch => (
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some("^(\"[0-9]{1,18}\"|[0-9]{1,18})$"))
                    .into(),
                json!("\"3\""),
                false,
                "The version that the command builds on, in quotes. 412 if it is another one now.",
            ),
            Self::IfNoneMatch => (
                text(),
                json!("W/\"fQmTlYP3mWrw0yJ7d4Jr2k8i\""),
                false,
                "Tags of bodies that the caller has. 304 without a body if one of them is still true.",
            ),
            Self::MinPosition => (
                AnyOfBuilder::new()
                    .item(
                        ObjectBuilder::new()
                            .schema_type(Type::Integer)
                            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                            .minimum(Some(0))
                            .maximum(Some(i64::MAX)),
                    )
                    // An empty header counts as absent.
                    .item(ObjectBuilder::new().schema_type(Type::String).max_length(Some(0)))
                    .into(),
                json!(0),
                false,
                "Wait up to two seconds until the rows have reached this log position, else 503 \
                 `projection_lagging`. The same as the query parameter `min_position`; the later of both counts.",
            ),
        };
        ParameterBuilder::new()
            .name(self.name())
            .parameter_in(ParameterIn::Header)
            .required(if required { Required::True } else { Required::False })
            .schema(Some::<Schema>(schema))
            .example(Some(example))
            .description(Some(description))
            .build()
            .into()
    }
}

fn text() -> Schema {
    Object::with_type(Type::String).into()
}
