//! Items as a spreadsheet saves them: with or without a byte order mark, separated by semicolons, commas or tabs.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Cursor, Read};
use std::rc::Rc;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use vocabulary::BatchKind;

use super::MAX_ITEM_BYTES;
use super::columns::{BadHeader, Header};
use super::intake::{Sink, Source};
use super::problems::Unreadable;

/// Reads a header and a row for each item. Rows of empty cells are none.
pub(crate) fn read(source: Source, kind: BatchKind, sink: &mut Sink) -> Result<(), Unreadable> {
    let quotes = Rc::new(Cell::new(0));
    let mut source = BufReader::new(Counting {
        source,
        quotes: Rc::clone(&quotes),
    });
    let mut first = first_line(&mut source)?;
    let mut lines_before = 0;
    let mut delimiter = None;
    // A hint that Excel writes and reads.
    if let Some(hint) = first.strip_prefix(b"sep=")
        && let Some(byte) = hint.first()
    {
        delimiter = Some(*byte);
        lines_before = 1;
        first = first_line(&mut source)?;
    }
    let delimiter = delimiter.unwrap_or_else(|| most_frequent(&first));
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(true)
        .from_reader(Cursor::new(first).chain(source));
    let names = reader
        .headers()
        .map_err(|error| unreadable(&error, lines_before, sink))?;
    if names.iter().all(|name| name.trim().is_empty()) {
        return Err(Unreadable::NoHeader);
    }
    let header = Header::of(kind, names.iter()).map_err(|bad| match bad {
        BadHeader::Unknown { name, known } => Unreadable::Column(name, known),
        BadHeader::Twice(name) => Unreadable::ColumnTwice(name),
    })?;
    let (mut row, mut last) = (StringRecord::new(), 1);
    while reader
        .read_record(&mut row)
        .map_err(|error| unreadable(&error, lines_before, sink))?
    {
        // A quotation mark that is not closed makes one cell of all that follows, up to the next one.
        last = row.position().map_or(last, csv::Position::line);
        let line = last + lines_before;
        if row.iter().any(|cell| cell.contains(['\n', '\r'])) {
            return Err(Unreadable::Quotes(line));
        }
        if row.iter().all(|cell| cell.trim().is_empty()) {
            sink.pass_by();
            continue;
        }
        let item = header.item(row.iter());
        let item = serde_json::value::to_raw_value(&item).map_err(|_| Unreadable::Stopped)?;
        sink.push(&item)?;
    }
    if quotes.get() % 2 == 1 {
        return Err(Unreadable::Quotes(last + lines_before));
    }
    Ok(())
}

/// Counts the quotation marks: a file that ends well has an even number.
struct Counting {
    source: Source,
    quotes: Rc<Cell<u64>>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.source.read(buffer)?;
        let found = buffer[..length].split(|byte| *byte == b'"').count() - 1;
        self.quotes.set(self.quotes.get() + found as u64);
        Ok(length)
    }
}

/// The first line with its end, without a byte order mark.
fn first_line(source: &mut BufReader<Counting>) -> Result<Vec<u8>, Unreadable> {
    let mut line = Vec::new();
    let most = u64::try_from(MAX_ITEM_BYTES).unwrap_or(u64::MAX);
    let read = source.by_ref().take(most).read_until(b'\n', &mut line);
    read.map_err(|_| Unreadable::Stopped)?;
    if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) {
        return Err(Unreadable::Utf16);
    }
    if line.starts_with(&[0xef, 0xbb, 0xbf]) {
        line.drain(..3);
    }
    if line.iter().all(u8::is_ascii_whitespace) {
        return Err(Unreadable::NoHeader);
    }
    Ok(line)
}

/// The separator that the header has most of; a semicolon if it has none.
fn most_frequent(header: &[u8]) -> u8 {
    let count = |byte: u8| header.split(|other| *other == byte).count();
    let mut found = b';';
    for byte in *b",\t" {
        if count(byte) > count(found) {
            found = byte;
        }
    }
    found
}

fn unreadable(error: &csv::Error, lines_before: u64, sink: &Sink) -> Unreadable {
    let line =
        |position: &Option<csv::Position>| position.as_ref().map_or(0, csv::Position::line) + lines_before;
    match error.kind() {
        ErrorKind::Utf8 { pos, .. } => Unreadable::NotUtf8(line(pos)),
        ErrorKind::UnequalLengths { pos, .. } => Unreadable::Cells(line(pos)),
        _ => sink.refused().unwrap_or(Unreadable::Stopped),
    }
}
