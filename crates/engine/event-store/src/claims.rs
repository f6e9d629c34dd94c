//! Claims: what is unique, or limited in number, across aggregates.
//!
//! A command takes and releases claims in the transaction that records its events, so a claim is held exactly when the
//! event that says so is recorded. The decision is exact, also between processes: it is made under the head's lock.

use std::any::{Any, TypeId};
use std::sync::Arc;

use cqrs_es::Aggregate;
use serde::Deserialize;
use uuid::Uuid;

/// A claim that a command takes. A claim that its owner holds already stays unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What kind of thing is claimed, 1 to 255 characters.
    pub scope: String,
    /// The thing, 1 to 255 characters.
    pub key: String,
    /// The owner, for example an aggregate.
    pub owner: Uuid,
    /// The most owners at a time, from 1.
    pub at_most: u32,
}

impl Claim {
    /// A claim with at most one owner.
    pub fn unique(scope: impl Into<String>, key: impl Into<String>, owner: Uuid) -> Self {
        Self::counted(scope, key, owner, 1)
    }

    /// A claim with at most `at_most` owners.
    pub fn counted(scope: impl Into<String>, key: impl Into<String>, owner: Uuid, at_most: u32) -> Self {
        Self {
            scope: scope.into(),
            key: key.into(),
            owner,
            at_most,
        }
    }
}

/// What a command releases. Releasing a claim that is not held changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// One claim.
    One {
        /// What kind of thing.
        scope: String,
        /// The thing.
        key: String,
        /// The owner.
        owner: Uuid,
    },
    /// All claims of this owner.
    All(Uuid),
}

/// What a command relies on without taking it: it is refused when more owners hold the claim than it has seen. With owners
/// that only become more, it is refused exactly when another one was added since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// What kind of thing.
    pub scope: String,
    /// The thing.
    pub key: String,
    /// The most owners that may hold it.
    pub at_most: u32,
}

/// What a command releases, takes and relies on. Releases go first, guards are checked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// What it releases.
    pub release: Vec<Release>,
    /// What it takes.
    pub take: Vec<Claim>,
    /// What it relies on.
    pub guard: Vec<Guard>,
}

impl Claims {
    /// Nothing to take, to release or to rely on.
    pub const fn is_empty(&self) -> bool {
        self.release.is_empty() && self.take.is_empty() && self.guard.is_empty()
    }

    /// Adds the steps of `more` behind its own.
    pub fn extend(&mut self, more: Self) {
        self.release.extend(more.release);
        self.take.extend(more.take);
        self.guard.extend(more.guard);
    }

    /// How many steps these are.
    pub(crate) const fn steps(&self) -> usize {
        self.release.len() + self.take.len() + self.guard.len()
    }
}

/// A claim that a command could not take, or that more owners hold than it relies on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TakenClaim {
    /// What kind of thing.
    pub scope: String,
    /// The thing.
    pub key: String,
    /// The owners, by slot.
    #[serde(rename = "holders")]
    pub owners: Vec<Uuid>,
}

impl Release {
    /// Whether it frees this claim of this owner.
    pub(crate) fn frees(&self, in_scope: &str, of_key: &str, by: Uuid) -> bool {
        match self {
            Self::One { scope, key, owner } => scope == in_scope && key == of_key && *owner == by,
            Self::All(owner) => *owner == by,
        }
    }
}

type Rule<A> = Box<dyn Fn(&A, Uuid, &[<A as Aggregate>::Event]) -> Claims + Send + Sync>;

/// The claims of each aggregate type that has any.
#[derive(Clone)]
pub(crate) struct ClaimRules(Vec<(TypeId, Arc<dyn Any + Send + Sync>)>);

impl ClaimRules {
    pub(crate) const NONE: Self = Self(Vec::new());

    pub(crate) fn add<A: Aggregate + 'static>(
        &mut self,
        rule: impl Fn(&A, Uuid, &[A::Event]) -> Claims + Send + Sync + 'static,
    ) {
        let rule: Rule<A> = Box::new(rule);
        self.0.push((TypeId::of::<A>(), Arc::new(rule)));
    }

    /// The claims of these events, given the aggregate after them.
    pub(crate) fn of<A: Aggregate + 'static>(
        &self,
        aggregate: &A,
        aggregate_id: Uuid,
        events: &[A::Event],
    ) -> Claims {
        self.0
            .iter()
            .filter(|(aggregate_type, _)| *aggregate_type == TypeId::of::<A>())
            .find_map(|(_, rule)| rule.downcast_ref::<Rule<A>>())
            .map_or_else(Claims::default, |rule| rule(aggregate, aggregate_id, events))
    }
}
