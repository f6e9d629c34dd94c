//! Reads a page or a row and says it in HTTP: body, position, entity tag and who may keep a copy.

use aws_lc_rs::digest;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use read_model::{Conditions, Page, PageQuery, Record};
use serde::Serialize;
use service::auth::Principal;
use service::problem::Problem;

use crate::cursor::{self, Binding, Cursor};
use crate::parameters::MinPosition;
use crate::view::{ListView, View};
use crate::{AppState, metrics, projection};

/// Bytes of the digest that make an entity tag: enough that two bodies never share one.
const TAG_BYTES: usize = 18;

/// The header of an answer whose rows are of an earlier life of the log than there is now.
const STALE: &str = "event-stale";

/// Who an answer is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience<'a> {
    /// Everyone, so caches may keep and share it.
    Public,
    /// The caller alone.
    Personal(&'a Principal),
}

impl Audience<'_> {
    fn cache_control(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Public => "public, max-age=60, stale-while-revalidate=600",
            Self::Personal(_) => "private, no-store",
        })
    }
}

/// A list's body. The position is added last: it moves with every event, and the tag is of what is before it.
#[derive(Serialize)]
struct ListBody<'a> {
    items: &'a [Record],
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
}

/// Where in the log an answer is true, and of which log.
#[derive(Clone, Copy)]
struct AnswerPosition {
    position: u64,
    stale: bool,
}

impl AnswerPosition {
    fn of(page: &Page) -> Self {
        Self {
            position: page.checkpoint.position,
            stale: page.stale,
        }
    }

    fn not_found(self) -> Problem {
        let problem = Problem::not_found().header("event-position", self.position);
        if self.stale {
            return problem.header(STALE, "true");
        }
        problem
    }
}

/// Answers with a page of the rows that satisfy `conditions`, which are those of `filter`.
pub(crate) async fn list<F: Serialize>(
    state: &AppState,
    list: ListView,
    filter: &F,
    conditions: Conditions,
    audience: Audience<'_>,
) -> Result<Response, Problem> {
    let ListView {
        view,
        sort,
        direction,
        limit,
        count,
        cursor,
    } = list;
    let View {
        resource,
        columns,
        min_position,
        if_none_match,
    } = view;
    let reader = match audience {
        Audience::Public => None,
        Audience::Personal(principal) => Some(principal.user_id),
    };
    let binding = Binding::new(resource, sort, direction, filter, reader);
    let from = cursor
        .map(|sealed| state.cursors.open(&sealed, &binding))
        .transpose()?;
    let (after, epoch) = from.map(|Cursor { place, epoch }| (place, epoch)).unzip();
    let query = PageQuery {
        resource,
        columns,
        conditions,
        sort,
        direction,
        after,
        limit,
        count,
    };
    let page = read(state, query, min_position).await?;
    if epoch.is_some_and(|epoch| epoch != page.checkpoint.epoch) {
        return Err(cursor::invalid());
    }
    let seal = |place: &read_model::PagePosition| {
        state.cursors.seal(
            &Cursor {
                place: place.clone(),
                epoch: page.checkpoint.epoch,
            },
            &binding,
        )
    };
    let next_cursor = page
        .next
        .as_ref()
        .map(seal)
        .transpose()
        .map_err(|error| Problem::internal(&error))?;
    let body = ListBody {
        items: &page.rows,
        next_cursor,
        total: page.total,
    };
    let mut bytes = serde_json::to_vec(&body).map_err(|error| Problem::internal(&error))?;
    let tag = tag(&bytes);
    // An object ends with a brace; the position goes in before it.
    bytes.pop();
    bytes.extend_from_slice(format!(r#","position":{}}}"#, page.checkpoint.position).as_bytes());
    Ok(respond(
        resource.name,
        bytes,
        &tag,
        if_none_match.as_deref(),
        AnswerPosition::of(&page),
        audience,
    ))
}

/// Answers with the only row that satisfies `conditions`, or 404.
pub(crate) async fn one(
    state: &AppState,
    view: View,
    conditions: Conditions,
    audience: Audience<'_>,
) -> Result<Response, Problem> {
    let View {
        resource,
        columns,
        min_position,
        if_none_match,
    } = view;
    let query = PageQuery {
        resource,
        columns,
        conditions,
        sort: &resource.sorts[0],
        direction: resource.default_direction,
        after: None,
        limit: 1,
        count: false,
    };
    let page = read(state, query, min_position).await?;
    let place = AnswerPosition::of(&page);
    let row = page.rows.first().ok_or_else(|| place.not_found())?;
    let bytes = serde_json::to_vec(row).map_err(|error| Problem::internal(&error))?;
    let tag = tag(&bytes);
    Ok(respond(
        resource.name,
        bytes,
        &tag,
        if_none_match.as_deref(),
        place,
        audience,
    ))
}

/// Reads when the rows are new enough.
async fn read(
    state: &AppState,
    query: PageQuery,
    min_position: Option<MinPosition>,
) -> Result<Page, Problem> {
    let Some(awaited) = min_position else {
        return state.read(query).await;
    };
    state.projection.reach(awaited.position, awaited.name).await?;
    let page = state.read(query).await?;
    // What was notified can have been rolled back to before, by a restore, when we read.
    // And a position of another log says nothing about the caller's write.
    if page.checkpoint.position < awaited.position || (page.stale && awaited.position > 0) {
        return Err(projection::lagging(page.checkpoint.position));
    }
    Ok(page)
}

fn respond(
    resource: &'static str,
    body: Vec<u8>,
    tag: &str,
    if_none_match: Option<&str>,
    place: AnswerPosition,
    audience: Audience<'_>,
) -> Response {
    let unchanged = if_none_match.is_some_and(|known| matches(known, tag));
    let mut response = if unchanged {
        ::metrics::counter!(metrics::NOT_MODIFIED, "resource" => resource).increment(1);
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, audience.cache_control());
    headers.insert("event-position", HeaderValue::from(place.position));
    if place.stale {
        headers.insert(STALE, HeaderValue::from_static("true"));
        // Nobody keeps it longer than the rows are kept.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
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
