//! What the payloads look like to those who do not share these types: `schemas/` is written from here.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

use crate::{ClubEvent, LicenseEvent, LicenseTypeEvent, OrderEvent, aggregate_type};

/// The shape of one event type in the version that this build writes.
#[derive(Clone, Debug)]
pub struct EventSchema {
    /// The kind of aggregate it happens to.
    pub aggregate_type: &'static str,
    /// What happens, for example `OrderPlaced`.
    pub event_type: &'static str,
    /// The version of the shape.
    pub event_version: &'static str,
    /// The payload, as JSON Schema 2020-12.
    pub schema: Schema,
}

impl EventSchema {
    /// Every event that this build writes.
    pub fn all() -> Vec<Self> {
        let kinds = [
            (aggregate_type::ORDER, OrderEvent::schemas()),
            (aggregate_type::LICENSE, LicenseEvent::schemas()),
            (aggregate_type::LICENSE_TYPE, LicenseTypeEvent::schemas()),
            (aggregate_type::CLUB, ClubEvent::schemas()),
        ];
        let of_kind = |(aggregate_type, schemas): (_, Vec<_>)| {
            schemas
                .into_iter()
                .map(move |(event_type, event_version, schema)| Self {
                    aggregate_type,
                    event_type,
                    event_version,
                    schema,
                })
        };
        kinds.into_iter().flat_map(of_kind).collect()
    }
}

/// What `T` looks like when it is written: readers may rely on all of it, and must ignore what they do not know.
pub fn written<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(never_null))
        .into_generator()
        .into_root_schema_for::<T>()
}

/// What may be absent is absent when there is nothing to say, and never `null`.
fn never_null(schema: &mut Schema) {
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if !required.iter().any(|one| one == name.as_str())
            && let Some(property) = property.as_object_mut()
        {
            without_null(property);
        }
    }
}

/// `{"type": [T, "null"]}` is `{"type": T}`, and `{"anyOf": [S, {"type": "null"}]}` is `S`.
fn without_null(property: &mut Map<String, Value>) {
    let types = property.get("type").and_then(Value::as_array);
    if let Some([only, null]) = types.map(Vec::as_slice)
        && null == "null"
    {
        let only = only.clone();
        property.insert("type".into(), only);
    }
    let options = property.get("anyOf").and_then(Value::as_array);
    if let Some([Value::Object(only), null]) = options.map(Vec::as_slice)
        && null.get("type").is_some_and(|name| name == "null")
    {
        let only = only.clone();
        property.remove("anyOf");
        property.extend(only);
    }
}
