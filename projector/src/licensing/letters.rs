//! `letters`.

use envelope::{Personal, RecordedEvent};
use events::{LetterRefused, LetterSent, LetterUndeliverable, LettersEvent};
use read_model::write::LetterRow;
use read_model::{LetterKind, LetterStatus};
use serde::Deserialize;
use uuid::Uuid;

use super::slot::{create, stamp};
use crate::bounds;
use crate::misfit::Misfit;

/// The letters that an event is about.
pub(super) fn ids(event: &LettersEvent) -> Vec<Uuid> {
    match event {
        LettersEvent::LetterSent(sent) => vec![sent.letter_id],
        LettersEvent::LetterRefused(refused) => vec![refused.letter_id],
        LettersEvent::LetterUndeliverable(letter) => vec![letter.letter_id],
        LettersEvent::LetterRecipientErased(erased) => erased.letter_ids.clone(),
    }
}

/// The order that an event names. An erasure names none.
pub(super) fn order_of(recorded: &RecordedEvent) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Named {
        order_id: Uuid,
    }
    let named: Named = serde_json::from_str(recorded.payload.get()).ok()?;
    Some(named.order_id)
}

pub(super) fn apply(
    slot: &mut Option<LetterRow>,
    recorded: &RecordedEvent,
    event: LettersEvent,
) -> Result<(), Misfit> {
    match event {
        LettersEvent::LetterSent(letter) => create(slot, sent(recorded, letter)?),
        LettersEvent::LetterRefused(letter) => create(slot, refused(recorded, letter)?),
        LettersEvent::LetterUndeliverable(letter) => create(slot, undeliverable(recorded, letter)?),
        LettersEvent::LetterRecipientErased(_) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            row.recipient = None;
            row.updated_at = recorded.recorded_at;
            (row.version, row.position) = stamp(recorded);
            Ok(())
        }
    }
}

fn sent(recorded: &RecordedEvent, sent: LetterSent) -> Result<LetterRow, Misfit> {
    let about = (sent.letter_id, sent.order_id, sent.order_number);
    Ok(LetterRow {
        receipt_number: sent.receipt_number,
        recipient_id: Some(sent.recipient_id),
        recipient: shown(sent.to),
        message_id: Some(sent.message_id),
        documents: sent.documents.into(),
        ..row(recorded, about, sent.kind, LetterStatus::Sent)?
    })
}

fn refused(recorded: &RecordedEvent, refused: LetterRefused) -> Result<LetterRow, Misfit> {
    let about = (refused.letter_id, refused.order_id, refused.order_number);
    Ok(LetterRow {
        receipt_number: refused.receipt_number,
        recipient_id: Some(refused.recipient_id),
        recipient: shown(refused.to),
        message_id: Some(refused.message_id),
        smtp_code: Some(refused.smtp_code.into()),
        enhanced_status: refused.enhanced_status,
        ..row(recorded, about, refused.kind, LetterStatus::Refused)?
    })
}

fn undeliverable(recorded: &RecordedEvent, letter: LetterUndeliverable) -> Result<LetterRow, Misfit> {
    let about = (letter.letter_id, letter.order_id, letter.order_number);
    Ok(LetterRow {
        receipt_number: letter.receipt_number,
        failure: Some(letter.reason.into()),
        recipient_id: letter.recipient_id,
        recipient: letter.to.and_then(shown),
        smtp_code: letter.smtp_code.map(Into::into),
        enhanced_status: letter.enhanced_status,
        ..row(recorded, about, letter.kind, LetterStatus::Undeliverable)?
    })
}

/// An address that is forgotten is shown as none, live as in a replay.
fn shown(address: Personal<String>) -> Option<String> {
    (!address.is_erased()).then(|| address.into_exposed())
}

fn row(
    recorded: &RecordedEvent,
    (letter_id, order_id, order_number): (Uuid, Uuid, String),
    kind: LetterKind,
    status: LetterStatus,
) -> Result<LetterRow, Misfit> {
    let (version, position) = stamp(recorded);
    bounds::indexed(&order_number, "order_number")?;
    Ok(LetterRow {
        letter_id,
        order_id,
        order_number,
        kind: kind.into(),
        receipt_number: None,
        status: status.into(),
        failure: None,
        recipient_id: None,
        recipient: None,
        message_id: None,
        documents: 0,
        smtp_code: None,
        enhanced_status: None,
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    })
}
