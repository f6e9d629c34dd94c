//! Error responses of the document, made from the problems that the service really answers.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, Response, ResponseBuilder};

use super::headers::Header;
use crate::auth;
use crate::extract::problems_of_bodies;
use crate::http::timed_out;
use crate::limits::limited;
use crate::problem::{CONTENT_TYPE, Problem};

/// A request id for examples.
const REQUEST_ID: &str = "01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f";

/// What every operation can answer: requests that are too many, that cannot be read, that take too long, or that fail in the
/// service.
pub fn of_every_request() -> Vec<Problem> {
    let status = Problem::from_status;
    vec![
        limited(),
        status(StatusCode::URI_TOO_LONG),
        status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        status(StatusCode::INTERNAL_SERVER_ERROR),
        timed_out(),
    ]
}

/// What an operation can answer that reads a token.
pub fn of_login() -> Vec<Problem> {
    let mut problems = vec![Problem::unauthorized()];
    problems.extend(auth::problems());
    problems
}

/// What an operation can answer that reads a JSON body.
pub fn of_request_bodies() -> Vec<Problem> {
    problems_of_bodies()
}

/// The error responses for these problems by their status. Each names the codes that it can have, so that an answer
/// with another code contradicts the document, and shows an example of each.
pub fn refusals(problems: impl IntoIterator<Item = Problem>) -> BTreeMap<String, Response> {
    let mut by_status: BTreeMap<u16, Vec<Problem>> = BTreeMap::new();
    for problem in problems {
        let same_status = by_status.entry(problem.status().as_u16()).or_default();
        if same_status.iter().all(|known| known.code() != problem.code()) {
            same_status.push(problem);
        }
    }
    by_status
        .into_iter()
        .map(|(status, problems)| (status.to_string(), response(status, &problems)))
        .collect()
}

fn response(status: u16, problems: &[Problem]) -> Response {
    let codes: Vec<&str> = problems.iter().map(Problem::code).collect();
    let examples = problems.iter().map(|problem| {
        let example = ExampleBuilder::new().value(Some(example(problem)));
        (problem.code().to_owned(), example.build())
    });
    let content = ContentBuilder::new()
        .schema(Some(schema(status, &codes)))
        .examples_from_iter(examples);
    let described = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>();
    let mut response = ResponseBuilder::new()
        .description(described.join(", "))
        .content(CONTENT_TYPE, content.build())
        .header_ref(Header::RequestId.name(), Header::RequestId.reference())
        .header_ref(Header::CacheControl.name(), Header::CacheControl.reference());
    for (name, header) in [
        (header::RETRY_AFTER, Header::RetryAfter),
        (header::WWW_AUTHENTICATE, Header::WwwAuthenticate),
    ] {
        if problems.iter().any(|problem| problem.has_header(&name)) {
            response = response.header_ref(header.name(), header.reference());
        }
    }
    if status == StatusCode::TOO_MANY_REQUESTS.as_u16() {
        for header in Header::OF_LIMITS {
            response = response.header_ref(header.name(), header.reference());
        }
    }
    response.build()
}

fn example(problem: &Problem) -> Value {
    serde_json::from_slice(&problem.body(Some(REQUEST_ID.to_owned()))).unwrap_or(Value::Null)
}

/// The shape of every problem, with the status and the codes of one response.
fn schema(status: u16, codes: &[&str]) -> Schema {
    let of_response = ObjectBuilder::new()
        .property(
            "status",
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .enum_values(Some([json!(status)])),
        )
        .property(
            "code",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(codes.iter().copied())),
        );
    AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(of_response)
        .build()
        .into()
}
