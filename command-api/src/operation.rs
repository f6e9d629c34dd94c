//! What an operation declares about itself, once.
//!
//! A command over HTTP is its typed request. [`Operation`] declares what goes over the wire and who may send it; a
//! `Command` also names the aggregate that decides. The router, the extractor and the OpenAPI
//! document follow from these.

use axum::http::StatusCode;
use domain::Refusal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};

/// How a command is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// `POST`
    Post,
    /// `PATCH`, with the fields that change.
    Patch,
}

impl Method {
    /// As metrics name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Patch => "PATCH",
        }
    }
}

/// What an operation declares about itself. The implementing type is the request's body.
pub(crate) trait Operation: DeserializeOwned + ToSchema + Send + 'static {
    /// Names the operation in the OpenAPI document and in the scope of its idempotency keys. Never changes.
    const NAME: &'static str;
    /// How it is sent.
    const METHOD: Method = Method::Post;
    /// What it does, in one sentence.
    const SUMMARY: &'static str;
    /// The status of an answer to an accepted command.
    const SUCCESS: StatusCode;
    /// Other statuses with the same body, for example of an order that can no longer be paid.
    const ALSO: &'static [StatusCode] = &[];
    /// How the aggregate can refuse it.
    const REFUSALS: &'static [Refusal];
    /// The aggregate does not exist before: it is not loaded first, and `If-Match` is not read.
    const CREATES: bool = false;
    /// An empty body means `{}`.
    const BODY_MAY_BE_EMPTY: bool = false;
    /// The body holds the idempotency key. A header with a key is not needed, and another one is refused.
    const KEY_IN_BODY: bool = false;
    /// The parameters of the path.
    type Path: DeserializeOwned + IntoParams + Send;
    /// The answer, without the position that the log adds. Stored as it is answered.
    type Answer: Serialize + DeserializeOwned + ToSchema + Send;

    /// What else it can answer, as examples.
    fn problems() -> Vec<Problem> {
        Vec::new()
    }

    /// The idempotency key in the body.
    fn key_in_body(&self) -> Option<String> {
        None
    }

    /// What the path names, as part of the scope of idempotency keys. A path that cannot name anything is refused.
    fn target(path: &Self::Path) -> Result<Option<String>, Problem>;
}

/// A path without parameters.
#[derive(Deserialize, IntoParams)]
pub(crate) struct NoPath {}
