//! The JSON Schema of one payload, as its readers see it.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

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
