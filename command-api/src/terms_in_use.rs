//! The terms that orders are checked against, kept for a moment: their texts are long, and every order needs their names.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::{Terms, terms_id};
use event_store::{CommandHandler, Error};

/// How old what is kept may be. An order accepts the version before for longer than this.
const FRESH: Duration = Duration::from_secs(1);

/// The terms, and when they were read.
type Read = (Instant, Arc<Terms>);

/// The terms as they were read last.
#[derive(Clone, Default)]
pub(crate) struct TermsInUse(Arc<Mutex<Option<Read>>>);

impl TermsInUse {
    /// The terms to check an order with that accepts `version` at `now`. A refusal is always decided by terms that are read
    /// for it: a version may have been published a moment ago.
    pub(crate) async fn read(
        &self,
        command_handler: &CommandHandler,
        version: &str,
        now: DateTime<Utc>,
    ) -> Result<Arc<Terms>, Error> {
        let kept = self.kept().filter(|terms| terms.accept(version, now).is_ok());
        if let Some(terms) = kept {
            return Ok(terms);
        }
        let read_at = Instant::now();
        let loaded = command_handler.load::<Terms>(terms_id()).await?;
        let terms = Arc::new(loaded.aggregate);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((read_at, Arc::clone(&terms)));
        Ok(terms)
    }

    fn kept(&self) -> Option<Arc<Terms>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, terms) = kept.as_ref()?;
        (read_at.elapsed() < FRESH).then(|| Arc::clone(terms))
    }
}
