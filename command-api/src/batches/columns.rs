//! The columns that a CSV file of each kind may have, and what a cell means: as spreadsheets write it in Norway.

use serde_json::{Map, Value};
use vocabulary::BatchKind;

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Text,
    /// `42 000`
    Whole,
    /// `420,50` kroner, in øre.
    Kroner,
    /// `2026-06-05` or `05.06.2026`
    Day,
    /// `ja`, `nei`
    Flag,
}

/// A column: its name in the file, the members that it stands for, and what its cells hold.
type Column = (&'static str, &'static [&'static str], Cell);

const HOLDER: [Column; 7] = [
    ("holder.name", &["holder", "name"], Cell::Text),
    ("holder.birth_date", &["holder", "birth_date"], Cell::Day),
    ("holder.phone", &["holder", "phone"], Cell::Text),
    ("holder.email", &["holder", "email"], Cell::Text),
    (
        "holder.guardian.name",
        &["holder", "guardian", "name"],
        Cell::Text,
    ),
    (
        "holder.guardian.phone",
        &["holder", "guardian", "phone"],
        Cell::Text,
    ),
    (
        "holder.guardian.consent",
        &["holder", "guardian", "consent"],
        Cell::Flag,
    ),
];
const VEHICLE: [Column; 3] = [
    ("vehicle.registration", &["vehicle", "registration"], Cell::Text),
    (
        "vehicle.vehicle_license",
        &["vehicle", "vehicle_license"],
        Cell::Text,
    ),
    ("vehicle.chassis", &["vehicle", "chassis"], Cell::Text),
];

/// The columns of a kind.
fn columns(kind: BatchKind) -> Vec<Column> {
    match kind {
        BatchKind::SetPrice => vec![
            ("code", &["code"], Cell::Text),
            ("price_ore", &["price_ore"], Cell::Whole),
            ("price_kr", &["price_ore"], Cell::Kroner),
            ("valid_from", &["valid_from"], Cell::Text),
        ],
        BatchKind::UpsertClub => vec![
            ("club_id", &["club_id"], Cell::Text),
            ("name", &["name"], Cell::Text),
            ("status", &["status"], Cell::Text),
        ],
        BatchKind::RevokeLicense => vec![
            ("license_id", &["license_id"], Cell::Text),
            ("reason", &["reason"], Cell::Text),
            ("refund", &["refund"], Cell::Flag),
        ],
        BatchKind::CorrectLicense => {
            let own: [Column; 2] = [
                ("license_id", &["license_id"], Cell::Text),
                ("reason", &["reason"], Cell::Text),
            ];
            own.into_iter().chain(HOLDER).chain(VEHICLE).collect()
        }
        BatchKind::Suspend => {
            let own: [Column; 4] = [
                ("person.name", &["person", "name"], Cell::Text),
                ("person.birth_date", &["person", "birth_date"], Cell::Day),
                ("reason", &["reason"], Cell::Text),
                ("until", &["until"], Cell::Day),
            ];
            own.into_iter().chain(VEHICLE).collect()
        }
        BatchKind::CheckIn => vec![
            ("license_id", &["license_id"], Cell::Text),
            ("scan_id", &["scan_id"], Cell::Text),
            ("at", &["at"], Cell::Text),
            ("clock_offset_ms", &["clock_offset_ms"], Cell::Whole),
            ("device_id", &["device_id"], Cell::Text),
            ("gate", &["gate"], Cell::Text),
            ("verdict", &["verdict"], Cell::Text),
            ("reason", &["reason"], Cell::Text),
        ],
        BatchKind::ComplimentaryLicense => {
            let own: [Column; 5] = [
                ("license_type", &["license_type"], Cell::Text),
                ("club_id", &["club_id"], Cell::Text),
                ("activity_date", &["activity_date"], Cell::Day),
                ("activity_days", &["activity_days"], Cell::Whole),
                ("reason", &["reason"], Cell::Text),
            ];
            own.into_iter().chain(HOLDER).chain(VEHICLE).collect()
        }
    }
}

/// The columns that a file has, in its order.
pub(crate) struct Header(Vec<Column>);

/// A column that a file can't have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    Unknown { name: String, known: String },
    Twice(String),
}

impl Header {
    /// By the names in the first line, in any case.
    pub(crate) fn of<'a>(kind: BatchKind, names: impl Iterator<Item = &'a str>) -> Result<Self, BadHeader> {
        let known = columns(kind);
        let mut header: Vec<Column> = Vec::new();
        for name in names {
            let name = name.trim();
            let column = known.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
            let Some(column) = column else {
                let known: Vec<_> = known.iter().map(|(name, ..)| *name).collect();
                return Err(BadHeader::Unknown {
                    name: name.chars().filter(|c| !c.is_control()).take(60).collect(),
                    known: known.join(", "),
                });
            };
            // Two columns may stand for one member: øre or kroner.
            if header.iter().any(|(_, members, _)| *members == column.1) {
                return Err(BadHeader::Twice(column.0.to_owned()));
            }
            header.push(*column);
        }
        Ok(Self(header))
    }

    /// The item of a row. An empty cell is no member. A cell that is not what its column holds stays a text, so that the
    /// item is refused with the name of its field.
    pub(crate) fn item<'a>(&self, cells: impl Iterator<Item = &'a str>) -> Value {
        let mut item = Map::new();
        for ((_, members, cell), text) in self.0.iter().zip(cells) {
            let text = text.trim();
            if !text.is_empty() {
                put(&mut item, members, value(*cell, text));
            }
        }
        Value::Object(item)
    }
}

