//! What works.

use query::openapi::of_every_read;
use serde_json::json;
use service::docs::{self, Header};
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, Ref, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::status::StatusAnswer;

const TAG: &str = "status";

/// Adds it.
pub(super) fn add(document: &mut OpenApi) {
    let tag = TagBuilder::new()
        .name(TAG)
        .description(Some("What works, for people and machines."));
    document.tags.get_or_insert_default().push(tag.build());
    let mut schemas = vec![(StatusAnswer::name().into_owned(), StatusAnswer::schema())];
    StatusAnswer::schemas(&mut schemas);
    let components = document.components.get_or_insert_default();
    components.schemas.extend(schemas);
    document
        .paths
        .add_path_operation("/api/v1/status", vec![HttpMethod::Get], operation());
}

fn operation() -> OperationBuilder {
    let at = "2026-06-05T10:00:00Z";
    let example = json!({
        "generated_at": at, "status": "ok", "summary_nb": "Alt virker.", "summary_en": "Everything works.",
        "components": [{"name": "updates", "status": "ok", "message_nb": "Endringer vises med en gang.",
                        "message_en": "Changes show at once.", "since": at}],
        "features": [{"name": "buy", "status": "works", "label_nb": "bestille", "label_en": "ordering",
                      "message_nb": "Virker.", "message_en": "Works."}],
        "data": {"position": 4711, "epoch": "01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f", "as_of": at, "lag_seconds": 0},
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(StatusAnswer::name())))
        .example(Some(example));
    let mut found = ResponseBuilder::new()
        .description("What works.")
        .content("application/json", content.build());
    for header in [Header::CacheControl, Header::RequestId] {
        found = found.header_ref(header.name(), header.reference());
    }
    let mut operation = OperationBuilder::new()
        .tag(TAG)
        .operation_id(Some("get_status"))
        .summary(Some("What works"))
        .description(Some(
            "Public, and answered from memory: also while the database, Redis or the rest of the shop is away. True within \
             five seconds of a change. `features` are what people do (`browse`, `search`, `orders`, `buy`, `check_in`, \
             `reports`, `follow`), `components` what the shop consists of, with those that this server has. `since` is when this server \
             saw the change. What payment providers do is not known here.",
        ))
        .response("200", found.build());
    for (status, response) in docs::refusals(of_every_read()) {
        operation = operation.response(status, response);
    }
    operation
}
