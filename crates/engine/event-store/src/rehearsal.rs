//! What a command would meet, without giving it.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::claims::{Claim, Claims, Guard, TakenClaim};
use crate::error::Error;
use crate::log::Log;

impl Log {
    /// Which of these a command could not take or rely on now. Nothing is taken, so by the time of a command it may be
    /// otherwise.
    pub(crate) async fn would_be_taken(&self, claims: &Claims) -> Result<Vec<TakenClaim>, Error> {
        let mut keys: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let wanted = claims.take.iter().map(|claim| (&claim.scope, &claim.key));
        let guards = claims.guard.iter().map(|guard| (&guard.scope, &guard.key));
        for (scope, key) in wanted.chain(guards) {
            keys.entry(scope).or_default().push(key.clone());
        }
        let mut held = HashMap::new();
        for (scope, keys) in keys {
            let owners = self.claim_owners(scope, &keys).await?;
            held.extend(owners.into_iter().map(|(key, owners)| ((scope, key), owners)));
        }
        let owners = |scope: &str, key: &str| -> Vec<Uuid> {
            let owners = held.iter().find(|((of, named), _)| *of == scope && named == key);
            let stays = |owner: &&Uuid| {
                !claims
                    .release
                    .iter()
                    .any(|release| release.frees(scope, key, **owner))
            };
            owners.map_or_else(Vec::new, |(_, owners)| {
                owners.iter().filter(stays).copied().collect()
            })
        };
        let refused = |scope: &str, key: &str, owners| TakenClaim {
            scope: scope.to_owned(),
            key: key.to_owned(),
            owners,
        };
        let mut taken = Vec::new();
        for Claim {
            scope,
            key,
            owner,
            at_most,
        } in &claims.take
        {
            let owners = owners(scope, key);
            if !owners.contains(owner) && owners.len() >= *at_most as usize {
                taken.push(refused(scope, key, owners));
            }
        }
        for Guard { scope, key, at_most } in &claims.guard {
            let owners = owners(scope, key);
            if owners.len() > *at_most as usize {
                taken.push(refused(scope, key, owners));
            }
        }
        Ok(taken)
    }
}