fn put(object: &mut Map<String, Value>, members: &[&str], value: Value) {
    match members {
        [] => {}
        [last] => {
            object.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let inner = object.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn value(cell: Cell, text: &str) -> Value {
    let read = match cell {
        Cell::Text => None,
        Cell::Whole => digits(text)
            .and_then(|digits| digits.parse::<i64>().ok())
            .map(Value::from),
        Cell::Kroner => ore(text).map(Value::from),
        Cell::Day => day(text).map(Value::from),
        Cell::Flag => flag(text).map(Value::from),
    };
    read.unwrap_or_else(|| Value::from(text))
}

/// A number without the spaces between its groups.
fn digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let bare = digits.strip_prefix('-').unwrap_or(&digits);
    (!bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// `1 250,50` and `1250.5`, also with `kr`, in øre. A third decimal is no amount.
fn ore(text: &str) -> Option<i64> {
    let bare = text
        .trim_start_matches("kr")
        .trim_end_matches("kr")
        .trim_end_matches(",-");
    let (whole, part) = bare.split_once([',', '.']).unwrap_or((bare, ""));
    let whole: i64 = digits(whole)
        .filter(|text| !text.starts_with('-'))?
        .parse()
        .ok()?;
    let part = part.trim();
    if part.len() > 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(part)
}

/// `05.06.2026` as `2026-06-05`; another form does not change.
fn day(text: &str) -> Option<String> {
    let parsed = chrono::NaiveDate::parse_from_str(text, "%d.%m.%Y").ok()?;
    Some(parsed.to_string())
}

fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "sann" | "ja" | "yes" | "x" | "1" => Some(true),
        "false" | "usann" | "nei" | "no" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use strum::VariantArray as _;
    use vocabulary::BatchKind;

    use super::{BadHeader, Header, columns, ore};

    fn item(kind: BatchKind, names: &[&str], cells: &[&str]) -> Value {
        let header = Header::of(kind, names.iter().copied());
        header
            .unwrap_or_else(|_| panic!("{names:?}"))
            .item(cells.iter().copied())
    }

    #[test]
    fn prices_are_read_as_spreadsheets_write_them() {
        for (text, expected) in [
            ("420", Some(42_000)),
            ("420,5", Some(42_050)),
            ("420,50", Some(42_050)),
            ("420.05", Some(42_005)),
            ("1 250,50", Some(125_050)),
            ("1\u{a0}250,50", Some(125_050)),
            ("1\u{202f}250", Some(125_000)),
            ("kr 420", Some(42_000)),
            ("420 kr", Some(42_000)),
            ("420,-", Some(42_000)),
            ("420,505", None),
            ("1.250,50", None),
            ("-420", None),
            ("", None),
            ("gratis", None),
            ("4e2", None),
            ("92233720368547758,08", None),
        ] {
            assert_eq!(ore(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_row_is_the_item_that_its_route_takes() {
        assert_eq!(
            item(
                BatchKind::SetPrice,
                &["Code", " PRICE_KR ", "valid_from"],
                &["banedag", "420,50", ""]
            ),
            json!({"code": "banedag", "price_ore": 42_050})
        );
        assert_eq!(
            item(
                BatchKind::ComplimentaryLicense,
                &[
                    "license_type",
                    "activity_date",
                    "activity_days",
                    "holder.name",
                    "holder.guardian.consent"
                ],
                &["banedag", "05.06.2026", "2", "Åse Ødegård", "ja"]
            ),
            json!({
                "license_type": "banedag", "activity_date": "2026-06-05", "activity_days": 2,
                "holder": {"name": "Åse Ødegård", "guardian": {"consent": true}}
            })
        );
    }

    #[test]
    fn what_is_no_number_or_date_stays_a_text_for_the_item_to_be_refused_by() {
        assert_eq!(
            item(BatchKind::SetPrice, &["code", "price_ore"], &["banedag", "12,5"]),
            json!({"code": "banedag", "price_ore": "12,5"})
        );
        assert_eq!(
            item(BatchKind::Suspend, &["until"], &["31.02.2026"]),
            json!({"until": "31.02.2026"})
        );
    }

    #[test]
    fn unknown_and_repeated_columns_are_refused() {
        let refused = |names: &[&str]| Header::of(BatchKind::SetPrice, names.iter().copied()).err();
        let unknown = refused(&["code", "pris"]).unwrap();
        assert!(
            matches!(unknown, BadHeader::Unknown { name, known } if name == "pris" && known.contains("price_kr"))
        );
        assert_eq!(refused(&["code", "CODE"]), Some(BadHeader::Twice("code".into())));
        assert_eq!(
            refused(&["price_ore", "price_kr"]),
            Some(BadHeader::Twice("price_kr".into()))
        );
    }

    #[test]
    fn columns_of_a_kind_have_names_of_their_own() {
        for kind in BatchKind::VARIANTS {
            let columns = columns(*kind);
            for (place, (name, ..)) in columns.iter().enumerate() {
                assert!(columns[..place].iter().all(|(other, ..)| other != name), "{name}");
            }
        }
    }
}
