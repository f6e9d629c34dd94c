//! Personal data, marked.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, IgnoredAny};
use serde::ser::{Error as _, SerializeStruct as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Personal data about one person: a name, a birth date, a phone number.
///
/// `Debug` never shows it, so it can't reach a log by accident, and there is no `Display`. In JSON it is
/// `{"$clear": value}`, with `"$person": id` where the person is named: a payload marks its personal data itself, so the
/// log can seal it without knowing what the payload means. A log that seals keeps `{"$sealed": …, "$key": …}` instead.
/// A reader without keys still reads such a payload, and gets a [`Blank`] where the value stands.
///
/// Two are equal if their values are; the named person does not count.
#[derive(Clone, Default)]
pub struct Personal<T> {
    value: T,
    person: Option<Uuid>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Clear,
    /// Read without being opened: this reader does not see the value.
    Closed,
    /// Its key is destroyed: the value is gone for ever.
    Erased,
}

/// What stands for a value that can't be read any more.
pub trait Blank {
    /// The value that says nothing.
    fn blank() -> Self;
}

impl Blank for String {
    fn blank() -> Self {
        Self::new()
    }
}

impl Blank for chrono::NaiveDate {
    /// The first day of 1900: a date that every table and answer can hold.
    fn blank() -> Self {
        Self::from_ymd_opt(1900, 1, 1).unwrap_or_default()
    }
}

impl<T> Personal<T> {
    /// Marks `value` as personal, of whom the aggregate is about.
    pub const fn new(value: T) -> Self {
        Self {
            value,
            person: None,
            state: State::Clear,
        }
    }

    /// Marks `value` as personal data of this person. When the person is erased, the value can't be read any more.
    pub const fn of(person: Uuid, value: T) -> Self {
        Self {
            value,
            person: Some(person),
            state: State::Clear,
        }
    }

    /// The same value as data of this person.
    #[must_use]
    pub fn belonging_to(mut self, person: Uuid) -> Self {
        self.person = Some(person);
        self
    }

    /// Whose it is, where that is known.
    pub const fn person(&self) -> Option<Uuid> {
        self.person
    }

    /// The value in clear; a blank value if it is erased or was not opened. Each call is a place where personal data can
    /// leak: keep them few.
    pub const fn expose(&self) -> &T {
        &self.value
    }

    /// The value in clear, taken out; a blank value if it is erased or was not opened.
    pub fn into_exposed(self) -> T {
        self.value
    }

    /// Whether the value is gone for ever.
    pub fn is_erased(&self) -> bool {
        self.state == State::Erased
    }
}

impl<T: Blank> Personal<T> {
    /// A value that is gone for ever.
    pub fn erased() -> Self {
        Self {
            value: T::blank(),
            person: None,
            state: State::Erased,
        }
    }
}

impl<T: PartialEq> PartialEq for Personal<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && self.state == other.state
    }
}

impl<T: Eq> Eq for Personal<T> {}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.state {
            State::Clear => {
                let fields = 1 + usize::from(self.person.is_some());
                let mut marked = serializer.serialize_struct("Personal", fields)?;
                marked.serialize_field("$clear", &self.value)?;
                if let Some(person) = &self.person {
                    marked.serialize_field("$person", person)?;
                }
                marked.end()
            }
            State::Erased => {
                let mut marked = serializer.serialize_struct("Personal", 1)?;
                marked.serialize_field("$erased", &true)?;
                marked.end()
            }
            // A blank value that is written would replace the value.
            State::Closed => Err(S::Error::custom("personal data that was not opened")),
        }
    }
}

/// Every form, each with its own members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form<T> {
    #[serde(rename = "$clear")]
    clear: Option<T>,
    #[serde(rename = "$person")]
    person: Option<Uuid>,
    #[serde(rename = "$sealed")]
    sealed: Option<IgnoredAny>,
    #[serde(rename = "$key")]
    key: Option<IgnoredAny>,
    #[serde(rename = "$erased")]
    erased: Option<bool>,
}

impl<'de, T: Deserialize<'de> + Blank> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Form::deserialize(deserializer)?;
        match form {
            Form {
                clear: Some(value),
                person,
                sealed: None,
                key: None,
                erased: None,
            } => Ok(Self {
                value,
                person,
                state: State::Clear,
            }),
            Form {
                clear: None,
                person: None,
                sealed: Some(IgnoredAny),
                key: Some(IgnoredAny),
                erased: None,
            } => Ok(Self {
                value: T::blank(),
                person: None,
                state: State::Closed,
            }),
            Form {
                clear: None,
                person: None,
                sealed: None,
                key: None,
                erased: Some(true),
            } => Ok(Self::erased()),
            _ => Err(D::Error::custom("personal data in no form that is known")),
        }
    }
}

/// The form in which a payload is written and decoded. How a log stores it is the log's affair.
impl<T: JsonSchema> JsonSchema for Personal<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Personal_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Personal data about one person, marked.",
            "properties": {"$clear": generator.subschema_for::<T>()},
            "required": ["$clear"],
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Personal;

    fn read(json: &str) -> Result<Personal<String>, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn debug_hides_and_json_marks() {
        let name = Personal::new("Kari Nordmann".to_owned());
        assert_eq!(format!("{name:?}"), "[personal]");
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(json, r#"{"$clear":"Kari Nordmann"}"#);
        assert_eq!(read(&json).unwrap(), name);
    }

    #[test]
    fn json_names_the_person() {
        let name = Personal::of(Uuid::from_u128(7), "Kari".to_owned());
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(
            json,
            r#"{"$clear":"Kari","$person":"00000000-0000-0000-0000-000000000007"}"#
        );
        let again = read(&json).unwrap();
        assert_eq!(again, name);
        assert_eq!(again.person(), Some(Uuid::from_u128(7)));
    }

    #[test]
    fn an_unmarked_value_is_refused() {
        for bad in [
            r#""Kari""#,
            r#"{"$clear":"Kari","more":1}"#,
            r#"{"$clear":"Kari","$erased":true}"#,
            r#"{"$sealed":"AA"}"#,
            r#"{"$erased":false}"#,
            r#"{"$person":"00000000-0000-0000-0000-000000000007"}"#,
            "{}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn without_a_key_there_is_a_blank_value_that_can_not_be_written() {
        let closed = read(r#"{"$sealed":"AA","$key":"k"}"#).unwrap();
        assert_eq!((closed.expose().as_str(), closed.is_erased()), ("", false));
        assert!(serde_json::to_string(&closed).is_err());
    }

    #[test]
    fn what_is_erased_stays_so() {
        let erased = read(r#"{"$erased":true}"#).unwrap();
        assert!(erased.is_erased());
        assert_eq!(serde_json::to_string(&erased).unwrap(), r#"{"$erased":true}"#);
    }
}
