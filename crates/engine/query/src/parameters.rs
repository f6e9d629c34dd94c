//! The query string and the headers of a request, as an extractor for every operation.
//!
//! An empty parameter, which a form sends for a field that was left empty, counts as absent. An operation asks for its
//! parameters by name and type. What is left over is unknown and refused: a mistyped filter that is ignored would show
//! rows that were not asked for. One answer names everything that is wrong.

mod refusal;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::RangeInclusive;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use percent_encoding::percent_decode;
use service::problem::Problem;
use uuid::Uuid;

use crate::dates::{NoMoment, date, midnight, moment};
use crate::filter::{Filter, FilterKind, FilterValue, Selection};
use crate::resource::{Direction, Resource};
use refusal::ParameterError;

pub(crate) use refusal::problems;

const MIN_POSITION: HeaderName = HeaderName::from_static("min-position");

/// The longest text that is searched for or compared with.
pub(crate) const MAX_TEXT_CHARS: usize = 100;

/// What a request asks for, not yet looked at.
#[derive(Debug)]
pub struct Parameters {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
    refusals: Vec<ParameterError>,
    min_position: Option<String>,
    if_none_match: Option<String>,
}

/// The position that an answer must have reached, and the name under which it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MinPosition {
    pub(crate) position: u64,
    pub(crate) name: &'static str,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::new(parts.uri.query().unwrap_or_default(), &parts.headers))
    }
}

impl Parameters {
    /// Those of a query string and headers.
    pub fn new(query: &str, headers: &HeaderMap) -> Self {
        let mut parameters = Self {
            given: BTreeMap::new(),
            known: Vec::new(),
            refusals: Vec::new(),
            min_position: None,
            if_none_match: joined(headers, &header::IF_NONE_MATCH),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            parameters.give(pair);
        }
        if headers.get_all(MIN_POSITION).iter().count() > 1 {
            parameters.refuse_duplicate("Min-Position");
        }
        parameters.min_position = joined(headers, &MIN_POSITION);
        parameters
    }

    /// Those of a query string alone.
    pub fn of(query: &str) -> Self {
        Self::new(query, &HeaderMap::new())
    }

    /// These, and a filter that the path gives.
    #[must_use]
    pub fn of_path(mut self, name: &str, value: String) -> Self {
        if self.given.insert(name.to_owned(), value).is_some() {
            self.refuse_duplicate(name);
        }
        self
    }

    /// Nothing but the position that these wait for, for a read before the read that they are for.
    #[must_use]
    pub fn waiting_as(&self) -> Self {
        let mut waiting = Self::of("");
        waiting.min_position.clone_from(&self.min_position);
        if let Some(position) = self.given.get("min_position") {
            waiting.given.insert("min_position".into(), position.clone());
        }
        waiting
    }

    /// The filters of a resource that are given, when nothing else is.
    pub fn select(mut self, resource: &'static Resource) -> Result<Selection, Problem> {
        let selection = self.selection(resource.filters);
        self.finish()?;
        Ok(selection)
    }

