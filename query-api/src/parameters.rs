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
            if let Some(twice) = parameters
                .given
                .insert(name.clone().into_owned(), value.into_owned())
            {
                drop(twice);
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
        let mut problem = if has("unknown_parameter") {
            bad_request(
                "unknown_parameter",
                "Et parameter i adressen er ukjent.",
                "A parameter in the address is unknown.",
            )
            .detail(format!("allowed parameters: {}", self.known.join(", ")))
        } else if has("unknown_field") {
            bad_request("unknown_field", "Et felt finnes ikke.", "A field does not exist.")
        } else {
            bad_request(
                "invalid_parameter",
                "Et parameter i adressen er ugyldig.",
                "A parameter in the address is not valid.",
            )
        };
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

fn bad_request(code: &'static str, nb: &'static str, en: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, nb, en)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Parameters {
        Parameters::new(query, &HeaderMap::new())
    }

    #[test]
    fn a_date_is_a_whole_day_in_norway() {
        let mut parameters =
            parameters("from=2026-03-29&to=2026-03-29&exact=2026-01-01T00%3A00%3A00.5%2B01%3A00");
        assert_eq!(
            parameters.moment_from("from").unwrap().to_rfc3339(),
            "2026-03-28T23:00:00+00:00"
        );
        let to = parameters.moment_before("to").unwrap();
        assert_eq!(
            to.to_rfc3339(),
            "2026-03-29T22:00:00+00:00",
            "an hour was skipped that day"
        );
        let exact = parameters.moment_before("exact").unwrap();
        assert_eq!(exact.to_rfc3339(), "2025-12-31T23:00:00.500+00:00");
        parameters.finish().unwrap();
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut parameters = parameters("limit=x&limit=2&sta~tus=a&id=7&text=a%00b");
        assert_eq!(parameters.integer("limit", 1..=9), Some(2));
        assert_eq!((parameters.uuid("id"), parameters.text("text")), (None, None));
        let problem = parameters.finish().unwrap_err();
        assert_eq!(problem.code(), "unknown_parameter");
        let shown = format!("{problem:?}");
        for part in [
            "\"/limit\"",
            "\"/sta~0tus\"",
            "\"/id\"",
            "\"/text\"",
            "limit, id, text",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn the_worst_refusal_names_the_problem() {
        let mut parameters = parameters("a=x");
        assert_eq!(parameters.boolean("a"), None);
        assert_eq!(parameters.finish().unwrap_err().code(), "invalid_parameter");
    }
}
