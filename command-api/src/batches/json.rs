//! Items as JSON: one document `{kind, dry_run?, items: […]}`, or a line for each item.

use std::fmt;
use std::io::{BufRead, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use vocabulary::BatchKind;

use super::MAX_ITEM_BYTES;
use super::intake::{Declared, Sink, Source};
use super::problems::Unreadable;

/// A byte order mark.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// What serde says of bytes that are not UTF-8.
const NOT_UTF8: &str = "invalid unicode code point";

/// Reads a document. Its items go out as they come, so their kind may follow them.
pub(crate) fn read_document(source: Source, sink: &mut Sink) -> Result<Declared, Unreadable> {
    let mut declared = Declared::default();
    let mut source = BufReader::new(source);
    // RFC 8259, 8.1: a reader may ignore a byte order mark, which some editors write. A piece that is shorter has none.
    if source.fill_buf().is_ok_and(|begin| begin.starts_with(MARK)) {
        source.consume(MARK.len());
    }
    let mut text = serde_json::Deserializer::from_reader(source);
    let read = Document {
        declared: &mut declared,
        sink,
    }
    .deserialize(&mut text)
    .and_then(|()| text.end());
    // What the sink refused is the reason, and not that reading ended there.
    if let Some(refused) = sink.refused() {
        return Err(refused);
    }
    read.map_err(|error| {
        let line = u64::try_from(error.line()).unwrap_or(0);
        match shown(&error) {
            what if what == NOT_UTF8 => Unreadable::NotUtf8(line),
            what => Unreadable::NotJson(line, what),
        }
    })?;
    Ok(declared)
}

/// Reads a line for each item. Empty lines are none.
pub(crate) fn read_lines(source: Source, sink: &mut Sink) -> Result<(), Unreadable> {
    let mut source = BufReader::new(source);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let most = u64::try_from(MAX_ITEM_BYTES + 2).unwrap_or(u64::MAX);
        let read = source.by_ref().take(most).read_until(b'\n', &mut line);
        if read.map_err(|_| Unreadable::Stopped)? == 0 {
            break;
        }
        if line.len() > MAX_ITEM_BYTES + 1 {
            return Err(Unreadable::ItemTooLarge(sink.next_number()));
        }
        if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) {
            return Err(Unreadable::Utf16);
        }
        let text = std::str::from_utf8(&line).map_err(|_| Unreadable::NotUtf8(number))?;
        let text = if number == 1 {
            text.trim_start_matches('\u{feff}')
        } else {
            text
        };
        if text.trim().is_empty() {
            sink.pass_by();
            continue;
        }
        let item: Box<RawValue> =
            serde_json::from_str(text).map_err(|error| Unreadable::NotJson(number, shown(&error)))?;
        sink.push(&item)?;
    }
    Ok(())
}

/// What serde says, without its line, which counts from the item.
fn shown(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    text.chars().take(100).collect()
}

struct Document<'a> {
    declared: &'a mut Declared,
    sink: &'a mut Sink,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with kind and items")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut has_items = false;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "kind" if self.declared.kind.is_none() => {
                    self.declared.kind = Some(map.next_value::<BatchKind>()?);
                }
                "dry_run" if self.declared.dry_run.is_none() => {
                    self.declared.dry_run = Some(map.next_value()?);
                }
                "items" if !has_items => {
                    has_items = true;
                    map.next_value_seed(Items(self.sink))?;
                }
                "kind" | "dry_run" | "items" => {
                    return Err(M::Error::custom(format!("{name} is there twice")));
                }
                other => {
                    let other: String = other.chars().take(60).collect();
                    return Err(M::Error::custom(format!("unknown field {other}")));
                }
            }
        }
        if !has_items {
            return Err(M::Error::custom("items is missing"));
        }
        Ok(())
    }
}

struct Items<'a>(&'a mut Sink);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of items")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            // The reason stays in the sink.
            self.0.push(&item).map_err(|_| S::Error::custom("refused"))?;
        }
        Ok(())
    }
}
