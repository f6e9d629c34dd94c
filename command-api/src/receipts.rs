//! Gives receipts their numbers: follows the log and issues what each order's money asks for, in the order of the log.
//!
//! The leader runs it. Nothing depends on there being one: a series refuses a second number for an event by itself, so a
//! former leader that still runs issues nothing twice. The place where it continues is in the series, too, so it commits
//! with the numbers.

use std::time::Duration;

use chrono::Utc;
use cqrs_es::Aggregate as _;
use domain::{
    DueReceipt, Order, ReceiptSeries, ReceiptSeriesCommand, Refusal, due_receipts, moved_ore,
    receipt_series_id, receipt_year,
};
use envelope::{Facts, Position, RecordedEvent, Run};
use event_store::{
    Claim, Claims, CommandError, CommandHandler, CommandRequest, IdempotencyKey, Log, LogSubscription,
    SubscriptionError,
};
use events::{Event, OrderEvent, ReceiptSeriesEvent, aggregate_type};
use metrics::{counter, gauge};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vocabulary::{ReceiptKind, Word as _};

use crate::metrics::{RECEIPTS_POSITION, RECEIPTS_TOTAL};
use crate::process::reconcile::metadata;

/// Under which scope the log remembers where an order's first receipt is.
const SCOPE: &str = "receipt";
/// How many events are read at a time.
const BATCH: u32 = 500;
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Why no receipts are issued for now.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the log can't be followed: {0}")]
    Subscription(#[from] SubscriptionError),
    #[error("the log can't be read: {0}")]
    Log(#[from] event_store::Error),
    #[error("a receipt can't be recorded: {0}")]
    Command(#[from] CommandError<Refusal>),
    #[error("an event of an order can't be read: {0}")]
    Unreadable(#[from] envelope::DecodeError),
}

/// Every receipt leaves its place under its order, so that a credit note can name the receipt that it corrects.
pub(crate) fn claiming(command_handler: CommandHandler) -> CommandHandler {
    command_handler.claiming::<ReceiptSeries>(|_, _, events| Claims {
        take: events
            .iter()
            .map(|ReceiptSeriesEvent::ReceiptIssued(issued)| issued)
            .filter(|issued| issued.kind == ReceiptKind::Receipt)
            .map(|issued| Claim::unique(SCOPE, issued.order_id.to_string(), issued.order_id))
            .collect(),
        ..Claims::default()
    })
}

/// Issues receipts until `term` ends.
pub(crate) async fn issue(
    command_handler: CommandHandler,
    head_watch: watch::Receiver<Position>,
    term: CancellationToken,
) {
    while !term.is_cancelled() {
        let issued = term.run_until_cancelled(follow(&command_handler, head_watch.clone()));
        if let Some(Err(error)) = issued.await {
            tracing::warn!(error = %error, "receipts are interrupted");
            term.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }
}

async fn follow(
    command_handler: &CommandHandler,
    head_watch: watch::Receiver<Position>,
) -> Result<(), Interrupted> {
    let log = command_handler.log();
    let after = resume(command_handler).await?;
    let mut subscription = LogSubscription::new(log.clone(), head_watch, after);
    loop {
        let events = subscription.next_batch(BATCH).await?;
        for event in events.iter().filter(|event| moves_money(event)) {
            issue_for(command_handler, event).await?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        gauge!(RECEIPTS_POSITION).set(subscription.mark().position.get() as f64);
    }
}

/// The last event that has a receipt: every event before it that asks for one has one. A new year's series is empty, so the
/// year before counts, too; without either, the log is read from its beginning, and every event finds its receipt.
async fn resume(command_handler: &CommandHandler) -> Result<Position, Interrupted> {
    let year = receipt_year(Utc::now());
    let mut after = 0;
    for year in [year - 1, year, year + 1] {
        let series = command_handler
            .load::<ReceiptSeries>(receipt_series_id(year))
            .await?;
        after = after.max(series.aggregate.cause());
    }
    Ok(Position::new(after))
}

/// Whether an event may change the sums of an order's books.
fn moves_money(recorded: &RecordedEvent) -> bool {
    const NAMES: [&str; 6] = [
        "PaymentCaptured",
        "CaptureFailed",
        "PaymentReconciled",
        "LinesRefunded",
        "RefundFailed",
        "OrderRefunded",
    ];
    recorded.aggregate_type == aggregate_type::ORDER && NAMES.contains(&recorded.event_type.as_str())
}

async fn issue_for(command_handler: &CommandHandler, recorded: &RecordedEvent) -> Result<(), Interrupted> {
    let due = due(command_handler.log(), recorded).await?;
    if due.is_empty() {
        return Ok(());
    }
    let year = receipt_year(recorded.recorded_at);
    let kinds: Vec<ReceiptKind> = due.iter().map(|due| due.kind).collect();
    let request = CommandRequest {
        metadata: envelope::Metadata {
            request_id: recorded.metadata.request_id.clone(),
            correlation_id: recorded.metadata.correlation_id.clone(),
            causation_position: Some(recorded.position),
            ..metadata("process:receipts")
        },
        ..CommandRequest::new(
            receipt_series_id(year),
            ReceiptSeriesCommand::Issue { year, due },
            IdempotencyKey::unique(),
        )
    };
    let before = command_handler
        .load::<ReceiptSeries>(receipt_series_id(year))
        .await?;
    let new = recorded.position.get() > before.aggregate.cause();
    command_handler
        .execute::<ReceiptSeries>(request, |_, _| serde_json::json!({}))
        .await?;
    if new {
        for kind in kinds {
            counter!(RECEIPTS_TOTAL, "kind" => kind.as_str()).increment(1);
        }
    }
    Ok(())
}

/// What an event of an order asks for, by the order before and after it.
async fn due(log: &Log, recorded: &RecordedEvent) -> Result<Vec<DueReceipt>, Interrupted> {
    let (before, after) = around(log, recorded).await?;
    let (_, returned_ore) = moved_ore(&before, &after);
    let corrects = if returned_ore > 0 {
        first_receipt(log, recorded.aggregate_id).await?
    } else {
        None
    };
    let moved = (recorded.position.get(), recorded.recorded_at);
    Ok(due_receipts(
        recorded.aggregate_id,
        (&before, &after),
        moved,
        corrects,
    ))
}

/// The order before and after an event of it.
async fn around(log: &Log, recorded: &RecordedEvent) -> Result<(Order, Order), Interrupted> {
    let (id, sequence) = (recorded.aggregate_id, recorded.sequence);
    // An order has few events, and a sequence beyond this number can't be one of them.
    let limit = u32::try_from(sequence).unwrap_or(u32::MAX);
    let stream = log.read_stream(aggregate_type::ORDER, id, 0, limit).await?;
    let (mut before, mut order, mut run) = (Order::default(), Order::default(), Run::<OrderEvent>::default());
    for event in &stream {
        if event.sequence == sequence {
            before = order.clone();
        }
        run.push(
            Facts::recorded(&event.event_type, &event.event_version, event.payload.get()),
            |event| order.apply(event),
        )?;
    }
    run.finish(|event| order.apply(event))?;
    Ok((before, order))
}

/// The number of the order's first receipt.
async fn first_receipt(log: &Log, order_id: Uuid) -> Result<Option<String>, Interrupted> {
    let Some(at) = log.claimed_at(SCOPE, &order_id.to_string()).await? else {
        return Ok(None);
    };
    // One command issues the documents of one event: a receipt, or a receipt and a credit note.
    let before = Position::new(at.get().saturating_sub(2));
    for recorded in log.read_after(before, 3).await? {
        if recorded.aggregate_type != aggregate_type::RECEIPT_SERIES {
            continue;
        }
        for event in Event::read(&recorded)? {
            if let Event::ReceiptSeries(ReceiptSeriesEvent::ReceiptIssued(issued)) = event
                && issued.order_id == order_id
                && issued.kind == ReceiptKind::Receipt
            {
                return Ok(Some(issued.receipt_number));
            }
        }
    }
    Ok(None)
}
