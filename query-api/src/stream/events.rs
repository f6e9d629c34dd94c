//! The events of a stream as text. Their names and members are part of the API.

use std::time::Duration;

use axum::response::sse::Event;
use read_model::changes::{Change, Place};
use serde::Serialize;

use super::id::written;

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The token expired.
    TokenEnded,
    /// The user's sessions were ended.
    SessionRevoked,
    /// The user may do other things than at the beginning.
    RolesChanged,
    /// The client takes too little of what it is sent.
    TooSlow,
    /// It lasted long enough: a connection that comes again is spread over the instances.
    MaxAge,
    /// The process ends.
    Shutdown,
}

impl End {
    /// All of them, for metrics.
    pub(crate) const ALL: [Self; 6] = [
        Self::TokenEnded,
        Self::SessionRevoked,
        Self::RolesChanged,
        Self::TooSlow,
        Self::MaxAge,
        Self::Shutdown,
    ];

    /// What clients and metrics read.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::TokenEnded => "token_ended",
            Self::SessionRevoked => "session_revoked",
            Self::RolesChanged => "roles_changed",
            Self::TooSlow => "too_slow",
            Self::MaxAge => "max_age",
            Self::Shutdown => "shutdown",
        }
    }
}

#[derive(Serialize)]
struct Changed<'a> {
    r#type: &'a str,
    id: uuid::Uuid,
    position: u64,
}

#[derive(Serialize)]
struct At<'a> {
    position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Ended<'a> {
    reason: &'a str,
}

/// From here on everything is told. `retry` is how long the client waits before it comes again.
pub(super) fn ready(place: Place, retry: Duration) -> Event {
    at("ready", place, None).retry(retry)
}

/// What the client has read before says nothing any more, or too much changed to tell it: it reads again.
pub(super) fn reset(place: Place, reason: &str) -> Event {
    at("reset", place, Some(reason))
}

fn at(name: &str, place: Place, reason: Option<&str>) -> Event {
    let position = place.checkpoint.position;
    data(Event::default().event(name), &At { position, reason }).id(written(place))
}

/// A row changed. With the last one up to a place, that place.
pub(super) fn changed(change: &Change, place: Option<Place>) -> Event {
    let told = Changed {
        r#type: change.of.name,
        id: change.id,
        position: change.position,
    };
    let event = data(Event::default().event("changed"), &told);
    match place {
        Some(place) => event.id(written(place)),
        None => event,
    }
}

/// Nothing changed up to there. A browser keeps the id and shows its page no event.
pub(super) fn heartbeat(place: Option<Place>) -> Event {
    let event = Event::default().comment("");
    match place {
        Some(place) => event.id(written(place)),
        None => event,
    }
}

/// The last event.
pub(super) fn ended(end: End) -> Event {
    let name = if end == End::TooSlow { "dropped" } else { "end" };
    let reason = end.reason();
    data(Event::default().event(name), &Ended { reason })
}

fn data(event: Event, value: &impl Serialize) -> Event {
    // Texts and numbers always are JSON, which has no line of its own.
    event.data(serde_json::to_string(value).unwrap_or_default())
}
