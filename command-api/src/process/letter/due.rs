//! What a letter is about and for whom, by the log as it is now.

use chrono::{DateTime, Utc};
use documents::Language;
use domain::{Letter, License, Order, Recipient, User, today};
use envelope::{Personal, Position, RecordedEvent};
use event_store::Task;
use events::{Event, OrderEvent, OrderPlaced, ReceiptIssued, ReceiptSeriesEvent, aggregate_type};
use futures_util::future::try_join_all;
use uuid::Uuid;
use vocabulary::LetterKind;

use crate::letters::Content;
use crate::process::context::ProcessContext;
use crate::process::step::StepError;

/// A letter that is due.
pub(super) struct Due {
    pub(super) letter: Letter,
    pub(super) placed: OrderPlaced,
    /// The receipt that it brings, if it brings one.
    pub(super) receipt: Option<ReceiptIssued>,
    pub(super) since: DateTime<Utc>,
}

/// Whom a letter is for.
pub(super) enum Whom {
    Known(Recipient, Language),
    /// No address is known.
    Nobody,
    /// Whom it was for is forgotten.
    Forgotten,
}

/// The letter of the task's event; none if the log has another event there, as after a restore.
pub(super) async fn due(context: &ProcessContext, task: &Task) -> Result<Option<Due>, StepError> {
    let command_handler = &context.cashier.command_handler;
    let Some(recorded) = event_at(context, task.position).await? else {
        return Ok(None);
    };
    let (mut order_id, mut receipt) = (None, None);
    for event in Event::read(&recorded)? {
        match event {
            Event::Order(OrderEvent::OrderFulfilled(_)) => order_id = Some(recorded.aggregate_id),
            Event::ReceiptSeries(ReceiptSeriesEvent::ReceiptIssued(issued)) => {
                order_id = Some(issued.order_id);
                receipt = Some(issued);
            }
            _ => {}
        }
    }
    let Some(order_id) = order_id else { return Ok(None) };
    let order = command_handler.load::<Order>(order_id).await?.aggregate;
    let Some(placed) = order.placed().cloned() else {
        return Ok(None);
    };
    let letter = Letter {
        order_id,
        order_number: placed.order_number.clone(),
        kind: receipt
            .as_ref()
            .map_or(LetterKind::License, |_| LetterKind::Receipt),
        receipt_number: receipt.as_ref().map(|receipt| receipt.receipt_number.clone()),
    };
    Ok(Some(Due {
        letter,
        placed,
        receipt,
        since: recorded.recorded_at,
    }))
}

/// Seconds since the event at this position, the oldest that a letter waits for; 0 if none waits.
pub(in crate::process) async fn age(
    context: &ProcessContext,
    oldest: Option<Position>,
) -> Result<f64, event_store::Error> {
    let Some(position) = oldest else { return Ok(0.0) };
    let event = event_at(context, position).await?;
    let waits = event.map(|event| (Utc::now() - event.recorded_at).to_std().unwrap_or_default());
    Ok(waits.unwrap_or_default().as_secs_f64())
}

/// The event at a position, if the log reaches so far.
async fn event_at(
    context: &ProcessContext,
    position: Position,
) -> Result<Option<RecordedEvent>, event_store::Error> {
    let before = Position::new(position.get().saturating_sub(1));
    let found = context
        .cashier
        .command_handler
        .log()
        .read_after(before, 1)
        .await?;
    Ok(found.into_iter().find(|event| event.position == position))
}
/// The buyer, by their contact data; else the holder of the first line.
pub(super) async fn whom(
    context: &ProcessContext,
    task: &Task,
    placed: &OrderPlaced,
) -> Result<Whom, StepError> {
    let (command_handler, buyer) = (&context.cashier.command_handler, placed.customer_id);
    let user = command_handler.load::<User>(buyer).await?.aggregate;
    let language = match user.contact().language {
        Some(vocabulary::Language::En) => Language::En,
        Some(vocabulary::Language::Nb) | None => Language::Nb,
    };
    let known = |id, address: &Personal<String>| {
        let address = address.clone();
        Whom::Known(Recipient { id, address }, language)
    };
    if let Some(email) = &user.contact().email {
        return Ok(known(buyer, email));
    }
    if is_forgotten(context, task, buyer).await? {
        return Ok(Whom::Forgotten);
    }
    let Some(first) = placed.lines.first() else {
        return Ok(Whom::Nobody);
    };
    if first.holder.name.is_erased() {
        return Ok(Whom::Forgotten);
    }
    let holder_id = || {
        first
            .holder_id
            .unwrap_or_else(|| context.holder_key.holder_id(&first.holder))
    };
    Ok(match &first.holder.email {
        Some(email) => known(holder_id(), email),
        None => Whom::Nobody,
    })
}

/// What the letter brings; nothing if all of it is revoked or forgotten.
pub(super) async fn content(
    context: &ProcessContext,
    due: &Due,
    language: Language,
) -> Result<Option<Content>, StepError> {
    if let Some(receipt) = due.receipt.clone().map(Box::new) {
        return Ok(Some(Content::Receipt { receipt, language }));
    }
    let lines = due.placed.lines.iter();
    let licenses = try_join_all(lines.map(async |line| {
        let loaded = context
            .cashier
            .command_handler
            .load::<License>(line.license_id)
            .await?;
        let issued = loaded.aggregate.issued().cloned();
        let shown = issued.filter(|issued| !loaded.aggregate.revoked() && !issued.holder.name.is_erased());
        Ok::<_, StepError>(shown.map(|issued| (line.license_id, issued)))
    }));
    let licenses: Vec<_> = licenses.await?.into_iter().flatten().collect();
    Ok((!licenses.is_empty()).then_some(Content::Licenses {
        licenses,
        issued_on: today(due.since),
        language,
    }))
}

/// Whether a person was forgotten after the event that asks for the letter. Who comes back later gets letters again.
pub(super) async fn is_forgotten(
    context: &ProcessContext,
    task: &Task,
    person: Uuid,
) -> Result<bool, StepError> {
    let log = context.cashier.command_handler.log();
    let erasures = log.load(aggregate_type::PERSON, person, 0).await?;
    Ok(erasures.iter().any(|erasure| erasure.position > task.position))
}
