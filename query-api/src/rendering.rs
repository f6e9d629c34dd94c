//! Makes documents away from the threads that serve requests, a few at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, header};
use axum::response::Response;
use documents::{DocumentError, Language};
use query::{AnswerPosition, Content, Parameters};
use service::problem::Problem;
use tokio::sync::Semaphore;

use crate::metrics;

/// How many are made at once. One takes some milliseconds of a core.
const AT_ONCE: usize = 2;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes documents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Renderer {
    turns: Arc<Semaphore>,
}

impl Default for Renderer {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Renderer {
    /// Makes one when it is its turn. `kind` names it in metrics.
    pub(crate) async fn render(
        &self,
        kind: &'static str,
        document: impl FnOnce() -> Result<Vec<u8>, DocumentError> + Send + 'static,
    ) -> Result<Vec<u8>, Problem> {
        let begun = Instant::now();
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let outcome = match turn {
            Ok(Ok(turn)) => {
                let made = tokio::task::spawn_blocking(move || {
                    // Held to the end, also when the request is given up.
                    let _turn = turn;
                    document()
                });
                match made.await {
                    Ok(made) => made.map_err(|error| Problem::internal(&error)),
                    Err(error) => Err(Problem::internal(&error)),
                }
            }
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(busy()),
        };
        let label = if outcome.is_ok() { "ok" } else { "failed" };
        ::metrics::histogram!(metrics::DOCUMENT_SECONDS, "kind" => kind, "outcome" => label)
            .record(begun.elapsed());
        outcome
    }
}

/// The language that `lang` asks for: Norwegian without it.
pub(crate) fn language(parameters: &mut Parameters) -> Language {
    match parameters.choice("lang", &["nb", "en"]).as_deref() {
        Some("en") => Language::En,
        _ => Language::Nb,
    }
}

/// Answers with a document that a browser shows, and saves under this name.
pub(crate) fn answer(
    kind: &'static str,
    file: &str,
    bytes: Vec<u8>,
    position: AnswerPosition,
    if_none_match: Option<&str>,
) -> Response {
    let content = Content {
        name: kind,
        cache_control: "private, no-store",
        content_type: "application/pdf",
        bytes,
    };
    let mut response = content.respond(Some(position), if_none_match);
    // Other characters would need an encoding of their own (RFC 6266).
    let safe: String = file
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    let disposition = HeaderValue::from_str(&format!("inline; filename=\"{safe}.pdf\""));
    response.headers_mut().extend(
        disposition
            .ok()
            .map(|disposition| (header::CONTENT_DISPOSITION, disposition)),
    );
    response
}

/// 503: too many documents are asked for.
pub(crate) fn busy() -> Problem {
    Problem::unavailable(
        "documents_busy",
        "Mange henter dokumenter akkurat nå. Prøv igjen om litt.",
        "Many documents are being fetched right now. Try again in a moment.",
    )
}
