//! One look for many: while an answer is looked for, others who want the same wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::entry::Digest;

/// How far a look is.
#[derive(Debug)]
enum Outcome<T> {
    UnderWay,
    /// What it gave; nothing if others can't use it.
    Landed(Option<T>),
}

/// The request that led was given up: another has to lead.
#[derive(Debug, PartialEq)]
pub(super) struct GivenUp;

/// The looks that are under way, by what is looked for.
#[derive(Debug)]
pub(super) struct Flights<T>(Arc<Mutex<HashMap<Digest, watch::Receiver<Outcome<T>>>>>);

/// What a request does.
pub(super) enum Boarding<T> {
    /// It looks, for all.
    Leads(Flight<T>),
    /// It waits for the one that looks.
    Follows(Follower<T>),
}

/// A look under way. It ends when this is dropped, however that happens.
pub(super) struct Flight<T> {
    flights: Flights<T>,
    of: Digest,
    outcome: watch::Sender<Outcome<T>>,
}

/// Waits for a look.
pub(super) struct Follower<T>(watch::Receiver<Outcome<T>>);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Flights<T> {
    /// Leads, or follows who leads.
    pub(super) fn board(&self, of: Digest) -> Boarding<T> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = under_way.get(&of) {
            return Boarding::Follows(Follower(outcome.clone()));
        }
        let (outcome, receiver) = watch::channel(Outcome::UnderWay);
        under_way.insert(of, receiver);
        Boarding::Leads(Flight {
            flights: Self(Arc::clone(&self.0)),
            of,
            outcome,
        })
    }
}

impl<T> Flight<T> {
    /// Gives the outcome to all who wait, and to all who come until this is dropped.
    pub(super) fn land(&self, outcome: Option<T>) {
        self.outcome.send_replace(Outcome::Landed(outcome));
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        let mut under_way = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.of);
    }
}

impl<T: Clone> Follower<T> {
    /// What the look gave; nothing if it can't be used.
    pub(super) async fn landed(mut self) -> Result<Option<T>, GivenUp> {
        let landed = |outcome: &Outcome<T>| matches!(outcome, Outcome::Landed(_));
        match &*self.0.wait_for(landed).await.map_err(|_| GivenUp)? {
            Outcome::Landed(outcome) => Ok(outcome.clone()),
            Outcome::UnderWay => Err(GivenUp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(flights: &Flights<u8>, of: Digest) -> Flight<u8> {
        match flights.board(of) {
            Boarding::Leads(flight) => flight,
            Boarding::Follows(_) => panic!("another leads"),
        }
    }

    fn follows(flights: &Flights<u8>, of: Digest) -> Follower<u8> {
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
        flight.land(Some(7));
        let late = follows(&flights, [1; 32]);
        drop(flight);
        for follower in [early, late] {
            assert_eq!(follower.landed().await, Ok(Some(7)));
        }
        let next = leads(&flights, [1; 32]);
        next.land(None);
        assert_eq!(follows(&flights, [1; 32]).landed().await, Ok(None));
    }

    #[tokio::test]
    async fn a_leader_that_is_given_up_leaves_the_place_to_another() {
        let flights = Flights::default();
        let flight = leads(&flights, [1; 32]);
        let follower = follows(&flights, [1; 32]);
        drop(flight);
        assert_eq!(follower.landed().await, Err(GivenUp));
        let _next = leads(&flights, [1; 32]);
    }
}
