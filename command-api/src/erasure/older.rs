//! Holders in events that are older than sealing: where they are is noted once, so that they can be erased as all others.

use anyhow::Context as _;
use domain::HolderKey;
use envelope::{Metadata, Position, RecordedEvent};
use event_store::vault::{ClearData, Held, is_clear};
use event_store::{Append, Appender, Claims, CommandHandler, IdempotencyKey};
use events::{Event, Holder, LicenseEvent, OrderEvent};
use futures_util::TryStreamExt as _;
use uuid::Uuid;

/// Under which keys the log remembers what was done once.
const ONCE: &str = "personal-data";
/// Rows noted in one statement.
const BATCH: usize = 1_000;

/// Notes, once, in which orders and licenses a holder's data is in clear. Begun again after a crash, it changes nothing that
/// is noted.
pub(crate) async fn note_older_holders(
    command_handler: &CommandHandler,
    appender: &Appender,
    key: &HolderKey,
) -> anyhow::Result<()> {
    let log = command_handler.log();
    if log.outcome(ONCE, "older-holders").await?.is_some() {
        return Ok(());
    }
    let (mut clear, mut noted) = (Vec::new(), 0);
    let mut events = std::pin::pin!(log.events_of_types(&["OrderPlaced", "LicenseIssued"], Position::START));
    while let Some(recorded) = events.try_next().await? {
        if !is_clear(recorded.payload.get()) {
            continue;
        }
        for person in people(&recorded, key)? {
            clear.push(ClearData {
                held: Held {
                    aggregate_type: recorded.aggregate_type.clone(),
                    aggregate_id: recorded.aggregate_id,
                },
                person,
                position: recorded.position,
            });
        }
        if clear.len() >= BATCH {
            log.note_clear(&clear).await?;
            noted += clear.len();
            clear.clear();
            tracing::info!(noted, "noting where holders of older orders are");
        }
    }
    log.note_clear(&clear).await?;
    noted += clear.len();
    let done = Append {
        key: IdempotencyKey::new(ONCE, "older-holders", "done"),
        response: "{}".into(),
        events: Vec::new(),
        claims: Claims::default(),
        metadata: Metadata::default(),
    };
    appender
        .append(done)
        .await
        .context("where older holders are was not remembered as noted")?;
    tracing::info!(noted, "where holders of older orders are is noted");
    Ok(())
}

fn people(recorded: &RecordedEvent, key: &HolderKey) -> Result<Vec<Uuid>, envelope::DecodeError> {
    let person = |known: Option<Uuid>, holder: &Holder| known.unwrap_or_else(|| key.holder_id(holder));
    let mut people = Vec::new();
    for event in Event::read(recorded)? {
        match event {
            Event::Order(OrderEvent::OrderPlaced(placed)) => {
                let lines = placed.lines.iter();
                people.extend(lines.map(|line| person(line.holder_id, &line.holder)));
            }
            Event::License(LicenseEvent::LicenseIssued(issued)) => {
                people.push(person(issued.holder_id, &issued.holder));
            }
            _ => {}
        }
    }
    people.sort_unstable();
    people.dedup();
    Ok(people)
}
