//! The course of one request through the places: it stays at one for all that it reads and waits for, and goes on at another
//! only when that one fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service::postgres;
use service::problem::Problem;
use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::lane::Lane;
use crate::page::Checkpoint;
use crate::parameters::MinPosition;
use crate::place::Place;
use crate::places::Places;
use crate::{failure, metrics, projection};

/// Where a request is. Cheap to clone; all clones are the same request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course(Arc<Mutex<Stay>>);

#[derive(Debug, Default)]
struct Stay {
    place: Option<Place>,
    /// How far the rows were that the request has read: it never reads older ones.
    read: u64,
    /// How far the rows were that its caller has seen. There may be a log by now that is not as long.
    seen: u64,
}

/// What a request reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) lane: Lane,
    /// The position that the rows must hold.
    pub(crate) awaited: Option<MinPosition>,
    /// Only rows that are not known to be old.
    pub(crate) freshest: bool,
    /// How long reading may take in all.
    pub(crate) patience: Duration,
    /// The name in metrics of the time that it takes, if it has one.
    pub(crate) measured_as: Option<&'static str>,
}

/// What a step has waited for.
struct Clock {
    /// When the request came.
    since: Instant,
    /// When it began to read: the rows were there.
    reading: Option<Instant>,
}

/// Why a place gave no answer.
enum Failed {
    /// Reading failed.
    Read(Error),
    /// Its rows are not those that it was chosen for.
    Behind(Problem),
    /// Another place would say the same.
    Refused(Problem),
}

impl Failed {
    fn is_of_this_copy(&self) -> bool {
        match self {
            Self::Read(error) => error.is_of_this_copy(),
            Self::Behind(_) => true,
            Self::Refused(_) => false,
        }
    }

    fn log(&self, place: &Place) {
        let reason = match self {
            Self::Read(error) => postgres::describe(error),
            Self::Behind(problem) | Self::Refused(problem) => problem.to_string(),
        };
        tracing::warn!(
            place = place.name(),
            reason,
            "a read failed, and is repeated elsewhere"
        );
    }

    fn problem(self) -> Problem {
        match self {
            Self::Read(error) => failure::problem(&error),
            Self::Behind(problem) | Self::Refused(problem) => problem,
        }
    }
}

impl Course {
    /// Of a caller who has seen the rows at a position.
    pub(crate) fn after(position: u64) -> Self {
        let course = Self::default();
        course.stay().seen = position;
        course
    }

    /// Does `work` where the request is. If that place fails, at another one, at each place once at most. `true_at` is where in the log an answer
    /// is true and whether that is another log than there is now, if the answer tells.
    pub(crate) async fn step<T, F>(
        &self,
        places: &Places,
        step: Step,
        work: impl Fn(Place) -> F,
        true_at: impl Fn(&T) -> Option<(Checkpoint, bool)>,
    ) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut clock = Clock {
            since: Instant::now(),
            reading: None,
        };
        let outcome = self.attempts(places, step, &mut clock, work, true_at).await;
        if let (Some(resource), Some(begun)) = (step.measured_as, clock.reading) {
            let label = if outcome.is_ok() { "ok" } else { "failed" };
            ::metrics::histogram!(metrics::READ_SECONDS, "resource" => resource, "outcome" => label)
                .record(begun.elapsed());
        }
        // There is always a place to begin with.
        outcome.map_err(|failed| failed.map_or_else(failure::unavailable, Failed::problem))
    }

    async fn attempts<T, F>(
        &self,
        places: &Places,
        step: Step,
        clock: &mut Clock,
        work: impl Fn(Place) -> F,
        true_at: impl Fn(&T) -> Option<(Checkpoint, bool)>,
    ) -> Result<T, Option<Failed>>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let here = self.stay().place.clone();
        let mut next = match here {
            Some(place) => Some(place),
            None => self.choose(places, step, clock.since, &[]).await,
        };
        let mut at = Vec::new();
        let mut failed = None;
        while let Some(place) = next.take() {
            at.push(place.clone());
            let attempt = self.attempt(places, &at, &place, step, clock, (&work, &true_at));
            let error = match attempt.await {
                Ok(answer) => {
                    place.answered();
                    ::metrics::counter!(metrics::READS, "place" => place.name().to_owned()).increment(1);
                    self.stay().place = Some(place);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if error.is_of_this_copy() {
                place.failed();
                next = self.choose(places, step, clock.since, &at).await;
            }
            if next.is_some() {
                ::metrics::counter!(metrics::REPEATED, "place" => place.name().to_owned()).increment(1);
                error.log(&place);
            }
            failed = Some(error);
        }
        Err(failed)
    }

    async fn choose(&self, places: &Places, step: Step, since: Instant, at: &[Place]) -> Option<Place> {
        if step.freshest {
            return places.freshest(step.lane, at);
        }
        let known = {
            let stay = self.stay();
            stay.read.max(stay.seen)
        };
        let awaited = step.awaited.map_or(known, |awaited| awaited.position.max(known));
        places.choose(step.lane, Some(awaited), since, at).await
    }

    async fn attempt<T, F>(
        &self,
        places: &Places,
        at: &[Place],
        place: &Place,
        step: Step,
        clock: &mut Clock,
        (work, true_at): (&impl Fn(Place) -> F, &impl Fn(&T) -> Option<(Checkpoint, bool)>),
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Error>>,
    {
        place.schema().pass().map_err(Failed::Behind)?;
        if let Some(MinPosition { position, name }) = step.awaited {
            let reached = place.projection().reach_since(clock.since, position, name).await;
            reached.map_err(Failed::Refused)?;
        }
        let deadline = *clock.reading.get_or_insert_with(Instant::now) + step.patience;
        let gone = async {
            if places.has_another(at) {
                place.projection().lost().await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let answer = tokio::select! {
            answer = timeout_at(deadline, work(place.clone())) => answer.unwrap_or(Err(Error::Silent)),
            () = gone => Err(Error::Silent),
        };
        let answer = answer.map_err(Failed::Read)?;
        let Some((checkpoint, stale)) = true_at(&answer) else {
            return Ok(answer);
        };
        if let Some(awaited) = step.awaited {
            reached(awaited, checkpoint, stale).map_err(Failed::Behind)?;
        }
        let read = self.stay().read;
        if checkpoint.position < read {
            return Err(Failed::Behind(projection::lagging(checkpoint.position)));
        }
        self.stay().read = checkpoint.position;
        Ok(answer)
    }

    fn stay(&self) -> MutexGuard<'_, Stay> {
        // Each change is whole, also after a panic while the lock was held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether rows that were read are as new as was asked for. A restore can have taken back what was notified before, and a
/// position of another log says nothing about the caller's write.
fn reached(awaited: MinPosition, checkpoint: Checkpoint, stale: bool) -> Result<(), Problem> {
    if checkpoint.position < awaited.position || (stale && awaited.position > 0) {
        return Err(projection::lagging(checkpoint.position));
    }
    Ok(())
}
