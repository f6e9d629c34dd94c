//! Appending to a stream at any version, for events that hold whatever happened before them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::append::{Append, Appended};
use crate::error::{AppendError, VersionConflict};
use crate::log::Log;
use crate::writer::Appender;

/// How long streams that keep growing are followed before the conflict is the caller's.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// The version of each stream of a command.
type Versions = HashMap<(String, Uuid), u64>;

impl Appender {
    /// Appends the events behind the last event of each of their streams, whatever their sequences say. The versions are
    /// read from `log`; when another command was first, its conflict names the new version, and the events go behind
    /// that one. [`AppendError::Conflict`] if streams grow faster than this for ten seconds.
    pub async fn append_at_any_version(
        &self,
        log: &Log,
        mut append: Append,
    ) -> Result<Appended, AppendError> {
        let mut versions = versions(log, &append).await?;
        let deadline = Instant::now() + GIVE_UP_AFTER;
        loop {
            renumber(&mut append, &versions);
            let conflict = match self.append(append.clone()).await {
                Err(AppendError::Conflict(conflict)) => conflict,
                decided => return decided,
            };
            // No pause: of the commands that meet, one succeeds each time.
            if Instant::now() >= deadline {
                return Err(AppendError::Conflict(conflict));
            }
            let VersionConflict {
                aggregate_type,
                aggregate_id,
                actual,
                ..
            } = conflict;
            versions.insert((aggregate_type, aggregate_id), actual);
        }
    }
}

async fn versions(log: &Log, append: &Append) -> Result<Versions, AppendError> {
    let mut versions = Versions::new();
    for event in &append.events {
        let stream = (event.aggregate_type.to_string(), event.aggregate_id);
        if let Entry::Vacant(unread) = versions.entry(stream) {
            let version = log
                .version(&event.aggregate_type, event.aggregate_id)
                .await
                .map_err(|error| AppendError::Unavailable(error.to_string()))?;
            unread.insert(version);
        }
    }
    Ok(versions)
}

fn renumber(append: &mut Append, versions: &Versions) {
    let mut last = versions.clone();
    for event in &mut append.events {
        let version = last
            .entry((event.aggregate_type.to_string(), event.aggregate_id))
            .or_default();
        *version += 1;
        event.sequence = *version;
    }
}
