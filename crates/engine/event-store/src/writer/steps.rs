//! The claims of a batch, as lists for its statement.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::Pending;
use super::statement::running;
use crate::claims::{Claim, Claims, Release};

/// One element per step: each command's releases, then what it takes.
#[derive(Default)]
pub(super) struct Steps<'a> {
    /// One element per command: the steps up to and with it.
    last: Vec<i32>,
    command: Vec<i32>,
    scope: Vec<Option<&'a str>>,
    key: Vec<Option<&'a str>>,
    holder: Vec<Uuid>,
    /// 0 to release.
    at_most: Vec<i32>,
    /// The commands whose claims are settled one after the other.
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
                let (scope, key, holder) = match release {
                    Release::One { scope, key, holder } => (Some(scope.as_str()), Some(key.as_str()), holder),
                    Release::All(holder) => (None, None, holder),
                };
                steps.push(command, scope, key, *holder, 0);
            }
            for Claim {
                scope,
                key,
                holder,
                at_most,
            } in &claims.take
            {
                let at_most = i32::try_from(*at_most).unwrap_or(i32::MAX);
                steps.push(command, Some(scope), Some(key), *holder, at_most);
            }
        }
        let in_turn = steps.settled_in_turn();
        steps.in_turn = (!in_turn.is_empty()).then_some(in_turn);
        Some(steps)
    }

    pub(super) fn binds(&self) -> [&(dyn ToSql + Sync); 7] {
        [
            &self.last,
            &self.command,
            &self.scope,
            &self.key,
            &self.holder,
            &self.at_most,
            &self.in_turn,
        ]
    }

    fn push(
        &mut self,
        command: i32,
        scope: Option<&'a str>,
        key: Option<&'a str>,
        holder: Uuid,
        at_most: i32,
    ) {
        self.command.push(command);
        self.scope.push(scope);
        self.key.push(key);
        self.holder.push(holder);
        self.at_most.push(at_most);
    }

    /// Commands whose claims may depend on another step of the batch, or that count. All others are decided together.
    fn settled_in_turn(&self) -> Vec<i32> {
        let mut commands = if self.scope.contains(&None) {
            // Which claims that releases, only the database knows.
            self.command.clone()
        } else {
            let mut found = Vec::new();
            let mut by_claim = HashMap::new();
            let claims = self.scope.iter().zip(&self.key);
            for ((claim, command), at_most) in claims.zip(&self.command).zip(&self.at_most) {
                if let Some(earlier) = by_claim.insert(claim, *command) {
                    found.extend([earlier, *command]);
                }
                if *at_most > 1 {
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
