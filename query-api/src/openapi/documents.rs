//! The operations that answer with a PDF.

use query::openapi::{key, min_position, of_every_read};
use query::{Resource, not_an_id};
use read_model::{LICENSES, RECEIPTS};
use serde_json::json;
use service::docs::{self, Parameter as Shared};
use service::problem::Problem;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, Required, ResponseBuilder};

use crate::codes::keys_missing;
use crate::license_pdf::{revoked, without_code};
use crate::receipt_pdf::seller_missing;
use crate::rendering::busy;

/// Adds them.
pub(super) fn add(document: &mut OpenApi) {
    let license = pdf(&LICENSES, [keys_missing(), revoked(), without_code()])
        .operation_id(Some("get_license_document"))
        .summary(Some("The document of a license"))
        .description(Some(
            "An A5 page with the signed QR code, as PDF/UA-1. 404 also for what the caller may not see.",
        ));
    let receipt = pdf(&RECEIPTS, [seller_missing()])
        .operation_id(Some("get_receipt_document"))
        .summary(Some("The document of a receipt or credit note"))
        .description(Some("PDF/UA-1. 404 also for what the caller may not see."));
    for (path, operation) in [
        ("/api/v1/licenses/{license_id}/license.pdf", license),
        ("/api/v1/receipts/{receipt_id}/receipt.pdf", receipt),
    ] {
        document
            .paths
            .add_path_operation(path, vec![HttpMethod::Get], operation);
    }
}

fn pdf(resource: &Resource, problems: impl IntoIterator<Item = Problem>) -> OperationBuilder {
    let lang = ParameterBuilder::new()
        .name("lang")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .schema(Some::<Schema>(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(["nb", "en"]))
                .default(Some(json!("nb")))
                .into(),
        ))
        .example(Some(json!("nb")))
        .description(Some("Norwegian (bokmål) or English."));
    let disposition = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some("The name of the file."))
        .example(Some(json!("inline; filename=\"lisens-BL-00000-00001-1.pdf\"")))
        .build();
    let bytes = ContentBuilder::new().schema(Some(
        ObjectBuilder::new()
            .schema_type(Type::String)
            .content_media_type("application/pdf"),
    ));
    let found = ResponseBuilder::new()
        .description("The document.")
        .content("application/pdf", bytes.build());
    let known = ResponseBuilder::new().description("The caller has this document already.");
    let [found, known] = [found, known].map(|response| {
        super::gate::with_headers(response, true)
            .header("Content-Disposition", disposition.clone())
            .build()
    });
    let mut operation = OperationBuilder::new()
        .tag(resource.name)
        .security(docs::needs_login())
        .parameter(key(resource))
        .parameter(lang)
        .parameter(min_position())
        .parameter_ref(Shared::MinPosition.reference())
        .parameter_ref(Shared::IfNoneMatch.reference())
        .response("200", found)
        .response("304", known);
    let problems = problems
        .into_iter()
        .chain([busy(), not_an_id(resource.key), Problem::not_found()])
        .chain(of_every_read())
        .chain(docs::of_login());
    for (status, response) in docs::refusals(problems) {
        operation = operation.response(status.clone(), super::gate::placed(&status, response));
    }
    operation
}
