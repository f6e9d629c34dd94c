//! A client of the stream.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use query_api::stream::{self, StreamOptions};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{App, DEADLINE};

/// One event as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Event {
    /// Empty for a heartbeat.
    pub(super) name: String,
    pub(super) id: Option<String>,
    pub(super) data: Value,
}

impl Event {
    fn parse(text: &str) -> Self {
        let mut event = Self::default();
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                _ => {}
            }
        }
        event
    }

    pub(super) fn is(&self, name: &str, reason: &str) -> bool {
        self.name == name && self.data["reason"] == reason
    }
}

/// An open stream.
pub(super) struct Events {
    body: Body,
    text: String,
    /// The id that a browser would come back with.
    pub(super) last_id: String,
}

impl Events {
    /// Opens a stream and reads on to its `ready`; gives what came before it.
    pub(super) async fn open(app: &App, token: &str, last_id: Option<&str>) -> (Self, Vec<Event>) {
        let mut events = Self::begin(app, token, last_id).await;
        let before = events.until(|event| event.name == "ready").await;
        (events, before)
    }

    pub(super) async fn begin(app: &App, token: &str, last_id: Option<&str>) -> Self {
        let header = last_id.map(|id| ("last-event-id", id));
        let answer = app.open("/api/v1/stream", token, header.as_slice()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        Self::of(answer.into_body())
    }

    pub(super) fn of(body: Body) -> Self {
        Self {
            body,
            text: String::new(),
            last_id: String::new(),
        }
    }

    /// The next event; nothing at the end.
    pub(super) async fn next(&mut self) -> Option<Event> {
        let end = loop {
            if let Some(end) = self.text.find("\n\n") {
                break end;
            }
            let frame = self.body.frame().await?;
            let bytes = frame.expect("a whole frame").into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&bytes).expect("text"));
        };
        let event = Event::parse(&self.text[..end]);
        self.text.drain(..end + 2);
        if let Some(id) = &event.id {
            self.last_id.clone_from(id);
        }
        Some(event)
    }

    /// Those before the one that is sought, heartbeats left out.
    pub(super) async fn until(&mut self, mut sought: impl FnMut(&Event) -> bool) -> Vec<Event> {
        let reading = async {
            let mut before = Vec::new();
            loop {
                let event = self.next().await.expect("not the end");
                if sought(&event) {
                    return before;
                }
                if !event.name.is_empty() {
                    before.push(event);
                }
            }
        };
        // Heartbeats go on for ever.
        timeout(DEADLINE, reading).await.expect("the event in time")
    }

    /// The kinds and ids of the rows that changed, up to the change of this row, which must be visible.
    pub(super) async fn changes_until(&mut self, id: &str) -> BTreeSet<(String, String)> {
        let before = self.until(|event| event.data["id"] == id).await;
        changed(&before)
    }

    /// The last event, after which nothing comes.
    pub(super) async fn last(&mut self) -> Event {
        let reading = async {
            let mut last = None;
            while let Some(event) = self.next().await {
                last = Some(event);
            }
            last.expect("an event")
        };
        timeout(DEADLINE, reading).await.expect("the end in time")
    }
}

/// The kinds and ids of rows.
pub(super) fn changed(events: &[Event]) -> BTreeSet<(String, String)> {
    let text = |event: &Event, name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
    let changed = events.iter().filter(|event| event.name == "changed");
    changed
        .map(|event| (text(event, "type"), text(event, "id")))
        .collect()
}

/// Lets the service follow with other limits, until the token is cancelled.
pub(super) fn with(app: &mut App, options: StreamOptions) -> CancellationToken {
    let stop = CancellationToken::new();
    let url = app.databases.read_reader.clone();
    let projection = app.state.reads.places.projection().clone();
    let hub = stream::follow(&url, projection, options, stop.clone()).expect("a hub");
    app.change(|state| state.changes = hub);
    stop
}
