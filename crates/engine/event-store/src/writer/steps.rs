//! The claims of a batch, as lists for its statement.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::pending::Pending;
use crate::claims::{Claim, Claims, Guard, Release};

/// One element per step: each command's releases, then what it takes, then what it relies on.
#[derive(Default)]
pub(super) struct Steps<'a> {
    /// One element per command: the steps up to and with it.
    last: Vec<i32>,
    command: Vec<i32>,
    scope: Vec<Option<&'a str>>,
    key: Vec<Option<&'a str>>,
    owner: Vec<Uuid>,
    /// 0 to release; negative for a guard, which minus as many owners refuse.
    at_most: Vec<i32>,
    /// The commands whose claims are decided one after the other.
    in_turn: Option<Vec<i32>>,
}

impl<'a> Steps<'a> {
    /// `None` if no command of the batch takes or releases anything.
    pub(super) fn of(batch: &'a [Pending]) -> Option<Self> {
        let claims = || batch.iter().map(|pending| &pending.append.claims);
        if claims().all(Claims::is_empty) {
            return None;
        }
        let mut steps = Self {
            last: running(claims().map(Claims::steps)),
            ..Self::default()
        };
        for (command, claims) in (1..).zip(claims()) {
            for release in &claims.release {
                let (scope, key, owner) = match release {
                    Release::One { scope, key, owner } => (Some(scope.as_str()), Some(key.as_str()), owner),
                    Release::All(owner) => (None, None, owner),
                };
                steps.push(command, scope, key, *owner, 0);
            }
            for Claim {
                scope,
                key,
                owner,
                at_most,
            } in &claims.take
            {
                let at_most = i32::try_from(*at_most).unwrap_or(i32::MAX);
                steps.push(command, Some(scope), Some(key), *owner, at_most);
            }
            for Guard { scope, key, at_most } in &claims.guard {
                let at_most = i32::try_from(*at_most).map_or(i32::MIN, |most| -1 - most);
                steps.push(command, Some(scope), Some(key), Uuid::nil(), at_most);
            }
        }
        let in_turn = steps.decided_in_turn();
        steps.in_turn = (!in_turn.is_empty()).then_some(in_turn);
        Some(steps)
    }

    /// What is bound for a batch without steps.
    pub(super) const NO_BINDS: [&'static (dyn ToSql + Sync); 7] = [
        &None::<Vec<i32>>,
        &None::<Vec<i32>>,
        &None::<Vec<String>>,
        &None::<Vec<String>>,
        &None::<Vec<Uuid>>,
        &None::<Vec<i32>>,
        &None::<Vec<i32>>,
    ];

    pub(super) fn binds(&self) -> [&(dyn ToSql + Sync); 7] {
        [
            &self.last,
            &self.command,
            &self.scope,
            &self.key,
            &self.owner,
            &self.at_most,
            &self.in_turn,
        ]
    }

    fn push(
        &mut self,
        command: i32,
        scope: Option<&'a str>,
        key: Option<&'a str>,
        owner: Uuid,
        at_most: i32,
    ) {
        self.command.push(command);
        self.scope.push(scope);
        self.key.push(key);
        self.owner.push(owner);
        self.at_most.push(at_most);
    }

    /// Commands whose claims depend on another step of the batch, are counted, or are guarded. All other claims are decided
    /// together.
    fn decided_in_turn(&self) -> Vec<i32> {
        let mut commands = if self.scope.contains(&None) {
            // Only the database knows which claims such a release concerns.
            self.command.clone()
        } else {
            let mut found = Vec::new();
            let mut by_claim = HashMap::new();
            let claims = self.scope.iter().zip(&self.key);
            for ((claim, command), at_most) in claims.zip(&self.command).zip(&self.at_most) {
                if let Some(earlier) = by_claim.insert(claim, *command) {
                    found.extend([earlier, *command]);
                }
                if !(0..=1).contains(at_most) {
                    found.push(*command);
                }
            }
            found
        };
        commands.sort_unstable();
        commands.dedup();
        commands
    }
}

/// For each count, the sum up to and including it.
pub(super) fn running(counts: impl Iterator<Item = usize>) -> Vec<i32> {
    counts
        .scan(0, |sum, count| {
            *sum += i32::try_from(count).unwrap_or(i32::MAX);
            Some(*sum)
        })
        .collect()
}