    /// One parameter as it stands in the address.
    fn give(&mut self, pair: &str) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = match (decoded(name), decoded(value)) {
            (Ok(name), Ok(value)) => (name, value),
            // Given all the same, so that it is not given twice.
            (Ok(name), Err(_)) => {
                self.refuse_encoding(&name);
                (name, String::new())
            }
            (Err(name), _) => return self.refuse_encoding(&name),
        };
        if self.given.insert(name.clone(), value).is_some() {
            self.refuse_duplicate(&name);
        }
    }

    fn refuse_encoding(&mut self, name: &str) {
        self.refuse(
            name,
            "invalid_encoding",
            "Navn og verdi må være tekst i UTF-8, prosentkodet.",
            "Name and value must be text in UTF-8, percent-encoded.",
        );
    }

    fn refuse_duplicate(&mut self, name: &str) {
        self.refuse(
            name,
            "duplicate_parameter",
            "Parameteret er gitt flere ganger.",
            "The parameter is given more than once.",
        );
    }

    /// The `If-None-Match` header.
    pub fn if_none_match(&self) -> Option<String> {
        self.if_none_match.clone()
    }

    /// `min_position`, or the `Min-Position` header; the later position if both are given.
    pub(crate) fn min_position(&mut self) -> Option<MinPosition> {
        let header = self.min_position.take();
        let header = self.position("Min-Position", header);
        let parameter = self.take("min_position");
        let parameter = self.position("min_position", parameter);
        [header, parameter]
            .into_iter()
            .flatten()
            .max_by_key(|awaited| awaited.position)
    }

    fn position(&mut self, name: &'static str, value: Option<String>) -> Option<MinPosition> {
        let position = whole(&value?, &(0..=i64::MAX)).and_then(|position| u64::try_from(position).ok());
        let position = self.number(name, position, 0, i64::MAX)?;
        Some(MinPosition { position, name })
    }

    /// A text in its normal form, without control characters, at most 100 characters long.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.take(name)?;
        let pasted = |c: char| matches!(c, '\t' | '\n' | '\r');
        let controls = value.contains(|c: char| c.is_control() && !pasted(c));
        let text = text::normalize(&value);
        let fits = text.chars().count() <= MAX_TEXT_CHARS && !controls;
        self.parsed(
            name,
            fits.then_some(text),
            "invalid_text",
            &format!("en tekst på høyst {MAX_TEXT_CHARS} tegn, uten kontrolltegn"),
            &format!("a text of at most {MAX_TEXT_CHARS} characters, without control characters"),
        )
    }

    /// One of a fixed list.
    pub fn choice(&mut self, name: &'static str, choices: &[&str]) -> Option<String> {
        let value = self.take(name)?;
        let list = choices.join(", ");
        let found = choices.contains(&value.as_str()).then_some(value);
        self.parsed(
            name,
            found,
            "invalid_choice",
            &format!("en av: {list}"),
            &format!("one of: {list}"),
        )
    }

    /// An id.
    pub fn uuid(&mut self, name: &'static str) -> Option<Uuid> {
        let value = self.take(name)?;
        self.parsed(name, uuid(&value), "invalid_uuid", "en UUID", "a UUID")
    }

    /// The filters that are given, each with its value.
    pub(crate) fn selection(&mut self, filters: impl IntoIterator<Item = &'static Filter>) -> Selection {
        let mut selection = Selection::default();
        for filter in filters {
            let whole_day = self
                .given
                .get(filter.name)
                .is_some_and(|value| date(value).is_some());
            let Some(value) = self.filter(filter) else {
                continue;
            };
            if let Some(begin) = filter.ends
                && let Some(first) = selection.get(begin)
                && !in_order(first, &value, whole_day)
            {
                self.refuse_range(filter.name, begin);
            }
            selection.push(filter, value);
        }
        selection
    }

    fn filter(&mut self, filter: &Filter) -> Option<FilterValue> {
        let name = filter.name;
        match filter.kind {
            FilterKind::Amount => self.integer(name, &FilterKind::AMOUNTS).map(FilterValue::Integer),
            FilterKind::Date => self.date(name).map(FilterValue::Date),
            FilterKind::MomentFrom => self.moment(name, midnight).map(FilterValue::Moment),
            FilterKind::MomentTo => self
                .moment(name, |date| midnight(date.succ_opt()?))
                .map(FilterValue::Moment),
            FilterKind::Search | FilterKind::Text => self.text(name).map(FilterValue::Text),
            FilterKind::Uuid => self.uuid(name).map(FilterValue::Uuid),
            FilterKind::Word(words) => self.choice(name, &words()).map(FilterValue::Text),
        }
    }

    /// A moment where a list begins. A date means all of its day: from its first moment on, or back from its last.
    pub(crate) fn moment_towards(
        &mut self,
        name: &'static str,
        direction: Direction,
    ) -> Option<DateTime<Utc>> {
        let of_date: fn(NaiveDate) -> Option<DateTime<Utc>> = match direction {
            Direction::Ascending => midnight,
            // Postgres holds microseconds.
            Direction::Descending => |date| Some(midnight(date.succ_opt()?)? - TimeDelta::microseconds(1)),
        };
        self.moment(name, of_date)
    }

    /// The days of a period, from `begin` to `end`.
    pub fn period(
        &mut self,
        begin: &'static str,
        end: &'static str,
    ) -> (Option<NaiveDate>, Option<NaiveDate>) {
        let (first, last) = (self.date(begin), self.date(end));
        if first.zip(last).is_some_and(|(first, last)| first > last) {
            self.refuse_range(end, begin);
        }
        (first, last)
    }

    fn refuse_range(&mut self, end: &str, begin: &str) {
        self.refuse(
            end,
            "invalid_range",
            format!("Området slutter før det begynner: verdien er lavere enn {begin}."),
            format!("The range ends before it begins: the value is below {begin}."),
        );
    }

    /// A day.
    pub(crate) fn date(&mut self, name: &'static str) -> Option<NaiveDate> {
        let value = self.take(name)?;
        self.parsed(
            name,
            date(&value),
            "invalid_date",
            "en dato (ÅÅÅÅ-MM-DD) i årene 1900 til 2100",
            "a date (YYYY-MM-DD) in the years 1900 to 2100",
        )
    }

    /// A whole number within a range.
    pub fn integer(&mut self, name: &'static str, range: &RangeInclusive<i64>) -> Option<i64> {
        let value = self.take(name)?;
        let parsed = whole(&value, range);
        self.number(name, parsed, *range.start(), *range.end())
    }

    fn number<T>(&mut self, name: &str, parsed: Option<T>, least: i64, most: i64) -> Option<T> {
        self.parsed(
            name,
            parsed,
            "invalid_number",
            &format!("et helt tall fra {least} til {most}"),
            &format!("a whole number from {least} to {most}"),
        )
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let value = self.take(name)?;
        self.parsed(
            name,
            value.parse().ok(),
            "invalid_boolean",
            "true eller false",
            "true or false",
        )
    }

    /// A parameter as it stands; nothing if it is blank.
    pub fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name).filter(|value| !value.trim().is_empty())
    }

    /// Notes that a parameter is wrong.
    pub(crate) fn refuse(
        &mut self,
        name: &str,
        code: &'static str,
        nb: impl Into<String>,
        en: impl Into<String>,
    ) {
        let error = ParameterError::new(name, code, nb.into(), en.into());
        self.refusals.push(error);
    }

    /// Refuses the request if anything in it was wrong, or was not asked for.
    pub fn finish(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.given).into_keys() {
            self.refuse(
                &name,
                "unknown_parameter",
                "Parameteret er ukjent.",
                "The parameter is unknown.",
            );
        }
        refusal::all(self.refusals, &self.known)
    }

    fn moment(
        &mut self,
        name: &'static str,
        of_date: fn(NaiveDate) -> Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        let value = self.take(name)?;
        let parsed = match date(&value) {
            Some(date) => of_date(date).ok_or(NoMoment::Malformed),
            None => moment(&value),
        };
        if parsed == Err(NoMoment::LostPlus) {
            self.refuse(
                name,
                "invalid_moment",
                "Et + i adressen er et mellomrom. Skriv %2B, eller bruk UTC med Z.",
                "A + in an address is a space. Write %2B, or use UTC with Z.",
            );
            return None;
        }
        self.parsed(
            name,
            parsed.ok(),
            "invalid_moment",
            "en dato (ÅÅÅÅ-MM-DD) eller et tidspunkt (RFC 3339) i årene 1900 til 2100",
            "a date (YYYY-MM-DD) or a timestamp (RFC 3339) in the years 1900 to 2100",
        )
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        parsed: Option<T>,
        code: &'static str,
        nb: &str,
        en: &str,
    ) -> Option<T> {
        if parsed.is_none() {
            self.refuse(
                name,
                code,
                format!("Verdien må være {nb}."),
                format!("The value must be {en}."),
            );
        }
        parsed
    }
}

