//! One item as it was written: what it is about, and the body of its route.

use std::collections::BTreeMap;
use std::fmt;

use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use service::extract::Json;
use service::problem::Problem;
use uuid::Uuid;
use vocabulary::BatchKind;

/// An item with its number, from 1.
pub(crate) struct Item {
    pub(crate) number: u32,
    pub(super) text: Box<RawValue>,
    members: Result<Members, Problem>,
}

/// The members of an item, as they are written.
struct Members(BTreeMap<String, Box<RawValue>>);

impl Item {
    pub(crate) fn new(number: u32, text: Box<RawValue>) -> Self {
        let members = Members::of(&text);
        Self {
            number,
            text,
            members,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        let raw = self.members.as_ref().ok()?.0.get(name)?;
        serde_json::from_str(raw.get()).ok()
    }

    /// Items of the same subject are done one after the other, others side by side.
    pub(crate) fn subject(&self, kind: BatchKind) -> String {
        let subject = match kind {
            BatchKind::SetPrice => self.text("code"),
            BatchKind::UpsertClub => self
                .text("club_id")
                .or_else(|| self.text("name").map(|name| domain::club_identity(&name))),
            BatchKind::RevokeLicense | BatchKind::CorrectLicense | BatchKind::CheckIn => {
                self.text("license_id").map(|id| id.to_lowercase())
            }
            BatchKind::ComplimentaryLicense => self.holder(),
            BatchKind::Suspend => None,
        };
        subject.unwrap_or_else(|| format!("\n{}", self.number))
    }

    /// The person whom a license is for, in every spelling.
    fn holder(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
            birth_date: NaiveDate,
        }
        let holder = self.members.as_ref().ok()?.0.get("holder")?;
        let Named { name, birth_date } = serde_json::from_str(holder.get()).ok()?;
        Some(domain::holder_identity(&name, birth_date))
    }

    /// What the item's path names, and the item without it: the body of its route.
    pub(super) fn split<T: DeserializeOwned>(&self, name: &str) -> Result<(String, T), Problem> {
        let Members(members) = self.members.as_ref().map_err(Clone::clone)?;
        let target = members.get(name).ok_or_else(|| missing(name))?;
        let target = serde_json::from_str(target.get()).map_err(|_| invalid(name))?;
        let rest: BTreeMap<_, _> = members.iter().filter(|(member, _)| *member != name).collect();
        let rest = serde_json::to_vec(&rest).map_err(|error| Problem::internal(&error))?;
        let Json(request) = Json::from_bytes(&rest)?;
        Ok((target, request))
    }

    pub(super) fn license<T: DeserializeOwned>(&self) -> Result<(Uuid, T), Problem> {
        let (license_id, request) = self.split("license_id")?;
        // As in a path: one spelling of an id.
        let license_id = Some(license_id).filter(|id| id.len() == 36);
        let license_id = license_id.and_then(|id| id.parse().ok());
        Ok((license_id.ok_or_else(|| invalid("license_id"))?, request))
    }

    pub(super) fn whole<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let Json(request) = Json::from_bytes(self.text.get().as_bytes())?;
        Ok(request)
    }
}

impl Members {
    /// A member that is there twice would be read as either one, so it is refused.
    fn of(text: &RawValue) -> Result<Self, Problem> {
        let Pairs(pairs) = serde_json::from_str(text.get()).map_err(|_| not_an_item())?;
        let mut members = BTreeMap::new();
        for (name, value) in pairs {
            let again = format!("/{name}");
            if members.insert(name, value).is_some() {
                return Err(malformed().field(
                    again,
                    "duplicate_field",
                    "Feltet er oppgitt flere ganger.",
                    "The field is given more than once.",
                ));
            }
        }
        Ok(Self(members))
    }
}

/// The members of an object in their order, also those that are there twice.
struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Not a JSON object.
pub(super) fn not_an_item() -> Problem {
    malformed().field(
        "",
        "invalid_value",
        "Elementet må være et objekt.",
        "The item must be an object.",
    )
}

pub(super) fn missing(name: &str) -> Problem {
    malformed().field(
        format!("/{name}"),
        "missing_field",
        "Feltet mangler.",
        "The field is missing.",
    )
}

fn invalid(name: &str) -> Problem {
    malformed().field(
        format!("/{name}"),
        "invalid_value",
        "Verdien er ikke gyldig.",
        "The value is not valid.",
    )
}

fn malformed() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_body",
        "Elementet kunne ikke leses.",
        "The item could not be read.",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use vocabulary::BatchKind;

    use super::Item;

    fn item(text: &str) -> Item {
        Item::new(7, RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn items_about_one_thing_have_one_subject_however_it_is_written() {
        let subject = |kind, text| item(text).subject(kind);
        let club = |text| subject(BatchKind::UpsertClub, text);
        assert_eq!(
            club(r#"{"name":"NMK  \u00c5s"}"#),
            club(r#"{"name":"nmk a\u030as"}"#)
        );
        let license = |text| subject(BatchKind::CheckIn, text);
        assert_eq!(
            license(r#"{"license_id":"AB"}"#),
            license(r#"{"license_id":"ab","gate":1}"#)
        );
        assert_ne!(
            license("[]"),
            subject(BatchKind::CheckIn, r#"{"license_id":7}"#).replace('7', "8")
        );
        let gift = |text| subject(BatchKind::ComplimentaryLicense, text);
        assert_eq!(
            gift(r#"{"holder":{"name":"Kari  Nordmann","birth_date":"1990-05-17","phone":"1"}}"#),
            gift(r#"{"reason":"x","holder":{"birth_date":"1990-05-17","name":"KARI nordmann"}}"#)
        );
        assert_eq!(subject(BatchKind::Suspend, r#"{"person":{}}"#), "\n7");
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_before_it_is_read_as_either() {
        let twice = item(r#"{"code":"a","price_ore":1,"code":"b"}"#);
        let refused = twice.split::<serde_json::Value>("code").unwrap_err();
        assert_eq!(
            refused.fields().collect::<Vec<_>>(),
            [("/code", "duplicate_field")]
        );
        let nested = item(r#"{"code":"a","more":{"x":1,"x":2}}"#);
        let (code, rest) = nested.split::<Box<RawValue>>("code").unwrap();
        assert_eq!((code.as_str(), rest.get()), ("a", r#"{"more":{"x":1,"x":2}}"#));
    }
}
