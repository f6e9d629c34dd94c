//! `GET /api/v1/status`: what works, in words and for machines. Public, and answered from memory, so that it answers when
//! all else does not.
//!
//! A task judges several times a second what the parts of this process know, and notes since when each thing is so.

mod answer;
mod judge;
mod words;

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use query::{Parameters, Projection};
use service::extract::Json;
use service::health::Health;
use service::neighbour::Neighbour;
use service::problem::Problem;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::AppState;
use judge::{Facts, judge};

pub(crate) use answer::StatusAnswer;

/// How often what is known is judged.
const EVERY: Duration = Duration::from_millis(250);

/// A second in caches. One that cannot reach us may show the last answer for ten minutes: it says when it was true.
pub(crate) const CACHE_CONTROL: &str = "public, max-age=1, stale-if-error=600";

/// Where the parts of this process show what they know.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The checks of this process.
    pub health: Health,
    /// How far the rows are.
    pub rows: Projection,
    /// How far the rows of the reports are.
    pub reports: Projection,
    /// The program that takes commands, if its address is known.
    pub commands: Option<Neighbour>,
}

/// The latest answer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StatusBoard(watch::Receiver<StatusAnswer>);

impl StatusBoard {
    /// Judges what the sources show, now and in the background until shutdown.
    pub fn watch(sources: Sources, shutdown: CancellationToken) -> Self {
        let mut since = HashMap::new();
        let (sender, latest) = watch::channel(sources.judged(&mut since));
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                sender.send_replace(sources.judged(&mut since));
            }
        }));
        Self(latest)
    }
}

/// Since when something is so, by its name.
type Since = HashMap<&'static str, (&'static str, DateTime<Utc>)>;

impl Sources {
    fn judged(&self, since: &mut Since) -> StatusAnswer {
        let facts = Facts {
            checks: self.health.conditions(),
            rows: self.rows.progress(),
            reports: self.reports.progress(),
            commands: self.commands.as_ref().and_then(Neighbour::is_ready),
        };
        let mut answer = judge(&facts, Utc::now());
        for component in &mut answer.components {
            let status = component.status.text();
            let known = since
                .entry(component.name)
                .or_insert((status, answer.generated_at));
            if known.0 != status {
                *known = (status, answer.generated_at);
            }
            component.since = known.1;
        }
        answer
    }
}

pub(crate) async fn get_status(
    State(state): State<AppState>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.finish()?;
    let answer = state.status.0.borrow().clone();
    let mut response = Json(answer).into_response();
    let kept = HeaderValue::from_static(CACHE_CONTROL);
    response.headers_mut().insert(header::CACHE_CONTROL, kept);
    Ok(response)
}
