//! Rows as a spreadsheet in Norwegian opens them: UTF-8 with a byte order mark, semicolons, a decimal comma, days and
//! times in Norway.

use chrono::{DateTime, Utc};
use chrono_tz::Europe::Oslo;
use csv::{Terminator, Writer, WriterBuilder};
use query::Record;
use serde_json::Value;

use super::sheets::{Form, Sheet};

/// Without it, Excel takes the text for Windows-1252.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A spreadsheet takes a cell that begins with one of these for a formula, and runs it.
const BEGIN_FORMULAS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// The byte order mark and the names of the columns.
pub(super) fn head(sheet: &Sheet) -> Vec<u8> {
    let mut writer = writer(BYTE_ORDER_MARK.into());
    write(&mut writer, sheet.iter().map(|cell| cell.name.to_owned()));
    finished(writer)
}

/// A line for each row.
pub(super) fn rows(sheet: &Sheet, rows: &[Record]) -> Vec<u8> {
    let mut writer = writer(Vec::new());
    for row in rows {
        let cells = sheet.iter().map(|cell| {
            let value = row.get(cell.column).unwrap_or_default();
            value
                .pointer(cell.pointer)
                .map_or_else(String::new, |value| text(value, cell.form))
        });
        write(&mut writer, cells);
    }
    finished(writer)
}

fn writer(begin: Vec<u8>) -> Writer<Vec<u8>> {
    WriterBuilder::new()
        .delimiter(b';')
        .terminator(Terminator::CRLF)
        .from_writer(begin)
}

#[expect(
    clippy::expect_used,
    reason = "a vector takes all bytes, and all lines are equally long"
)]
fn write(writer: &mut Writer<Vec<u8>>, cells: impl Iterator<Item = String>) {
    writer.write_record(cells).expect("memory");
}

#[expect(clippy::expect_used, reason = "a vector takes all bytes")]
fn finished(writer: Writer<Vec<u8>>) -> Vec<u8> {
    writer.into_inner().expect("memory")
}

fn text(value: &Value, form: Form) -> String {
    match (form, value) {
        (_, Value::Null) => String::new(),
        (Form::Money, Value::Number(ore)) => ore.as_i64().map_or_else(|| ore.to_string(), kroner),
        (Form::Moment, Value::String(moment)) => DateTime::parse_from_rfc3339(moment)
            .map_or_else(|_| harmless(moment), |at| in_norway(at.to_utc())),
        (_, Value::String(text)) => harmless(text),
        (_, Value::Array(values)) => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            harmless(&texts.join(", "))
        }
        (_, Value::Bool(_) | Value::Number(_) | Value::Object(_)) => value.to_string(),
    }
}

/// With two decimals after a comma.
fn kroner(ore: i64) -> String {
    let sign = if ore < 0 { "-" } else { "" };
    let ore = ore.unsigned_abs();
    format!("{sign}{},{:02}", ore / 100, ore % 100)
}

fn in_norway(at: DateTime<Utc>) -> String {
    at.with_timezone(&Oslo).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The text; after an apostrophe, which makes it text, if it could be a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(BEGIN_FORMULAS) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{head, text};
    use crate::exports::sheets::{Form, RECEIPTS};

    #[test]
    fn a_spreadsheet_runs_no_cell() {
        for formula in [
            "=HYPERLINK(\"http://evil.test\")",
            "+47 900 00 000",
            "-1+1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
        ] {
            assert_eq!(text(&json!(formula), Form::Text), format!("'{formula}"));
            assert_eq!(text(&json!([formula, "b"]), Form::Text), format!("'{formula}, b"));
            assert_eq!(text(&json!(formula), Form::Moment), format!("'{formula}"));
        }
        assert_eq!(text(&json!("a=b"), Form::Text), "a=b");
    }

    #[test]
    fn values_are_written_as_in_norway() {
        for (ore, kroner) in [(0, "0,00"), (5, "0,05"), (42_050, "420,50"), (-42_050, "-420,50")] {
            assert_eq!(text(&json!(ore), Form::Money), kroner);
        }
        let moment = |moment: &str| text(&json!(moment), Form::Moment);
        assert_eq!(moment("2026-06-05T22:30:00.123456Z"), "2026-06-06 00:30:00");
        assert_eq!(moment("2026-12-31T23:30:00Z"), "2027-01-01 00:30:00");
        assert_eq!(text(&json!(null), Form::Money), "");
        assert_eq!(text(&json!(7), Form::Text), "7");
    }

    #[test]
    fn the_head_begins_with_a_byte_order_mark() {
        let head = String::from_utf8(head(&RECEIPTS)).unwrap();
        assert!(head.starts_with("\u{feff}receipt_id;receipt_number;"), "{head}");
        assert!(head.ends_with("\r\n"), "{head:?}");
    }
}
