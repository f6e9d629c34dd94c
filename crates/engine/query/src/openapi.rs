//! The OpenAPI of the operations on a resource, from its declaration.

mod excerpt;
mod outline;
mod some;

use serde_json::{Value, json};
use service::docs::{self, Header, Parameter as Shared};
use service::problem::Problem;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{
    AdditionalProperties, Array, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

use crate::column::Visibility;
use crate::filter::{Filter, FilterKind};
use crate::parameters::{self, MAX_TEXT_CHARS};
use crate::resource::{Audience, Direction, Resource, Sort};
use crate::view::{self, DEFAULT_LIMIT, MAX_LIMIT};
use crate::{cursor, export, failure, projection, schema_gate};

pub use excerpt::{Excerpt, add_excerpt};
pub use outline::add_outline;
pub use some::{add_for_some, add_list_for_some, add_of_path};

/// Adds a resource to a document: the schema of a row, a list at `path` and one row at `path/{key}`, unless the service
/// has no such route.
pub fn add(document: &mut OpenApi, resource: &'static Resource, path: &str, one: bool) {
    add_with(document, resource, path, one, &[]);
}

/// Adds a resource whose rows the service completes, which can fail with these problems.
pub fn add_with(
    document: &mut OpenApi,
    resource: &'static Resource,
    path: &str,
    one: bool,
    problems: &[Problem],
) {
    let tag = TagBuilder::new()
        .name(resource.name)
        .description(Some(resource.description.trim()));
    document.tags.get_or_insert_default().push(tag.build());
    let components = document.components.get_or_insert_default();
    let mut schemas = Vec::new();
    for column in resource.shown() {
        (column.shape.components)(&mut schemas);
    }
    components.schemas.extend(schemas);
    components
        .schemas
        .insert(resource.schema.to_owned(), row(resource).into());
    let list = list(resource, problems);
    document
        .paths
        .add_path_operation(path, vec![HttpMethod::Get], list);
    if one {
        let path = format!("{path}/{{{}}}", resource.key);
        let one = self::one(resource, problems);
        document
            .paths
            .add_path_operation(path, vec![HttpMethod::Get], one);
    }
}

/// A row. No property is required, since `fields` chooses them.
fn row(resource: &'static Resource) -> Object {
    let mut row = ObjectBuilder::new()
        .description(Some(format!(
            "{} All properties are there, unless `fields` chooses some.",
            resource.description.trim()
        )))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    for column in resource.shown() {
        let said = match column.visibility {
            Visibility::OnRequest => format!("{} Only there when `fields` names it.", column.description),
            Visibility::Shown | Visibility::Internal => column.description.to_owned(),
        };
        row = row.property(column.name, described((column.shape.schema)(), &said));
    }
    row.build()
}

/// The schema with a description of its own, where it has none that says more.
fn described(schema: RefOr<Schema>, description: &str) -> RefOr<Schema> {
    let mut schema = schema;
    match &mut schema {
        RefOr::T(Schema::Object(object)) => object.description = Some(description.to_owned()),
        RefOr::T(Schema::Array(array)) => array.description = Some(description.to_owned()),
        RefOr::T(Schema::OneOf(one_of)) => one_of.description = Some(description.to_owned()),
        RefOr::Ref(reference) => description.clone_into(&mut reference.description),
        RefOr::T(_) => {}
    }
    schema
}

fn list(resource: &'static Resource, problems: &[Problem]) -> OperationBuilder {
    let mut operation = operation(resource)
        .operation_id(Some(format!("list_{}", resource.name.replace('-', "_"))))
        .summary(Some(format!("A page of {}", resource.name.replace('-', " "))))
        .response("200", found(resource, page(resource), a_page(resource)));
    for filter in resource.filters {
        operation = operation.parameter(of_filter(filter));
    }
    for parameter in paging(resource).into_iter().chain(common(resource)) {
        operation = operation.parameter(parameter);
    }
    let at_once = (resource.audience == Audience::Personal).then(failure::too_many_at_once);
    let broad = failure::too_broad("made_to", Some("made_at"), "size");
    let problems = problems
        .iter()
        .cloned()
        .chain(at_once)
        .chain([cursor::invalid(), broad]);
    refused(with_headers(operation), resource, problems)
}

/// The id of a row in the path.
pub fn key(resource: &Resource) -> Parameter {
    ParameterBuilder::new()
        .name(resource.key)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(uuid()))
        .example(Some(json!(FilterKind::Uuid.example())))
        .description(Some("Its id."))
        .build()
}

/// `min_position` in the query, which every operation on rows has.
pub fn min_position() -> Parameter {
    query(
        "min_position",
        whole(0).maximum(Some(i64::MAX)),
        json!(0),
        "As the header `Min-Position`: wait until the rows have reached this log position.".into(),
    )
    .build()
}

/// What every operation can answer that reads rows, besides that there is none.
pub fn of_every_read() -> Vec<Problem> {
    let mut all = parameters::problems();
    all.push(projection::unknown("min_position", 4711, 4711));
    all.push(projection::lagging(4710));
    all.push(failure::query_timeout());
    all.push(failure::reads_busy());
    all.push(failure::unavailable());
    all.push(schema_gate::schema_unknown());
    all.extend(docs::of_every_request());
    all
}

