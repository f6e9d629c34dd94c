//! The document that an API begins with: what all operations share.

use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, Object, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder,
    ResponseBuilder, SecurityRequirement,
};

use super::headers::Header;
use super::parameters::Parameter;
use super::refusals::{of_every_request, refusals};
use crate::problem;

/// Where the document is.
pub const DOCUMENT: &str = "/api/v1/openapi.json";
/// The name of the security scheme: a bearer token.
pub const SECURITY: &str = "bearer";

/// A document with what all operations share, and the operation that serves the document itself. `description` is
/// Markdown.
pub fn document(title: &str, description: &str) -> OpenApi {
    let info = InfoBuilder::new()
        .title(title)
        .version("v1")
        .description(Some(description))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ));
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(problem::schemas())
        .security_scheme(SECURITY, bearer());
    for header in Header::ALL {
        components = components.header(header.name(), header.build());
    }
    for parameter in Parameter::ALL {
        components = components.parameter(parameter.name(), parameter.build());
    }
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.build()))
        .paths(PathsBuilder::new().path(DOCUMENT, PathItem::new(HttpMethod::Get, itself())))
        .build()
}

/// The requirement of an operation that answers only with a token.
pub fn needs_login() -> SecurityRequirement {
    SecurityRequirement::new(SECURITY, Vec::<String>::new())
}

/// The requirement of an operation that a token is not needed for, and that refuses a bad one.
pub fn takes_login() -> [SecurityRequirement; 2] {
    [SecurityRequirement::default(), needs_login()]
}

fn bearer() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "A JWT of the configured issuer, with `iss`, `sub`, `aud` and `exp`. `roles` lists customer, organizer, \
                 staff or admin; without it the caller is a customer. `clubs` lists the ids that an organizer acts for.",
            ))
            .build(),
    )
}

fn itself() -> OperationBuilder {
    let document = ContentBuilder::new().schema(Some(Object::with_type(Type::Object)));
    let found = ResponseBuilder::new()
        .description("The document.")
        .content("application/json", document.build())
        .header_ref(Header::RequestId.name(), Header::RequestId.reference())
        .header_ref(Header::CacheControl.name(), Header::CacheControl.reference());
    let mut operation = OperationBuilder::new()
        .tag("documentation")
        .operation_id(Some("get_openapi"))
        .summary(Some("This document"))
        .response("200", found.build());
    for (status, response) in refusals(of_every_request()) {
        operation = operation.response(status, response);
    }
    operation
}
