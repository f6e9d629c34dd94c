//! One look for many: while an answer is looked for, others who want the same wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::entry::{Digest, Entry};

/// What the look gave: an entry for everyone, or nothing that others can use.
type Outcome = Option<Entry>;

/// The looks that are under way, by what is looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<Digest, watch::Receiver<Option<Outcome>>>>>);

/// What a request does.
pub(super) enum Boarding {
    /// It looks, for all.
    Leads(Flight),
    /// It waits for the one that looks.
    Follows(Follower),
}

/// A look under way. It ends when this is dropped, however that happens.
pub(super) struct Flight {
    flights: Flights,
    of: Digest,
    outcome: watch::Sender<Option<Outcome>>,
}

/// Waits for a look.
pub(super) struct Follower(watch::Receiver<Option<Outcome>>);

impl Flights {
    /// Leads, or follows who leads.
    pub(super) fn board(&self, of: Digest) -> Boarding {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = under_way.get(&of) {
            return Boarding::Follows(Follower(outcome.clone()));
        }
        let (outcome, receiver) = watch::channel(None);
        under_way.insert(of, receiver);
        Boarding::Leads(Flight {
            flights: self.clone(),
            of,
            outcome,
        })
    }
}

impl Flight {
    /// Gives the outcome to all who wait, and to all who come until this is dropped.
    pub(super) fn land(&self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut under_way = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.of);
    }
}

impl Follower {
    /// The outcome; nothing if the request that led was given up, so that another has to lead.
    pub(super) async fn landed(mut self) -> Option<Outcome> {
        let outcome = self.0.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(answer: &str) -> Entry {
        Entry {
            changes_at: None,
            answer: answer.into(),
        }
    }

    fn leads(flights: &Flights, of: Digest) -> Flight {
        match flights.board(of) {
            Boarding::Leads(flight) => flight,
            Boarding::Follows(_) => panic!("another leads"),
        }
    }

    fn follows(flights: &Flights, of: Digest) -> Follower {
        match flights.board(of) {
            Boarding::Leads(_) => panic!("no one leads"),
            Boarding::Follows(follower) => follower,
        }
    }

    #[tokio::test]
    async fn all_who_come_before_the_end_get_the_outcome() {
        let flights = Flights::default();
        let flight = leads(&flights, [1; 32]);
        let early = follows(&flights, [1; 32]);
        let _another = leads(&flights, [2; 32]);
        flight.land(Some(entry("a")));
        let late = follows(&flights, [1; 32]);
        drop(flight);
        for follower in [early, late] {
            let outcome = follower.landed().await.flatten();
            assert_eq!(outcome.map(|entry| entry.answer.to_string()), Some("a".into()));
        }
        let next = leads(&flights, [1; 32]);
        next.land(None);
        assert!(follows(&flights, [1; 32]).landed().await.is_some_and(|outcome| outcome.is_none()));
    }

    #[tokio::test]
    async fn a_leader_that_is_given_up_leaves_the_place_to_another() {
        let flights = Flights::default();
        let flight = leads(&flights, [1; 32]);
        let follower = follows(&flights, [1; 32]);
        drop(flight);
        assert!(follower.landed().await.is_none());
        let _next = leads(&flights, [1; 32]);
    }
}