/// The filters of a resource, for an operation of another form.
pub fn filters(resource: &'static Resource) -> impl Iterator<Item = Parameter> {
    resource.filters.iter().map(|filter| of_filter(filter).build())
}

/// `after` in the query, which every export has.
pub fn after() -> Parameter {
    query(
        "after",
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))),
        json!(FilterKind::Uuid.example()),
        "The id of the last row that arrived of an export that was cut off: the rows after it follow, as they are now.".into(),
    )
    .build()
}

/// What an expensive operation can answer that has no list or export.
pub fn of_expensive_reads() -> Vec<Problem> {
    vec![failure::too_many_at_once()]
}

/// What every export can answer instead of rows.
pub fn of_every_export() -> Vec<Problem> {
    let mut all = vec![
        export::exports_busy(),
        export::after_unknown(),
        failure::too_many_at_once(),
    ];
    all.extend(of_every_read());
    all
}

fn one(resource: &'static Resource, problems: &[Problem]) -> OperationBuilder {
    let row = Ref::from_schema_name(resource.schema);
    let mut operation = operation(resource)
        .operation_id(Some(format!("get_{}", snake(resource.schema))))
        .summary(Some(format!("One of the {}", resource.name.replace('-', " "))))
        .description(Some("404 also for what the caller may not see."))
        .response("200", found(resource, row.into(), a_row(resource)))
        .parameter(key(resource));
    for parameter in common(resource) {
        operation = operation.parameter(parameter);
    }
    let own = [view::not_an_id(resource.key), Problem::not_found()];
    let problems = problems.iter().cloned().chain(own);
    refused(with_headers(operation), resource, problems)
}

fn operation(resource: &Resource) -> OperationBuilder {
    let operation = OperationBuilder::new()
        .tag(resource.name)
        .response("304", not_modified());
    match resource.audience {
        Audience::Public => operation,
        Audience::Personal => operation.security(docs::needs_login()),
    }
}

/// A page of rows.
fn page(resource: &Resource) -> RefOr<Schema> {
    let cursor = |description| {
        ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::SchemaType::from_iter([
                Type::String,
                Type::Null,
            ]))
            .description(Some(description))
    };
    let next = cursor("Where the next page begins, for `cursor`; null on the last page.");
    let previous = cursor(
        "Where the page before ends, for `cursor`; null on the first page. A list that was begun with `seek` may have \
         nothing there.",
    );
    let total = whole(0).description(Some("How many rows match on all pages, with `count=true`."));
    let is_estimate = ObjectBuilder::new().schema_type(Type::Boolean).description(Some(
        "With `count=true`: whether `total` is an estimate. Up to 10,000 rows are counted exactly.",
    ));
    let similar = ObjectBuilder::new().schema_type(Type::Boolean).description(Some(
        "There and true if nothing matches `q`, and these rows are only similar: the most similar first, without further pages.",
    ));
    let position = whole(0).description(Some("The log position that the page is true at."));
    ObjectBuilder::new()
        .property("items", Array::new(Ref::from_schema_name(resource.schema)))
        .property("next_cursor", next)
        .property("prev_cursor", previous)
        .property("total", total)
        .property("total_is_estimate", is_estimate)
        .property("similar", similar)
        .property("position", position)
        .required("items")
        .required("next_cursor")
        .required("prev_cursor")
        .required("position")
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
        .into()
}

/// The example of a row.
fn a_row(resource: &Resource) -> Value {
    serde_json::from_str(resource.example).unwrap_or_default()
}

/// The example of a page.
fn a_page(resource: &Resource) -> Value {
    json!({"items": [a_row(resource)], "next_cursor": null, "prev_cursor": null, "position": 4711})
}

fn found(resource: &Resource, body: RefOr<Schema>, example: Value) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(body))
        .example(Some(example))
        .build();
    with_position(ResponseBuilder::new().description(resource.description.trim()))
        .content("application/json", content)
        .build()
}

fn not_modified() -> Response {
    with_position(ResponseBuilder::new().description("The caller has this answer already.")).build()
}

fn with_position(mut response: ResponseBuilder) -> ResponseBuilder {
    for header in [
        Header::CacheControl,
        Header::ETag,
        Header::EventPosition,
        Header::EventStale,
        Header::RequestId,
    ] {
        response = response.header_ref(header.name(), header.reference());
    }
    response
}

fn with_headers(operation: OperationBuilder) -> OperationBuilder {
    operation
        .parameter_ref(Shared::MinPosition.reference())
        .parameter_ref(Shared::IfNoneMatch.reference())
}

/// Adds the error responses: these problems, and those of every read.
fn refused(
    operation: OperationBuilder,
    resource: &Resource,
    problems: impl IntoIterator<Item = Problem>,
) -> OperationBuilder {
    let mut all: Vec<Problem> = problems.into_iter().collect();
    all.extend(of_every_read());
    if resource.audience == Audience::Personal {
        all.extend(docs::of_login());
    }
    answered_with(operation, all)
}