/// Whether a range does not end before it begins. A moment that was given as a day is the end of that day, so that it
/// must be later than the first.
fn in_order(first: &FilterValue, last: &FilterValue, whole_day: bool) -> bool {
    match (first, last) {
        (FilterValue::Date(first), FilterValue::Date(last)) => first <= last,
        (FilterValue::Integer(first), FilterValue::Integer(last)) => first <= last,
        (FilterValue::Moment(first), FilterValue::Moment(last)) => {
            first < last || (first == last && !whole_day)
        }
        _ => true,
    }
}

/// A name or value of an address as it was meant; an approximation to show if that is no text.
fn decoded(part: &str) -> Result<String, String> {
    let spaced = part.replace('+', " ");
    let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// An id with hyphens, in either case: the library reads three other spellings too.
pub(crate) fn uuid(text: &str) -> Option<Uuid> {
    const LENGTH: usize = 36;
    Uuid::try_parse(text).ok().filter(|_| text.len() == LENGTH)
}

/// All values of a header as one list; nothing if that is blank.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        .collect();
    Some(values.join(", ")).filter(|list| !list.is_empty())
}

/// A whole number in digits, after a `-` if it is below zero.
fn whole(value: &str, range: &RangeInclusive<i64>) -> Option<i64> {
    if value.starts_with('+') {
        return None;
    }
    value.parse().ok().filter(|number| range.contains(number))
}

#[cfg(test)]
mod tests;
