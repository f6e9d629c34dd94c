//! The OpenAPI of the outline of a list.

use serde_json::json;
use utoipa::openapi::schema::{
    AdditionalProperties, Array, ArrayBuilder, KnownFormat, Object, ObjectBuilder, OneOfBuilder, Schema,
    SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{HttpMethod, OpenApi, Ref, RefOr};

use super::{found, min_position, of_filter, operation, refused, sort, whole, with_headers};
use crate::outline;
use crate::resource::{Resource, Sort};

/// The name of the schema.
const SCHEMA: &str = "Outline";

/// Adds the outline of a list at `path` to a document. `covered` says which rows are counted.
pub fn add_outline(document: &mut OpenApi, resource: &'static Resource, path: &str, covered: &str) {
    let components = document.components.get_or_insert_default();
    components.schemas.insert(SCHEMA.to_owned(), body().into());
    let name = resource.name.replace('-', " ");
    let example = json!({
        "key": resource.sorts[0].name, "days": [["2026-05-16", 734], ["2026-05-17", 1_208]], "total": 1_942, "covered": true,
        "position": 4711,
    });
    let mut operation = operation(resource)
        .operation_id(Some(format!("outline_{}", resource.name.replace('-', "_"))))
        .summary(Some(format!("How many {name} there are on each day")))
        .description(Some(covered))
        .response(
            "200",
            found(resource, Ref::from_schema_name(SCHEMA).into(), example),
        );
    for filter in outline::filters(resource) {
        operation = operation.parameter(of_filter(filter));
    }
    let said = "The order of the list. Its key is what the days are of; they come earliest first in either direction.";
    let operation = operation
        .parameter(sort(resource, Sort::has_days, said))
        .parameter(min_position());
    let operation = refused(with_headers(operation), resource, []);
    document
        .paths
        .add_path_operation(path, vec![HttpMethod::Get], operation);
}

fn body() -> Object {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("The sort key that the days are of."));
    let day = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
    // As a tuple, by `prefixItems`, it would say more, but programs that read documents fail over that.
    let day_or_rows = OneOfBuilder::new().item(day).item(whole(1));
    let day_with_rows = ArrayBuilder::new()
        .items(RefOr::T(Schema::from(day_or_rows.build())))
        .min_items(Some(2))
        .max_items(Some(2))
        .build();
    let mut days = Array::new(Schema::from(day_with_rows));
    days.description = Some(
        "Pairs of a day with rows and their number, the earliest first. The day of a moment is the day in Norway, which `seek` begins at."
            .into(),
    );
    let total = whole(0)
        .schema_type(SchemaType::from_iter([Type::Integer, Type::Null]))
        .description(Some(
            "How many rows there are on all days; null if they are not counted.",
        ));
    let covered = ObjectBuilder::new().schema_type(Type::Boolean).description(Some(
        "Whether the rows are counted. If not, `days` is empty and says nothing.",
    ));
    ObjectBuilder::new()
        .description(Some("How many rows of a list there are on each day."))
        .property("key", key)
        .property("days", days)
        .property("total", total)
        .property("covered", covered)
        .property(
            "position",
            whole(0).description(Some("The log position that the counts are true at.")),
        )
        .required("key")
        .required("days")
        .required("total")
        .required("covered")
        .required("position")
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}