/// Adds these problems as responses.
fn answered_with(mut operation: OperationBuilder, all: Vec<Problem>) -> OperationBuilder {
    for (status, mut response) in docs::refusals(all) {
        // Where the rows are known, the answer says where.
        if matches!(status.as_str(), "400" | "404" | "503") {
            for header in [Header::EventPosition, Header::EventStale] {
                let reference = header.reference();
                response
                    .headers
                    .insert(header.name().to_owned(), RefOr::Ref(reference));
            }
        }
        operation = operation.response(status, response);
    }
    operation
}

fn of_filter(filter: &'static Filter) -> ParameterBuilder {
    let text = |format: Option<KnownFormat>| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(format.map(SchemaFormat::KnownFormat))
    };
    let (schema, more) = match filter.kind {
        FilterKind::Amount => (whole(0).maximum(Some(i64::MAX)), ""),
        FilterKind::Date => (text(Some(KnownFormat::Date)), " In the years 1900 to 2100."),
        FilterKind::MomentFrom => (
            text(None),
            " A timestamp (RFC 3339), or a date: from its first moment in Norway. In the years 1900 to 2100.",
        ),
        FilterKind::MomentTo => (
            text(None),
            " A timestamp (RFC 3339), or a date: to its last moment in Norway. In the years 1900 to 2100.",
        ),
        FilterKind::Search => (
            text(None).max_length(Some(MAX_TEXT_CHARS)),
            " Every word must be found, or, if no row has them all, something similar to each. Accents do not matter, å is also aa and ø is also o or oe. Words of one or two letters are found where words begin.",
        ),
        FilterKind::Text => (text(None).max_length(Some(MAX_TEXT_CHARS)), ""),
        FilterKind::Uuid => (text(Some(KnownFormat::Uuid)), ""),
        FilterKind::Word(words) => (text(None).enum_values(Some(words())), ""),
    };
    let example = match filter.kind {
        FilterKind::Amount => json!(42_000),
        _ => json!(filter.example.unwrap_or(filter.kind.example())),
    };
    query(
        filter.name,
        schema,
        example,
        format!("{}{more}", filter.description),
    )
}

/// The parameters that every list has.
fn paging(resource: &'static Resource) -> Vec<Parameter> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    vec![
        sort(
            resource,
            |_| true,
            "The order of the rows, descending after a `-`. Rows with equal values follow their ids.",
        ),
        query(
            "limit",
            whole(1)
                .maximum(Some(i64::from(MAX_LIMIT)))
                .default(Some(json!(DEFAULT_LIMIT))),
            json!(DEFAULT_LIMIT),
            "The most rows of a page.".into(),
        )
        .build(),
        query(
            "count",
            ObjectBuilder::new()
                .schema_type(Type::Boolean)
                .default(Some(json!(false))),
            json!(true),
            "Whether to count the rows of all pages: exactly up to 10,000, and else by an estimate that says so.".into(),
        )
        .build(),
        query(
            "cursor",
            text(),
            Value::Null,
            "`next_cursor` or `prev_cursor` of another page. It is good for the same list, sort, filters and reader."
                .into(),
        )
        .build(),
        query(
            "seek",
            text(),
            Value::Null,
            "Begins at this value of the sort key, wherever it is in the list. Of a moment also a date: all of its day in \
             Norway. Not together with `cursor`."
                .into(),
        )
        .build(),
    ]
}

/// `sort`, of the sorts that are offered.
fn sort(resource: &'static Resource, offered: fn(&Sort) -> bool, said: &str) -> Parameter {
    let default = match resource.default_direction {
        Direction::Ascending => resource.sorts[0].name.to_owned(),
        Direction::Descending => format!("-{}", resource.sorts[0].name),
    };
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(view::sorts(resource, offered)))
        .default(Some(json!(default)));
    query("sort", schema, json!(default), said.into()).build()
}

/// The parameters that every operation has.
fn common(resource: &'static Resource) -> Vec<Parameter> {
    let all: Vec<&str> = resource.shown().map(|column| column.name).collect();
    let example: Vec<&str> = all.iter().take(2).copied().collect();
    let one_of = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(all));
    vec![
        query(
            "fields",
            Array::new(one_of),
            json!(example),
            "The properties of a row, separated by commas; all without it.".into(),
        )
        .style(Some(ParameterStyle::Form))
        .explode(Some(false))
        .build(),
        min_position(),
    ]
}

fn query(name: &str, schema: impl Into<Schema>, example: Value, description: String) -> ParameterBuilder {
    let schema: Schema = schema.into();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .schema(Some(schema))
        // An empty parameter counts as absent. utoipa has no field for it.
        .extensions(Some(Extensions::from_iter([("allowEmptyValue", true)])))
        .example(Some(example).filter(|example| !example.is_null()))
        .description(Some(description))
}

fn uuid() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .into()
}

fn whole(least: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(least))
}

/// `BigThing` as `big_thing`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
