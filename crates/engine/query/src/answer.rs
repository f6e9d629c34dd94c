//! Rows in HTTP: body, position, entity tag, and who may keep a copy.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use serde::Serialize;
use service::problem::Problem;

use crate::metrics;
use crate::outline::{OUTLINE, Outline, OutlineQuery};
use crate::page::Page;
use crate::resource::{Audience, Resource};

/// Bytes of the digest that make an entity tag: enough that two bodies never share one.
const TAG_BYTES: usize = 18;

/// The header of an answer whose rows are of another log than there is now.
const STALE: &str = "event-stale";

impl Audience {
    /// The header of an answer for it.
    pub fn cache_control(self) -> &'static str {
        match self {
            Self::Public => "public, max-age=60, stale-while-revalidate=600",
            Self::Personal => "private, no-store",
        }
    }
}

/// How long caches may keep a public answer, and how much longer they may show it while they ask for the next, in seconds.
const FRESH_S: u64 = 60;
const SHOWN_S: u64 = 600;

/// The header of a public answer that the clock changes when so much time is left: no cache shows it longer.
pub(crate) fn public_within(left: Duration) -> HeaderValue {
    let left = left.as_secs();
    let fresh = left.min(FRESH_S);
    let shown = (left - fresh).min(SHOWN_S);
    let value = match (fresh, shown) {
        (0, _) => "no-cache".to_owned(),
        (fresh, 0) => format!("public, max-age={fresh}, must-revalidate"),
        (fresh, shown) => format!("public, max-age={fresh}, stale-while-revalidate={shown}"),
    };
    // Letters and digits are valid in a header.
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("no-cache"))
}

/// What follows the rows in a list's body, without the position.
#[derive(Serialize)]
struct ListEnd {
    next_cursor: Option<String>,
    prev_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_is_estimate: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    similar: bool,
}

/// An outline's body, without the position.
#[derive(Serialize)]
struct OutlineBody<'a> {
    key: &'static str,
    days: &'a [(NaiveDate, i64)],
    total: Option<i64>,
    covered: bool,
}

/// The sealed edges of a page.
pub(crate) struct PageCursors {
    pub(crate) next: Option<String>,
    pub(crate) previous: Option<String>,
}

/// Where in the log an answer is true, and of which log.
#[derive(Clone, Copy, Debug)]
pub struct AnswerPosition {
    position: u64,
    stale: bool,
}

impl AnswerPosition {
    pub(crate) fn of(page: &Page) -> Self {
        Self {
            position: page.checkpoint.position,
            stale: page.stale,
        }
    }

    /// Of a statement of one's own.
    pub fn at(position: u64, stale: bool) -> Self {
        Self { position, stale }
    }

    /// Whether that is another log than there is now.
    pub(crate) fn is_stale(self) -> bool {
        self.stale
    }

    /// The position.
    pub fn position(self) -> u64 {
        self.position
    }

    /// Says so in the headers of an answer that caches may keep as `cache_control` says.
    pub fn mark(self, headers: &mut HeaderMap, cache_control: &'static str) {
        headers.insert("event-position", HeaderValue::from(self.position));
        // No cache keeps stale rows longer than they are kept here.
        let kept = if self.stale { "no-store" } else { cache_control };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        if self.stale {
            headers.insert(STALE, HeaderValue::from_static("true"));
        }
    }
}

