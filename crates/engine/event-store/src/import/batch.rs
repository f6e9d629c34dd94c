//! A part of a history as one statement.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use envelope::Position;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use crate::append::{NewEvent, Past};
use crate::check::check_sizes;
use crate::claims::{Claim, Release};
use crate::error::ImportError;
use crate::vault::{DataKey, Vault};

/// The events of some commands, their data keys, and what their claims come to.
#[derive(Default)]
pub(super) struct Batch {
    at: Vec<DateTime<Utc>>,
    metadata: Vec<String>,
    events: Vec<NewEvent>,
    /// Of each key, its event in the batch, from 1.
    keys: Vec<(i32, DataKey)>,
    claims: Net,
}

/// What claims come to after several commands: what is given up of the log's claims, and then what is held.
#[derive(Default)]
struct Net {
    released: Vec<Release>,
    /// With the last event of the command that took it, from 1.
    taken: Vec<(i32, Claim)>,
}

impl Batch {
    pub(super) fn of(
        past: Vec<Past>,
        vault: Option<&Vault>,
        max_payload_bytes: usize,
    ) -> Result<Self, ImportError> {
        let mut batch = Self::default();
        for mut command in past {
            let before = batch.events.len();
            if let Some(vault) = vault {
                let keys = vault.seal(&mut command.events);
                let keys = keys.map_err(|error| ImportError::Unstorable(error.to_string()))?;
                check_sizes(&command.events, max_payload_bytes).map_err(ImportError::Unstorable)?;
                batch
                    .keys
                    .extend(keys.into_iter().map(|key| (number(before + key.event), key)));
            }
            // Strings and numbers always serialize.
            let metadata = serde_json::to_string(&command.metadata).unwrap_or_else(|_| "{}".into());
            let events = command.events.len();
            batch.at.extend(std::iter::repeat_n(command.at, events));
            batch.metadata.extend(std::iter::repeat_n(metadata, events));
            batch.events.append(&mut command.events);
            let last = i32::try_from(batch.events.len()).unwrap_or(i32::MAX);
            batch.claims.release(command.claims.release);
            batch
                .claims
                .taken
                .extend(command.claims.take.into_iter().map(|claim| (last, claim)));
        }
        batch.claims.once();
        Ok(batch)
    }

    pub(super) const fn len(&self) -> u64 {
        self.events.len() as u64
    }

    pub(super) async fn send(
        &self,
        client: &Client,
        statement: &Statement,
        begin: Position,
        readers: &[String],
    ) -> Result<Row, tokio_postgres::Error> {
        let events = || self.events.iter();
        let aggregate_types: Vec<&str> = events().map(|event| &*event.aggregate_type).collect();
        let aggregate_ids: Vec<Uuid> = events().map(|event| event.aggregate_id).collect();
        let sequences: Vec<i64> = events()
            .map(|event| Position::new(event.sequence).to_sql())
            .collect();
        let event_types: Vec<&str> = events().map(|event| &*event.event_type).collect();
        let event_versions: Vec<&str> = events().map(|event| &*event.event_version).collect();
        let payloads: Vec<&str> = events().map(|event| event.payload.get()).collect();
        let (mut scopes, mut names, mut owners) = (Vec::new(), Vec::new(), Vec::new());
        for release in &self.claims.released {
            let (scope, key, owner) = match release {
                Release::One { scope, key, owner } => (Some(scope), Some(key), *owner),
                Release::All(owner) => (None, None, *owner),
            };
            scopes.push(scope);
            names.push(key);
            owners.push(owner);
        }
        let taken = || self.claims.taken.iter();
        let of_event: Vec<i32> = taken().map(|(event, _)| *event).collect();
        let of_scope: Vec<&str> = taken().map(|(_, claim)| claim.scope.as_str()).collect();
        let of_key: Vec<&str> = taken().map(|(_, claim)| claim.key.as_str()).collect();
        let of_owner: Vec<Uuid> = taken().map(|(_, claim)| claim.owner).collect();
        let at_most: Vec<i32> = taken()
            .map(|(_, claim)| i32::try_from(claim.at_most).unwrap_or(i32::MAX))
            .collect();
        let keys = || self.keys.iter();
        let key_events: Vec<i32> = keys().map(|(event, _)| *event).collect();
        let people: Vec<Uuid> = keys().map(|(_, key)| key.person).collect();
        let masters: Vec<&str> = keys().map(|(_, key)| &*key.master_key).collect();
        let wrapped: Vec<&[u8]> = keys().map(|(_, key)| key.wrapped.as_slice()).collect();
        let begin = begin.to_sql();
        let binds: [&(dyn ToSql + Sync); 22] = [
            &begin,
            &readers,
            &self.at,
            &aggregate_types,
            &aggregate_ids,
            &sequences,
            &event_types,
            &event_versions,
            &payloads,
            &self.metadata,
            &scopes,
            &names,
            &owners,
            &of_event,
            &of_scope,
            &of_key,
            &of_owner,
            &at_most,
            &key_events,
            &people,
            &masters,
            &wrapped,
        ];
        client.query_one(statement, &binds).await
    }
}

impl Net {
    /// What was taken before in this batch never reaches the log.
    fn release(&mut self, releases: Vec<Release>) {
        for release in &releases {
            self.taken
                .retain(|(_, claim)| !release.frees(&claim.scope, &claim.key, claim.owner));
        }
        self.released.extend(releases);
    }

    /// A claim that its owner holds already stays unchanged.
    fn once(&mut self) {
        let mut seen = HashSet::new();
        self.taken
            .retain(|(_, claim)| seen.insert((claim.scope.clone(), claim.key.clone(), claim.owner)));
    }
}

/// The number of an event, from 1.
fn number(index: usize) -> i32 {
    i32::try_from(index + 1).unwrap_or(i32::MAX)
}
