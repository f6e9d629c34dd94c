//! The stream of changes.

use query::openapi::of_every_read;
use serde_json::json;
use service::docs::{self, Header};
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, Required, ResponseBuilder};

use crate::stream::{MOST_MISSED, MOST_OF_READER, problems};

const TAG: &str = "stream";

const EXAMPLE: &str = "retry: 2100\nevent: ready\nid: 01990a4e5a3c7cc29d1e0a7b6c5d4e3f.4711.0\ndata: {\"position\":4711}\n\n\
    event: changed\nid: 01990a4e5a3c7cc29d1e0a7b6c5d4e3f.4712.0\n\
    data: {\"type\":\"order\",\"id\":\"01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f\",\"position\":4712}\n\n";

/// Adds it.
pub(super) fn add(document: &mut OpenApi) {
    let tag = TagBuilder::new()
        .name(TAG)
        .description(Some("What changes, as it happens."));
    document.tags.get_or_insert_default().push(tag.build());
    document
        .paths
        .add_path_operation("/api/v1/stream", vec![HttpMethod::Get], operation());
}

fn operation() -> OperationBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let last_event_id = ParameterBuilder::new()
        .name("Last-Event-ID")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .schema(Some(text()))
        .example(Some(json!("01990a4e5a3c7cc29d1e0a7b6c5d4e3f.4711.0")))
        .description(Some(
            "The `id` of the last event, as browsers send it. What changed since comes first. An id that says nothing here is \
             answered with `reset`.",
        ));
    let content = ContentBuilder::new()
        .schema(Some(text().content_media_type("text/event-stream")))
        .example(Some(json!(EXAMPLE)));
    let mut found = ResponseBuilder::new()
        .description("The events.")
        .content("text/event-stream", content.build());
    for header in [Header::CacheControl, Header::RequestId] {
        found = found.header_ref(header.name(), header.reference());
    }
    let mut operation = OperationBuilder::new()
        .tag(TAG)
        .operation_id(Some("follow_changes"))
        .summary(Some("What changes, of what the caller may see"))
        .description(Some(format!(
            "Server-sent events, each with JSON in `data`. Follow first, and read lists when `ready` has come.\n\n\
             - `changed`: `{{type, id, position}}` of a row that changed: `order`, `license`, `receipt`, `user`, `license_type`, \
             `club`, `terms`, and for staff `letter`, `suspension` and `batch`. A row that changed several times in a moment \
             is told once. With `position` as `min_position` a query shows the changed row.\n\
             - `ready`: `{{position}}`: all that changes after this position is told from here on.\n\
             - `reset`: `{{reason, position}}`: what changed can't be told, so read again. `another_log`, `rows_rebuilt`, \
             `too_many` (more than {MOST_MISSED} rows) or `unknown_id`.\n\
             - `end`: `{{reason}}`, and the stream ends: `token_ended`, `session_revoked`, `roles_changed`, `max_age` or \
             `shutdown`.\n\
             - `dropped`: `{{reason: \"too_slow\"}}`, and the stream ends: the client took too little.\n\n\
             Changes are told at least once: after an interruption some come again. A heartbeat comes every 15 seconds, with an \
             `id` where there is a later one. A person may have {MOST_OF_READER} streams at once."
        )))
        .security(docs::needs_login())
        .parameter(last_event_id)
        .response("200", found.build());
    let problems = of_every_read()
        .into_iter()
        .chain(problems())
        .chain(docs::of_login());
    for (status, response) in docs::refusals(problems) {
        operation = operation.response(status, response);
    }
    operation
}