/// An answer of another form than a list or a row.
#[derive(Debug)]
pub struct Content {
    /// Name in metrics.
    pub name: &'static str,
    /// Who may keep it, and how long.
    pub cache_control: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Content {
    /// Answers with it, or with 304 if the caller has it already.
    pub fn respond(self, position: Option<AnswerPosition>, if_none_match: Option<&str>) -> Response {
        let tag = tag(&self.bytes);
        respond(self, &tag, if_none_match, position)
    }

    /// Answers with a JSON object that ends with the position. The tag is of what is before it.
    pub(crate) fn positioned(self, place: AnswerPosition, if_none_match: Option<&str>) -> Response {
        let tag = self.tag();
        self.positioned_as(place, &tag, if_none_match)
    }

    /// As [`Self::positioned`], with a tag that is known.
    pub(crate) fn positioned_as(
        mut self,
        place: AnswerPosition,
        tag: &str,
        if_none_match: Option<&str>,
    ) -> Response {
        // An object ends with a brace; the position goes in before it.
        self.bytes.pop();
        self.bytes
            .extend_from_slice(format!(r#","position":{}}}"#, place.position).as_bytes());
        respond(self, tag, if_none_match, Some(place))
    }

    /// The entity tag of its bytes.
    pub(crate) fn tag(&self) -> String {
        tag(&self.bytes)
    }
}

/// Answers with the rows of a page, and the cursors of the pages beside it.
pub(crate) fn list(
    resource: &Resource,
    page: &Page,
    cursors: PageCursors,
    if_none_match: Option<&str>,
) -> Result<Response, Problem> {
    let total = page.total.map(|total| (total.rows, total.is_estimate));
    let bytes = list_body(&items(page), cursors, total, page.similar)?;
    let content = json_of(resource, resource.name, bytes);
    Ok(content.positioned(AnswerPosition::of(page), if_none_match))
}

/// The rows of a page as a JSON array.
pub(crate) fn items(page: &Page) -> Vec<u8> {
    let mut items = b"[".to_vec();
    for (index, row) in page.rows.iter().enumerate() {
        if index > 0 {
            items.push(b',');
        }
        items.extend_from_slice(row.json());
    }
    items.push(b']');
    items
}

/// A list's body before its position: items, cursors, and how many rows there are and whether that is an estimate.
pub(crate) fn list_body(
    items: &[u8],
    cursors: PageCursors,
    total: Option<(i64, bool)>,
    similar: bool,
) -> Result<Vec<u8>, Problem> {
    let end = ListEnd {
        next_cursor: cursors.next,
        prev_cursor: cursors.previous,
        total: total.map(|(rows, _)| rows),
        total_is_estimate: total.map(|(_, is_estimate)| is_estimate),
        similar,
    };
    let end = serde_json::to_vec(&end).map_err(|error| Problem::internal(&error))?;
    // An object begins with a brace.
    Ok([br#"{"items":"#, items, b",", &end[1..]].concat())
}

/// Answers with the days of a list.
pub(crate) fn outline(
    query: &OutlineQuery,
    outline: &Outline,
    if_none_match: Option<&str>,
) -> Result<Response, Problem> {
    let days = outline.days.as_deref();
    let body = OutlineBody {
        key: query.sort.name,
        days: days.unwrap_or_default(),
        total: days.map(|days| days.iter().map(|(_, rows)| rows).sum()),
        covered: days.is_some(),
    };
    let place = AnswerPosition::at(outline.checkpoint.position, outline.stale);
    let bytes = serde_json::to_vec(&body).map_err(|error| Problem::internal(&error))?;
    Ok(json_of(query.resource, OUTLINE, bytes).positioned(place, if_none_match))
}

/// Answers with the only row of a page, or 404.
pub(crate) fn one(
    resource: &Resource,
    page: &Page,
    if_none_match: Option<&str>,
) -> Result<Response, Problem> {
    let place = AnswerPosition::of(page);
    let row = page.rows.first().ok_or_else(|| not_found(place))?;
    let bytes = row.json().to_vec();
    Ok(json_of(resource, resource.name, bytes).respond(Some(place), if_none_match))
}

pub(crate) fn not_found(place: AnswerPosition) -> Problem {
    let problem = Problem::not_found().header("event-position", place.position);
    if place.stale {
        return problem.header(STALE, "true");
    }
    problem
}

pub(crate) fn json_of(resource: &Resource, name: &'static str, bytes: Vec<u8>) -> Content {
    Content {
        name,
        cache_control: resource.audience.cache_control(),
        content_type: "application/json",
        bytes,
    }
}

fn respond(
    content: Content,
    tag: &str,
    if_none_match: Option<&str>,
    position: Option<AnswerPosition>,
) -> Response {
    let unchanged = if_none_match.is_some_and(|known| matches(known, tag));
    let mut response = if unchanged {
        ::metrics::counter!(metrics::NOT_MODIFIED, "resource" => content.name).increment(1);
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content.content_type)], content.bytes).into_response()
    };
    let headers = response.headers_mut();
    if let Some(place) = position {
        place.mark(headers, content.cache_control);
    } else {
        let kept = HeaderValue::from_static(content.cache_control);
        headers.insert(header::CACHE_CONTROL, kept);
    }
    if content.cache_control.starts_with("public") {
        // The body may be encoded; and an answer that did not wait is none for who waits.
        let vary = if position.is_some() {
            "accept-encoding, min-position"
        } else {
            "accept-encoding"
        };
        headers.insert(header::VARY, HeaderValue::from_static(vary));
    }
    // Base64 is valid in a header.
    headers.extend(HeaderValue::from_str(tag).ok().map(|tag| (header::ETAG, tag)));
    response
}

/// Weak: the same rows with another position are the same to a reader.
fn tag(content: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, content);
    format!(r#"W/"{}""#, URL_SAFE_NO_PAD.encode(&digest.as_ref()[..TAG_BYTES]))
}

/// Whether an `If-None-Match` names the tag. Our tags hold no comma, so a split is enough.
pub(crate) fn matches(if_none_match: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match
        .split(',')
        .any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cache_shows_an_answer_beyond_its_end() {
        for (left_ms, expected) in [
            (0, "no-cache"),
            (999, "no-cache"),
            (1000, "public, max-age=1, must-revalidate"),
            (60_999, "public, max-age=60, must-revalidate"),
            (61_000, "public, max-age=60, stale-while-revalidate=1"),
            (3_600_000, "public, max-age=60, stale-while-revalidate=600"),
        ] {
            assert_eq!(public_within(Duration::from_millis(left_ms)), expected);
        }
        let without_end = Audience::Public.cache_control();
        assert_eq!(public_within(Duration::MAX), without_end);
    }

    #[test]
    fn tags_compare_weakly_and_in_lists() {
        let tag = tag(b"content");
        assert!(tag.starts_with("W/\"") && tag.ends_with('"'), "{tag}");
        for known in [
            tag.clone(),
            tag.replace("W/", ""),
            format!("\"x\", {tag}"),
            "*".into(),
        ] {
            assert!(matches(&known, &tag), "{known}");
        }
        for known in ["", "\"x\"", "W/\"\""] {
            assert!(!matches(known, &tag), "{known}");
        }
    }
}
