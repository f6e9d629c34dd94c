//! Why a file of items is refused whole, and why an item waits. Items that are wrong by themselves fail by themselves.

use axum::http::StatusCode;
use serde_json::json;
use service::problem::Problem;

use super::{MAX_BATCH_BYTES, MAX_ITEM_BYTES};

/// Why an item has no result yet: it is done later.
#[derive(Debug, thiserror::Error)]
#[error("item {number}: {code}")]
pub(crate) struct NotNow {
    pub(super) number: u32,
    pub(super) code: String,
}

/// Why a file of items can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A line is not UTF-8.
    NotUtf8(u64),
    /// The file is UTF-16.
    Utf16,
    /// A line is not JSON.
    NotJson(u64, String),
    /// The rows of a CSV file have different numbers of cells.
    Cells(u64),
    /// A cell has a line break, or the file ends within quotes: rows were swallowed.
    Quotes(u64),
    /// A CSV file has columns that its kind does not know. Names the first one, and those that it may have.
    Column(String, String),
    /// A column is there twice.
    ColumnTwice(String),
    /// There is no header.
    NoHeader,
    /// More items than a batch may have.
    TooMany,
    /// Nothing in it.
    Empty,
    /// An item is too large.
    ItemTooLarge(u32),
    /// An item is no JSON object.
    NotAnObject(u32),
    /// No kind, or two different ones.
    Kind(&'static str),
    /// The rest of the file is not wanted any more.
    Stopped,
}

impl Unreadable {
    /// The answer.
    pub(crate) fn problem(&self) -> Problem {
        let (code, nb, en) = self.texts();
        // What is no JSON is malformed; everything else is a text that does not say what a batch needs.
        let status = match self {
            Self::NotJson(..) | Self::NotAnObject(_) | Self::Stopped => StatusCode::BAD_REQUEST,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Problem::new(status, code, nb, en);
        match self.line() {
            Some(line) => problem.member("line", json!(line)),
            None => problem,
        }
    }

    const fn line(&self) -> Option<u64> {
        match self {
            Self::NotUtf8(line) | Self::NotJson(line, _) | Self::Cells(line) | Self::Quotes(line) => {
                Some(*line)
            }
            _ => None,
        }
    }

    fn texts(&self) -> (&'static str, String, String) {
        let (code, nb, en): (_, String, String) = match self {
            Self::NotUtf8(line) => (
                "not_utf8",
                format!(
                    "Linje {line} er ikke UTF-8. Filen er trolig lagret som Windows-1252. Lagre den som UTF-8 (i Excel «CSV UTF-8»)."
                ),
                format!(
                    "Line {line} is not UTF-8. The file was probably saved as Windows-1252. Save it as UTF-8 (in Excel \"CSV UTF-8\")."
                ),
            ),
            Self::Utf16 => (
                "not_utf8",
                "Filen er UTF-16 («Unicode-tekst»). Lagre den som «CSV UTF-8».".into(),
                "The file is UTF-16 (\"Unicode text\"). Save it as \"CSV UTF-8\".".into(),
            ),
            Self::NotJson(line, why) => (
                "malformed_body",
                format!("Linje {line} kan ikke leses som JSON ({why})."),
                format!("Line {line} can't be read as JSON ({why})."),
            ),
            Self::Cells(line) => (
                "csv_cells",
                format!("Linje {line} har et annet antall celler enn overskriften."),
                format!("Line {line} has another number of cells than the header."),
            ),
            Self::Quotes(line) => (
                "csv_quotes",
                format!("Rundt linje {line} mangler et anførselstegn, eller en celle går over flere linjer."),
                format!("Near line {line} a quotation mark is missing, or a cell has several lines."),
            ),
            Self::Column(name, known) => (
                "csv_column_unknown",
                format!("Kolonnen «{name}» er ukjent. Kolonnene kan være: {known}."),
                format!("The column \"{name}\" is unknown. Columns can be: {known}."),
            ),
            Self::ColumnTwice(name) => (
                "csv_column_twice",
                format!("Kolonnen «{name}» står to ganger."),
                format!("The column \"{name}\" is there twice."),
            ),
            Self::NoHeader => (
                "csv_header_missing",
                "Første linje må ha navnene på kolonnene.".into(),
                "The first line must have the names of the columns.".into(),
            ),
            Self::TooMany => (
                "batch_too_many",
                "En batch har høyst 10 000 elementer. Del den opp.".into(),
                "A batch has at most 10,000 items. Split it.".into(),
            ),
            Self::Empty => (
                "batch_empty",
                "Det er ingen elementer i batchen.".into(),
                "There are no items in the batch.".into(),
            ),
            Self::ItemTooLarge(number) => (
                "batch_item_too_large",
                format!("Element {number} er større enn {} kB.", MAX_ITEM_BYTES >> 10),
                format!("Item {number} is larger than {} kB.", MAX_ITEM_BYTES >> 10),
            ),
            Self::NotAnObject(number) => (
                "malformed_body",
                format!("Element {number} er ikke et objekt."),
                format!("Item {number} is not an object."),
            ),
            Self::Kind(what) => (
                "batch_kind",
                format!("Oppgi hva elementene er, én gang ({what})."),
                format!("Say what the items are, once ({what})."),
            ),
            Self::Stopped => ("incomplete_body", "Avbrutt.".into(), "Stopped.".into()),
        };
        (code, nb, en)
    }

    /// Every answer, as an example.
    pub(crate) fn examples() -> Vec<Problem> {
        let all = [
            Self::NotUtf8(17),
            Self::NotJson(17, "EOF while parsing".into()),
            Self::Cells(17),
            Self::Quotes(17),
            Self::Column("pris".into(), "code, price_ore".into()),
            Self::ColumnTwice("code".into()),
            Self::NoHeader,
            Self::TooMany,
            Self::Empty,
            Self::ItemTooLarge(17),
            Self::NotAnObject(17),
            Self::Kind("kind"),
        ];
        all.iter().map(Self::problem).collect()
    }
}

/// 413: more bytes than a batch may have.
pub(crate) fn too_large() -> Problem {
    Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE)
        .detail(format!("the limit of a batch is {MAX_BATCH_BYTES} bytes"))
}

/// 503: as many batches as may be are being received.
pub(crate) fn too_many_uploads() -> Problem {
    Problem::unavailable(
        "batches_busy",
        "Mange batcher mottas akkurat nå. Prøv igjen om litt.",
        "Many batches are being received right now. Try again shortly.",
    )
}

/// 415: not a format that a batch can have.
pub(crate) fn unknown_format() -> Problem {
    Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .detail("a batch is application/json, application/x-ndjson or text/csv, in UTF-8 and not compressed")
}
