//! The sales report, and the operations that stream all rows.

use query::Resource;
use query::openapi::{after, filters, min_position, of_every_export, of_every_read, of_expensive_reads};
use read_model::{LICENSES, ORDERS, RECEIPTS, SalesGrouping, Word as _};
use serde_json::json;
use service::docs::{self, Header, Parameter as Shared};
use service::problem::Problem;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ContentBuilder, HttpMethod, OpenApi, Ref, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::gate::{OF_ROWS, parameter, placed, with_headers};
use crate::exports::FORMATS;
use crate::sales::SalesAnswer;

const TAG: &str = "reports";

/// Adds them.
pub(super) fn add(document: &mut OpenApi) {
    let tag = TagBuilder::new().name(TAG).description(Some(
        "Sums over sales, and all rows of a resource at once. Staff uses them.",
    ));
    document.tags.get_or_insert_default().push(tag.build());
    let mut schemas = vec![(SalesAnswer::name().into_owned(), SalesAnswer::schema())];
    SalesAnswer::schemas(&mut schemas);
    let components = document.components.get_or_insert_default();
    components.schemas.extend(schemas);
    for (path, operation) in [
        ("/api/v1/reports/sales", sales()),
        ("/api/v1/exports/orders", export(&ORDERS)),
        ("/api/v1/exports/licenses", export(&LICENSES)),
        ("/api/v1/exports/receipts", export(&RECEIPTS)),
    ] {
        document
            .paths
            .add_path_operation(path, vec![HttpMethod::Get], operation);
    }
}

fn sales() -> OperationBuilder {
    let sums = json!({"orders": 310, "licenses": 342, "receipts": 311, "credit_notes": 9, "gross_ore": 14_364_000,
                      "refunded_ore": 378_000, "net_ore": 13_986_000, "tax_ore": 0});
    let mut row = json!({"key": "2026-06", "name_nb": null, "name_en": null});
    for (name, sum) in sums.as_object().into_iter().flatten() {
        row[name] = sum.clone();
    }
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(SalesAnswer::name())))
        .example(Some(json!({"items": [row], "total": sums, "position": 4711})));
    let found = ResponseBuilder::new()
        .description("The report.")
        .content("application/json", content.build());
    let known = ResponseBuilder::new().description("The caller has this answer already.");
    let group_by = choice(SalesGrouping::texts(), "day", "What the rows are of.");
    let operation = OperationBuilder::new()
        .operation_id(Some("report_sales"))
        .summary(Some("What was sold in a period"))
        .description(Some(
            "Amounts are those of receipts and credit notes, on the day in Norway on which the money moved: what is \
             reserved and not collected is not in it. Orders and licenses count on the day on which the licenses were \
             issued.",
        ))
        .parameter(parameter("group_by", group_by, json!("month")))
        .parameter(parameter("from", day("First day (local date)."), json!("2026-01-01")))
        .parameter(parameter("to", day("Last day (local date)."), json!("2026-12-31")))
        .parameter_ref(Shared::IfNoneMatch.reference())
        .response("200", with_headers(found, true).build())
        .response("304", with_headers(known, true).build());
    let problems = of_every_read().into_iter().chain(of_expensive_reads());
    for_staff(operation, problems.collect())
}

fn export(resource: &'static Resource) -> OperationBuilder {
    let disposition = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some("The name of the file."))
        .example(Some(json!(format!(
            "attachment; filename=\"{}-4711.csv\"",
            resource.name
        ))))
        .build();
    let bytes = |media: &str| {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .content_media_type(media);
        ContentBuilder::new().schema(Some(text)).build()
    };
    let mut found = ResponseBuilder::new()
        .description("The rows. An answer that is cut off is not complete.")
        .content("text/csv; charset=utf-8", bytes("text/csv"))
        .content("application/x-ndjson", bytes("application/x-ndjson"))
        .header("Content-Disposition", disposition);
    for header in [Header::CacheControl, Header::RequestId]
        .into_iter()
        .chain(OF_ROWS)
    {
        found = found.header_ref(header.name(), header.reference());
    }
    let format = choice(
        FORMATS.to_vec(),
        FORMATS[0],
        "`csv` has one line a row, with amounts in kroner and times in Norway, as a spreadsheet in Norwegian opens it; \
         `ndjson` has each row as a line of JSON, as lists have it.",
    );
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("export_{}", resource.name)))
        .summary(Some(format!("All {} that the filters keep", resource.name)))
        .description(Some(
            "A stream of rows in the order in which they came to be, all true at the log position in `Event-Position`.",
        ))
        .parameter(parameter("format", format, json!(FORMATS[0])))
        .parameter(after())
        .response("200", found.build());
    for filter in filters(resource) {
        operation = operation.parameter(filter);
    }
    for_staff(operation, of_every_export())
}

fn for_staff(operation: OperationBuilder, problems: Vec<Problem>) -> OperationBuilder {
    let mut operation = operation
        .tag(TAG)
        .security(docs::needs_login())
        .parameter(min_position())
        .parameter_ref(Shared::MinPosition.reference());
    let problems = problems
        .into_iter()
        .chain([Problem::not_found()])
        .chain(docs::of_login());
    for (status, response) in docs::refusals(problems) {
        operation = operation.response(status.clone(), placed(&status, response));
    }
    operation
}

fn choice(of: Vec<&'static str>, default: &str, said: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(of))
        .default(Some(json!(default)))
        .description(Some(said))
        .into()
}

fn day(said: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
        .description(Some(format!("{said} In the years 1900 to 2100.")))
        .into()
}
