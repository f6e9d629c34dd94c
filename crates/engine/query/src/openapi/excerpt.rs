//! The OpenAPI of a few columns of one row, for clients that show a capability instead of a login.

use service::problem::Problem;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::{HttpMethod, OpenApi, Ref, Required};

use super::{a_row, answered_with, common, described, found, key, not_modified, of_every_read, with_headers};
use crate::resource::Resource;
use crate::view;

/// Some columns of one row, at a path below it.
pub struct Excerpt {
    /// The operation's id.
    pub operation: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// The name of its schema.
    pub schema: &'static str,
    /// The columns.
    pub columns: &'static [&'static str],
    /// The parameter of the query with the capability, and what it is.
    pub capability: (&'static str, &'static str),
    /// The answer to a capability that is missing or wrong.
    pub refusal: Problem,
}

/// Adds the operation to a document.
pub fn add_excerpt(document: &mut OpenApi, resource: &'static Resource, path: &str, excerpt: Excerpt) {
    let mut row = ObjectBuilder::new()
        .description(Some(excerpt.summary))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    for column in view::excerpt(resource, excerpt.columns) {
        let schema = described((column.shape.schema)(), column.description);
        row = row.property(column.name, schema).required(column.name);
    }
    let components = document.components.get_or_insert_default();
    components
        .schemas
        .insert(excerpt.schema.to_owned(), row.build().into());
    let mut example = a_row(resource);
    if let Some(example) = example.as_object_mut() {
        example.retain(|name, _| excerpt.columns.contains(&name.as_str()));
    }
    let (name, description) = excerpt.capability;
    let capability = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::True)
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description));
    let body = Ref::from_schema_name(excerpt.schema);
    let operation = OperationBuilder::new()
        .tag(resource.name)
        .operation_id(Some(excerpt.operation))
        .summary(Some(excerpt.summary))
        .response("304", not_modified())
        .response("200", found(resource, body.into(), example))
        .parameter(key(resource))
        .parameter(capability);
    // All that every operation has, but `fields`.
    let operation = common(resource)
        .into_iter()
        .filter(|parameter| parameter.name != "fields")
        .fold(operation, OperationBuilder::parameter);
    let mut problems = vec![
        view::not_an_id(resource.key),
        excerpt.refusal,
        Problem::not_found(),
    ];
    problems.extend(of_every_read());
    let operation = answered_with(with_headers(operation), problems);
    document
        .paths
        .add_path_operation(path, vec![HttpMethod::Get], operation);
}
