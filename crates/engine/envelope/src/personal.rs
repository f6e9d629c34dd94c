//! Personal data, marked.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Personal data about one person: a name, a birth date, a phone number.
///
/// `Debug` never shows it, so it can't reach a log by accident, and there is no `Display`. In JSON it is
/// `{"$clear": value}`: a payload marks its personal data itself, so that encryption can add a second form later without
/// guessing.
#[derive(Clone, Default, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "Personal_{T}",
    description = "Personal data about one person, marked."
)]
pub struct Personal<T> {
    #[serde(rename = "$clear")]
    value: T,
}

impl<T> Personal<T> {
    /// Marks `value` as personal.
    pub const fn new(value: T) -> Self {
        Self { value }
    }

    /// The value in clear. Each call is a place where personal data can leak: keep them few.
    pub const fn expose(&self) -> &T {
        &self.value
    }

    /// The value in clear, taken out.
    pub fn into_exposed(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

#[cfg(test)]
mod tests {
    use super::Personal;

    #[test]
    fn debug_hides_and_json_marks() {
        let name = Personal::new("Kari Nordmann".to_owned());
        assert_eq!(format!("{name:?}"), "[personal]");
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(json, r#"{"$clear":"Kari Nordmann"}"#);
        assert_eq!(serde_json::from_str::<Personal<String>>(&json).unwrap(), name);
    }

    #[test]
    fn an_unmarked_value_is_refused() {
        assert!(serde_json::from_str::<Personal<String>>(r#""Kari""#).is_err());
        assert!(serde_json::from_str::<Personal<String>>(r#"{"$clear":"Kari","more":1}"#).is_err());
    }
}
