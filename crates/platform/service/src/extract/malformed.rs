//! Turns serde's error about a request into a problem that names the field.

use std::fmt::Write as _;

use axum::http::StatusCode;
use serde_path_to_error::{Path, Segment};

use super::expected::explain;
use crate::problem::Problem;

/// The longest part of a serde message that is passed on to the client.
const MAX_DETAIL_CHARS: usize = 300;

/// The part of the request that serde failed on. It decides the code and the text of the problem.
#[derive(Clone, Copy)]
pub(super) enum RequestPart {
    Body,
    Query,
}

impl RequestPart {
    fn problem(self) -> Problem {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::Body => Problem::new(
                bad,
                "malformed_body",
                "Innholdet i forespørselen kunne ikke leses.",
                "The content of the request could not be read.",
            ),
            Self::Query => Problem::new(
                bad,
                "malformed_query",
                "Et parameter i adressen er ikke gyldig.",
                "A parameter in the address is not valid.",
            ),
        }
    }
}

/// The problem for text that is not the expected format at all.
pub(super) fn unreadable(place: RequestPart, error: &impl std::error::Error) -> Problem {
    place.problem().detail(shorten(&error.to_string()))
}

/// The problem for bytes that are not UTF-8.
pub(super) fn not_utf8() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_body",
        "Innholdet i forespørselen er ikke gyldig UTF-8.",
        "The content of the request is not valid UTF-8.",
    )
}

/// The problem for well-formed input that does not fit the expected type, with a pointer to what does not fit.
pub(super) fn mismatch(place: RequestPart, path: &Path, error: &impl std::error::Error) -> Problem {
    let message = error.to_string();
    let pointer = pointer(path);
    let problem = if message.starts_with("unknown field") {
        unknown_field(pointer)
    } else if let Some(name) = quoted_after(&message, "missing field ") {
        let pointer = pointer + "/" + &escape(name);
        place.problem().field(
            pointer,
            "missing_field",
            "Feltet mangler.",
            "The field is missing.",
        )
    } else if let Some(name) = quoted_after(&message, "duplicate field ") {
        let pointer = pointer + "/" + &escape(name);
        place.problem().field(
            pointer,
            "duplicate_field",
            "Feltet er oppgitt flere ganger.",
            "The field is given more than once.",
        )
    } else {
        let (message_nb, message_en) = explain(&message);
        let problem = place
            .problem()
            .field(pointer, "invalid_value", message_nb, message_en);
        return if message.starts_with("unknown variant") {
            // serde's message lists the known names.
            problem.detail(shorten(&message))
        } else {
            problem.detail(message_en)
        };
    };
    problem.detail(shorten(&message))
}

fn unknown_field(pointer: String) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "unknown_field",
        "Forespørselen har et felt vi ikke kjenner.",
        "The request has a field we do not know.",
    )
    .field(
        pointer,
        "unknown_field",
        "Feltet er ukjent.",
        "The field is unknown.",
    )
}

/// Every problem of a JSON body, as an example.
pub(super) fn of_bodies() -> [Problem; 2] {
    let missing = RequestPart::Body.problem().field(
        "/name",
        "missing_field",
        "Feltet mangler.",
        "The field is missing.",
    );
    [missing, unknown_field("/nam".into())]
}

/// RFC 6901, `""` for the whole document.
pub(super) fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escape(key),
            // A variant is not a step of its own in JSON, and an unknown segment has no name to give.
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        // Writing to a String cannot fail.
        let _ = write!(pointer, "/{}", shorten(&part));
    }
    pointer
}

pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The name in backticks that follows `prefix`: serde names a missing or repeated field only in its message.
fn quoted_after<'a>(message: &'a str, prefix: &str) -> Option<&'a str> {
    message.strip_prefix(prefix)?.strip_prefix('`')?.split('`').next()
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_DETAIL_CHARS).collect()
}
