//! Rows in HTTP: body, position, entity tag, and who may keep a copy.

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
}

/// Answers with the rows of a page, and the cursors of the pages beside it.
pub(crate) fn list(
    resource: &Resource,
    page: &Page,
    cursors: PageCursors,
    if_none_match: Option<&str>,
) -> Result<Response, Problem> {
    let end = ListEnd {
        next_cursor: cursors.next,
        prev_cursor: cursors.previous,
        total: page.total.map(|total| total.rows),
        total_is_estimate: page.total.map(|total| total.is_estimate),
        similar: page.similar,
    };
    let end = serde_json::to_vec(&end).map_err(|error| Problem::internal(&error))?;
    let mut bytes = br#"{"items":["#.to_vec();
    for (index, row) in page.rows.iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(row.json());
    }
    bytes.extend_from_slice(b"],");
    // An object begins with a brace.
    bytes.extend_from_slice(&end[1..]);
    let place = AnswerPosition::of(page);
    Ok(respond_placed(
        resource,
        resource.name,
        bytes,
        place,
        if_none_match,
    ))
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
    Ok(respond_placed(
        query.resource,
        OUTLINE,
        bytes,
        place,
        if_none_match,
    ))
}

/// Answers with an object, to which the position is added last: it moves with every event, and the tag is of what is before
/// it.
fn respond_placed(
    resource: &Resource,
    name: &'static str,
    mut bytes: Vec<u8>,
    place: AnswerPosition,
    if_none_match: Option<&str>,
) -> Response {
    let tag = tag(&bytes);
    // An object ends with a brace; the position goes in before it.
    bytes.pop();
    bytes.extend_from_slice(format!(r#","position":{}}}"#, place.position).as_bytes());
    let content = json_of(resource, name, bytes);
    respond(content, &tag, if_none_match, Some(place))
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

fn json_of(resource: &Resource, name: &'static str, bytes: Vec<u8>) -> Content {
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
fn matches(if_none_match: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match
        .split(',')
        .any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

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
