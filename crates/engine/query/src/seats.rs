//! How many expensive requests one reader may have under way at once, so that one reader never takes the whole lane.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{failure, metrics};

/// How long a request waits until one of the reader's others is done. A page may ask for several things at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The seats of all readers. Cheap to clone; all clones share them.
#[derive(Clone, Debug)]
pub struct Seats {
    each: usize,
    readers: Arc<Mutex<Readers>>,
}

type Readers = HashMap<Uuid, Arc<Semaphore>>;

impl Seats {
    /// This number for each reader.
    pub fn new(each: usize) -> Self {
        Self {
            each,
            readers: Arc::default(),
        }
    }

    /// A seat for this reader; 429 if none gets free soon.
    pub(crate) async fn take(&self, reader: Uuid) -> Result<Seat, Problem> {
        let turns = Arc::clone(
            self.readers()
                .entry(reader)
                .or_insert_with(|| Arc::new(Semaphore::new(self.each))),
        );
        let mut seat = Seat {
            seats: self.clone(),
            reader,
            permit: None,
        };
        // The semaphore is never closed.
        if let Ok(Ok(permit)) = timeout(PATIENCE, turns.acquire_owned()).await {
            seat.permit = Some(permit);
            return Ok(seat);
        }
        ::metrics::counter!(metrics::REFUSED_AT_ONCE).increment(1);
        Err(failure::too_many_at_once())
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        // Each change is whole, also after a panic while the lock was held.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A seat, or the wait for one. Given back when dropped.
pub(crate) struct Seat {
    seats: Seats,
    reader: Uuid,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Seat {
    /// The last one of a reader forgets the reader.
    fn drop(&mut self) {
        let mut readers = self.seats.readers();
        self.permit = None;
        let is_last = readers
            .get(&self.reader)
            .is_some_and(|turns| Arc::strong_count(turns) == 1);
        if is_last {
            readers.remove(&self.reader);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reader_has_some_seats_and_no_more_and_is_forgotten_afterwards() {
        let seats = Seats::new(2);
        let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = seats.take(me).await.unwrap();
        let second = seats.take(me).await.unwrap();
        let refused = seats.take(me).await.err().unwrap();
        assert_eq!(
            (refused.status().as_u16(), refused.code()),
            (429, "too_many_at_once")
        );
        let others = seats.take(other).await.unwrap();
        drop(first);
        let again = seats.take(me).await.unwrap();
        drop((second, again, others));
        assert!(seats.readers().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_gets_the_seat_of_one_that_is_done() {
        let seats = Seats::new(1);
        let me = Uuid::from_u128(1);
        let first = seats.take(me).await.unwrap();
        let (second, ()) = tokio::join!(seats.take(me), async { drop(first) });
        drop(second.unwrap());
        assert!(seats.readers().is_empty());
    }
}
