//! Loads an aggregate from its stored events, beginning with a snapshot where there is one.

use std::sync::Arc;

use cqrs_es::Aggregate;
use envelope::{EventPayload, Position, Run};
use metrics::counter;
use uuid::Uuid;

use crate::error::Error;
use crate::loader::Loader;
use crate::metrics::SNAPSHOTS_TOTAL;
use crate::page::Ask;
use crate::vault::Vault;

/// The state of an aggregate after its events.
#[derive(Clone, Debug)]
pub struct Loaded<A> {
    /// Its state.
    pub aggregate: A,
    /// Its version: the sequence of its last event, 0 if it has none.
    pub version: u64,
    /// The conversation that its first event began or belongs to.
    pub correlation_id: Option<String>,
}

/// A loaded aggregate, and what a snapshot of it needs.
pub(crate) struct Replayed<A> {
    pub(crate) loaded: Loaded<A>,
    /// Sequence of the snapshot that the load began with; 0 without one.
    pub(crate) snapshot_at: u64,
    /// The log's epoch, if it was read.
    pub(crate) epoch: Option<Uuid>,
    /// The end of the log, if it was read.
    pub(crate) head: Option<Position>,
}

impl<A: Default> Default for Replayed<A> {
    fn default() -> Self {
        Self {
            loaded: Loaded {
                aggregate: A::default(),
                version: 0,
                correlation_id: None,
            },
            snapshot_at: 0,
            epoch: None,
            head: None,
        }
    }
}

/// Loads the aggregate, beginning with a snapshot of this shape if a shape is given and a snapshot usable.
pub(crate) async fn replay<A>(
    loader: &Loader,
    vault: Option<&Vault>,
    shape: Option<&Arc<str>>,
    aggregate_id: Uuid,
) -> Result<Replayed<A>, Error>
where
    A: Aggregate,
    A::Event: EventPayload,
{
    if let Some(replayed) = pages(loader, vault, shape.map(Arc::clone), aggregate_id).await? {
        return Ok(replayed);
    }
    let replayed = pages(loader, vault, None, aggregate_id).await?;
    replayed.ok_or_else(|| Error::Broken("the database sent a snapshot without being asked".into()))
}

/// Page by page. `None` if there was a snapshot that can't be read.
async fn pages<A>(
    loader: &Loader,
    vault: Option<&Vault>,
    mut shape: Option<Arc<str>>,
    aggregate_id: Uuid,
) -> Result<Option<Replayed<A>>, Error>
where
    A: Aggregate,
    A::Event: EventPayload,
{
    let (mut replayed, mut run) = (Replayed::<A>::default(), Run::<A::Event>::default());
    loop {
        let Replayed {
            loaded,
            snapshot_at,
            epoch,
            head,
        } = &mut replayed;
        let ask = Ask {
            aggregate_type: A::TYPE,
            aggregate_id,
            after: loaded.version,
            shape: shape.take(),
        };
        let page = loader.page(ask).await?;
        // The first page's: if another epoch begins between pages, no snapshot of the mixture will be used.
        epoch.get_or_insert(page.epoch()?);
        *head = Some(page.head()?);
        if let Some(snapshot) = page.snapshot()? {
            let Ok(aggregate) = serde_json::from_str(snapshot.state) else {
                counter!(SNAPSHOTS_TOTAL, "outcome" => "unreadable").increment(1);
                return Ok(None);
            };
            counter!(SNAPSHOTS_TOTAL, "outcome" => "used").increment(1);
            *loaded = Loaded {
                aggregate,
                version: snapshot.sequence,
                correlation_id: snapshot.correlation_id.map(str::to_owned),
            };
            *snapshot_at = snapshot.sequence;
        }
        let (events, more) = page.events(vault)?;
        for event in events {
            run.push(event.facts, |event| loaded.aggregate.apply(event))?;
            loaded.version = event.sequence;
            if event.sequence == 1 {
                loaded.correlation_id = event.correlation_id.map(str::to_owned);
            }
        }
        if !more {
            run.finish(|event| loaded.aggregate.apply(event))?;
            return Ok(Some(replayed));
        }
    }
}
