//! The query string, taken apart by the operation that knows what it may hold.
//!
//! Each operation asks for its parameters by name and type. What is left over is unknown and refused, since a
//! mistyped filter that is ignored shows rows that were not asked for. All that is wrong is said at once.

use std::{collections::BTreeMap, convert::Infallible, ops::RangeInclusive};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use chrono::{DateTime, Days, NaiveDate, Utc};
use service::problem::Problem;
use uuid::Uuid;

use crate::dates::{date, midnight};

/// The longest text that is searched for or compared with.
const MAX_TEXT_CHARS: usize = 100;
/// The longest parameter name that is repeated in an answer.
const MAX_NAME_CHARS: usize = 64;

/// Code and texts of a problem.
type Kind = (&'static str, &'static str, &'static str);

/// Refusals with a problem of their own, worst first.
const KINDS: [Kind; 2] = [
    (
        "unknown_parameter",
        "Et parameter i adressen er ukjent.",
        "A parameter in the address is unknown.",
    ),
    ("unknown_field", "Et felt finnes ikke.", "A field does not exist."),
];
/// All others.
const INVALID: Kind = (
    "invalid_parameter",
    "Et parameter i adressen er ugyldig.",
    "A parameter in the address is not valid.",
);

/// What a request asks for, not yet looked at.
#[derive(Debug)]
pub(crate) struct Parameters {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
    refusals: Vec<Refusal>,
    min_position: Option<String>,
    if_none_match: Option<String>,
}

/// What is wrong with one parameter.
#[derive(Debug)]
struct Refusal {
    name: String,
    code: &'static str,
    message_nb: String,
    message_en: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::new(parts.uri.query().unwrap_or_default(), &parts.headers))
    }
}

impl Parameters {
    fn new(query: &str, headers: &HeaderMap) -> Self {
        let text = |name| Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned());
        let mut parameters = Self {
            given: BTreeMap::new(),
            known: Vec::new(),
            refusals: Vec::new(),
            min_position: text(header::HeaderName::from_static("min-position")),
            if_none_match: text(header::IF_NONE_MATCH),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters
                .given
                .insert(name.clone().into_owned(), value.into_owned())
                .is_some()
            {
                parameters.refuse(
                    &name,
                    "duplicate_parameter",
                    "Parameteret er gitt flere ganger.",
                    "The parameter is given more than once.",
                );
            }
        }
        parameters
    }

    /// The `If-None-Match` header.
    pub(crate) fn if_none_match(&self) -> Option<String> {
        self.if_none_match.clone()
    }

    /// `min_position`, or the `Min-Position` header.
    pub(crate) fn min_position(&mut self) -> Option<u64> {
        let header = self.min_position.take();
        let (name, value) = match self.take("min_position") {
            Some(value) => ("min_position", value),
            None => ("Min-Position", header?),
        };
        let parsed = value
            .parse()
            .ok()
            .filter(|position| i64::try_from(*position).is_ok());
        self.parsed(
            name,
            parsed,
            "invalid_number",
            "et helt tall fra 0",
            "a whole number from 0",
        )
    }

    /// A text without control characters, at most 100 characters long; nothing if it is blank.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.take(name)?;
        let fits = value.chars().count() <= MAX_TEXT_CHARS && !value.contains(char::is_control);
        let text = self.parsed(
            name,
            fits.then_some(value),
            "invalid_text",
            "en tekst på høyst 100 tegn",
            "a text of at most 100 characters",
        )?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// One of a fixed list.
    pub(crate) fn choice(&mut self, name: &'static str, choices: &[&str]) -> Option<String> {
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
    pub(crate) fn uuid(&mut self, name: &'static str) -> Option<Uuid> {
        let value = self.take(name)?;
        self.parsed(
            name,
            Uuid::try_parse(&value).ok(),
            "invalid_uuid",
            "en UUID",
            "a UUID",
        )
    }

    /// A date, `YYYY-MM-DD`.
    pub(crate) fn date(&mut self, name: &'static str) -> Option<NaiveDate> {
        let value = self.take(name)?;
        self.parsed(
            name,
            date(&value),
            "invalid_date",
            "en dato (ÅÅÅÅ-MM-DD)",
            "a date (YYYY-MM-DD)",
        )
    }

    /// A moment, or the beginning of a date in Norway.
    pub(crate) fn moment_from(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        self.moment(name, midnight)
    }

    /// A moment, or the end of a date in Norway.
    pub(crate) fn moment_before(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        self.moment(name, |date| midnight(date.checked_add_days(Days::new(1))?))
    }

    /// A whole number within a range.
    pub(crate) fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.take(name)?;
        let (least, most) = (*range.start(), *range.end());
        let parsed = value.parse().ok().filter(|number| range.contains(number));
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

    /// A parameter as it stands.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name)
    }

    /// Notes that a parameter is wrong.
    pub(crate) fn refuse(
        &mut self,
        name: &str,
        code: &'static str,
        nb: impl Into<String>,
        en: impl Into<String>,
    ) {
        let name = name.chars().take(MAX_NAME_CHARS).collect();
        self.refusals.push(Refusal {
            name,
            code,
            message_nb: nb.into(),
            message_en: en.into(),
        });
    }

    /// All that was wrong, what was never asked for included.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.given).into_keys() {
            self.refuse(
                &name,
                "unknown_parameter",
                "Parameteret er ukjent.",
                "The parameter is unknown.",
            );
        }
        if self.refusals.is_empty() {
            return Ok(());
        }
        // The code says the worst: what a caller got wrong in its code, before what a person got wrong in a value.
        let has = |code| self.refusals.iter().any(|refusal| refusal.code == code);
        let worst = KINDS.iter().find(|(code, ..)| has(*code)).unwrap_or(&INVALID);
        let &(code, message_nb, message_en) = worst;
        let mut problem = Problem::new(StatusCode::BAD_REQUEST, code, message_nb, message_en);
        if code == "unknown_parameter" {
            problem = problem.detail(format!("allowed parameters: {}", self.known.join(", ")));
        }
        for Refusal {
            name,
            code,
            message_nb,
            message_en,
        } in self.refusals
        {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            problem = problem.field(pointer, code, message_nb, message_en);
        }
        Err(problem)
    }

    fn moment(
        &mut self,
        name: &'static str,
        of_date: fn(NaiveDate) -> Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        let value = self.take(name)?;
        let exact = || {
            DateTime::parse_from_rfc3339(&value)
                .ok()
                .map(|moment| moment.to_utc())
        };
        let parsed = date(&value).map_or_else(exact, of_date);
        self.parsed(
            name,
            parsed,
            "invalid_moment",
            "en dato (ÅÅÅÅ-MM-DD) eller et tidspunkt (RFC 3339)",
            "a date (YYYY-MM-DD) or a timestamp (RFC 3339)",
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

#[cfg(test)]
mod tests;
