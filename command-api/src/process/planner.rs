//! Events to tasks: reads the log in order, by way of the bus, and remembers how far in the event database.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::letter_id;
use envelope::{Contradiction, Mark, Position, RecordedEvent};
use event_bus::{CatchUpError, CatchUpOptions, CatchUpSubscription, Connection, StreamConfig};
use event_store::{Log, NewTask, Reached};
use events::{CaptureAction, Event, OrderEvent, ReceiptSeriesEvent, aggregate_type};
use metrics::gauge;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vocabulary::LetterKind;

use super::context::ProcessContext;
use super::kinds::{BATCH, CAPTURE, ERASE, FULFILL, LETTER, RECHECK, RECONCILE, REFUND, RESOLVE, REVOKE};
use super::placed_with::PlacedWith;
use super::reconcile::LAST_LOOK;
use crate::metrics::PROCESS_CONTRADICTED;

/// How many events are planned for at a time.
const AT_ONCE: usize = 500;
/// Minimum interval between plans: under load plans grow instead of multiplying, because each plan is a commit that
/// competes with the customers' commits. A single event is planned at once.
const PACE: Duration = Duration::from_millis(10);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_millis(300);
/// Pause after the log contradicts the checkpoint. An operator has to begin a new epoch.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// Why planning stopped.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the log can't be read, or the tasks can't be written: {0}")]
    Log(#[from] event_store::Error),
    #[error("{0}")]
    CatchUpSubscription(CatchUpError),
    #[error("{0}; nothing is planned until `command-api log new-epoch` is run")]
    Contradicted(Contradiction),
    #[error("another instance plans too")]
    NotOwner,
}

impl From<CatchUpError> for Interrupted {
    fn from(error: CatchUpError) -> Self {
        match error {
            CatchUpError::Contradicted(contradiction) => Self::Contradicted(contradiction),
            _ => Self::CatchUpSubscription(error),
        }
    }
}

/// Plans until `term` ends.
pub(crate) async fn plan(
    context: ProcessContext,
    log: Log,
    bus: Connection,
    stream: StreamConfig,
    head_watch: watch::Receiver<Position>,
    term: CancellationToken,
) {
    while !term.is_cancelled() {
        if let Err(error) =
            plan_from_checkpoint(&context, &log, &bus, &stream, head_watch.clone(), &term).await
            && !term.is_cancelled()
        {
            let pause = if let Interrupted::Contradicted(_) = error {
                gauge!(PROCESS_CONTRADICTED).set(1.0);
                context.planner_problem.send_replace(Some(error.to_string()));
                tracing::error!(error = %error, "the process managers contradict the log");
                LONG_PAUSE
            } else {
                tracing::warn!(error = %error, "planning was interrupted");
                PAUSE
            };
            tokio::select! {
                () = term.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
    // Another instance may lead now, and reports its own problems.
    context.planner_problem.send_replace(None);
}

async fn plan_from_checkpoint(
    context: &ProcessContext,
    log: &Log,
    bus: &Connection,
    stream: &StreamConfig,
    head_watch: watch::Receiver<Position>,
    term: &CancellationToken,
) -> Result<(), Interrupted> {
    let (begin, epoch) = resume(context, log).await?;
    gauge!(PROCESS_CONTRADICTED).set(0.0);
    context.planner_problem.send_replace(None);
    let mut done = begin.position;
    let mut placed_with = PlacedWith::default();
    let options = CatchUpOptions {
        name: "planner".into(),
        ..CatchUpOptions::default()
    };
    let mut subscription = CatchUpSubscription::new(
        bus.clone(),
        stream,
        begin,
        epoch,
        log.clone(),
        head_watch,
        options,
    );
    loop {
        let events = subscription.next_batch(AT_ONCE, term).await?;
        let next = tokio::time::Instant::now() + PACE;
        let (mark, epoch) = (subscription.mark(), Some(epoch));
        let of_one = |event| tasks(event, context.recheck_after, &mut placed_with);
        let mut tasks: Vec<NewTask> = events.iter().flat_map(of_one).collect();
        placed_with
            .assign(&context.cashier.command_handler, &mut tasks)
            .await?;
        // Workers find tasks that are due later by polling. Compared by the log's clock, as due times are.
        let now = events.iter().map(|event| event.recorded_at).max();
        let due = tasks.iter().filter(|task| Some(task.due_at) <= now);
        let due: Vec<_> = due.map(|task| task.kind.clone()).collect();
        if !context.tasks.plan(done, Reached { mark, epoch }, tasks).await? {
            return Err(Interrupted::NotOwner);
        }
        done = mark.position;
        context.planned.wake(due.iter().map(|kind| &**kind));
        if events.len() < AT_ONCE {
            term.run_until_cancelled(tokio::time::sleep_until(next)).await;
        }
    }
}

/// Where to continue, and in which epoch of the log.
///
/// Checkpoint and log are in one database, so a restored log brings its own checkpoint, and the epoch is the current one.
/// If the log still does not hold the checkpoint's event, events were removed from it. A new epoch records that an operator
/// has confirmed this. Which of the remaining events were planned for is then unknown, so all of them are planned again.
async fn resume(context: &ProcessContext, log: &Log) -> Result<(Mark, Uuid), Interrupted> {
    let found = context.tasks.reached().await?;
    let (after, limit) = found.mark.reading(0);
    let mut page = log.read_page(after, limit).await?;
    let (proof, epoch) = (found.mark.prove(&mut page), page.head.epoch);
    match (proof, found.epoch) {
        (Ok(()), Some(_)) => Ok((found.mark, epoch)),
        // Left by a build that stored neither. From here on, a log that loses this event is detected.
        (proof, None) => {
            let before = Position::new(found.mark.position.get().saturating_sub(1));
            let there = log.read_after(before, 1).await?;
            let mark = there
                .first()
                .filter(|event| event.position == found.mark.position)
                .map_or(found.mark, Mark::of);
            let today = Some(epoch);
            context.tasks.note(Reached { mark, epoch: today }).await?;
            proof.map_err(Interrupted::Contradicted)?;
            Ok((mark, epoch))
        }
        (Err(contradiction), Some(then)) if then == epoch => Err(Interrupted::Contradicted(contradiction)),
        (Err(contradiction), Some(_)) => {
            if !context.tasks.start_over(found, epoch).await? {
                return Err(Interrupted::NotOwner);
            }
            tracing::warn!(position = found.mark.position.get(), reason = %contradiction, %epoch,
                "the log began a new epoch without the events that were planned for: planning all of it again");
            Ok((Mark::START, epoch))
        }
    }
}

/// What an event asks for, if anything, as kinds without a provider.
fn tasks(recorded: &RecordedEvent, recheck_after: TimeDelta, placed_with: &mut PlacedWith) -> Vec<NewTask> {
    if recorded.aggregate_type == aggregate_type::PERSON {
        return vec![task_of(recorded, (ERASE, recorded.recorded_at))];
    }
    if recorded.aggregate_type == aggregate_type::BATCH && recorded.sequence == 1 {
        return vec![task_of(recorded, (BATCH, recorded.recorded_at))];
    }
    if recorded.aggregate_type == aggregate_type::RECEIPT_SERIES {
        return letters(recorded);
    }
    if recorded.aggregate_type != aggregate_type::ORDER {
        return Vec::new();
    }
    let due: Vec<_> = match Event::read(recorded) {
        Ok(events) => events
            .iter()
            .inspect(|event| {
                if let Event::Order(OrderEvent::OrderPlaced(placed)) = event {
                    placed_with.note(recorded.aggregate_id, &placed.payment_provider);
                }
            })
            .flat_map(|event| due(recorded.recorded_at, event, recheck_after))
            .collect(),
        // By its name, at once: the task then fails visibly until a build that can read the event does it, and blocks no
        // other task.
        Err(error) => {
            tracing::error!(position = recorded.position.get(), error = %error, "an event of an order can't be read");
            named(&recorded.event_type)
                .iter()
                .map(|kind| (*kind, recorded.recorded_at))
                .collect()
        }
    };
    due.into_iter().map(|due| task_of(recorded, due)).collect()
}

/// A letter for each receipt and credit note.
fn letters(recorded: &RecordedEvent) -> Vec<NewTask> {
    let read = Event::read(recorded).unwrap_or_else(|error| {
        tracing::error!(position = recorded.position.get(), error = %error, "a receipt can't be read, so no letter brings it");
        Vec::new()
    });
    let of_receipt = |event| match event {
        Event::ReceiptSeries(ReceiptSeriesEvent::ReceiptIssued(issued)) => Some(NewTask {
            aggregate_id: letter_id(issued.order_id, LetterKind::Receipt, Some(&issued.receipt_number)),
            ..task_of(recorded, (LETTER, recorded.recorded_at))
        }),
        _ => None,
    };
    read.into_iter().filter_map(of_receipt).collect()
}

/// A task because of this event.
fn task_of(recorded: &RecordedEvent, (kind, due_at): (&'static str, DateTime<Utc>)) -> NewTask {
    let id = recorded.aggregate_id;
    NewTask {
        // An order has several letters, so their tasks have ids of their own.
        aggregate_id: if kind == LETTER {
            letter_id(id, LetterKind::License, None)
        } else {
            id
        },
        kind: kind.into(),
        due_at,
        position: recorded.position,
        request_id: recorded.metadata.request_id.clone(),
        correlation_id: recorded.metadata.correlation_id.clone(),
    }
}

/// What to do because of an event that was recorded at `at`, and when.
fn due(at: DateTime<Utc>, event: &Event, recheck_after: TimeDelta) -> Vec<(&'static str, DateTime<Utc>)> {
    let Event::Order(event) = event else {
        return Vec::new();
    };
    match event {
        OrderEvent::OrderPlaced(placed) => {
            vec![(RECONCILE, super::reconcile::next_look(at, at, placed.expires_at))]
        }
        OrderEvent::OrderPaid(_) => vec![(FULFILL, at)],
        OrderEvent::OrderFulfilled(_) => vec![(CAPTURE, at), (LETTER, at)],
        // The money may be mended or paid back in the portal, with or without a webhook.
        OrderEvent::CaptureFailed(_) => vec![(RESOLVE, at + LAST_LOOK), (RECHECK, at + recheck_after)],
        OrderEvent::CaptureResolved(resolved) => match resolved.action {
            // What is left of a reservation is released when the rest is given up.
            CaptureAction::CollectRest => vec![(CAPTURE, at), (RESOLVE, at)],
            CaptureAction::WriteOff => vec![(CAPTURE, at), (RESOLVE, at), (RECHECK, at + recheck_after)],
            CaptureAction::Revoke => vec![(REVOKE, at), (REFUND, at), (RESOLVE, at)],
        },
        OrderEvent::RefundRequested(_)
        | OrderEvent::LineRefundsRequested(_)
        | OrderEvent::RefundRetried(_) => vec![(REFUND, at)],
        // Money moves in the portal with or without a webhook: staff may pay back there what was refused to the shop.
        OrderEvent::PaymentCaptured(_) | OrderEvent::RefundFailed(_) => vec![(RECHECK, at + recheck_after)],
        OrderEvent::OrderRefunded(_) => vec![(REVOKE, at)],
        OrderEvent::OrderExpired(_) | OrderEvent::OrderCancelled(_) => vec![(RECONCILE, at + LAST_LOOK)],
        // Its payment is ended at once. The task looks again later, as after every end.
        OrderEvent::OrderCancelledByCustomer(_) => vec![(RECONCILE, at)],
        OrderEvent::PaymentRequested(_)
        | OrderEvent::PaymentReconciled(_)
        | OrderEvent::LinesRefunded(_)
        | OrderEvent::OrderHolderErased(_) => Vec::new(),
    }
}

/// What an event with this name has always asked for.
fn named(event_type: &str) -> &'static [&'static str] {
    match event_type {
        "OrderPlaced" | "OrderExpired" | "OrderCancelled" | "OrderCancelledByCustomer" => &[RECONCILE],
        "OrderPaid" => &[FULFILL],
        "OrderFulfilled" => &[CAPTURE, LETTER],
        "CaptureFailed" => &[RESOLVE, RECHECK],
        "CaptureResolved" => &[CAPTURE, REVOKE, REFUND, RESOLVE, RECHECK],
        "RefundRequested" | "LineRefundsRequested" | "RefundRetried" => &[REFUND],
        "PaymentCaptured" | "RefundFailed" => &[RECHECK],
        "OrderRefunded" => &[REVOKE],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use events::{CaptureFailed, CaptureFailure, Event, OrderEvent};

    use super::{RECHECK, due, named};

    /// While a decision is pending, the payment may be repaired or paid back in the portal without a webhook.
    #[test]
    fn a_failed_capture_is_looked_at_again() {
        let failed = CaptureFailed {
            reason: CaptureFailure::ReservationGone,
            reference: "order".into(),
            due_ore: 42_000,
            collected_ore: 0,
            refunded_ore: 0,
            collectable_ore: 0,
        };
        let (now, after) = (Utc::now(), TimeDelta::hours(1));
        let planned = due(now, &Event::Order(OrderEvent::CaptureFailed(failed)), after);
        assert!(planned.contains(&(RECHECK, now + after)), "{planned:?}");
        for event_type in ["CaptureFailed", "CaptureResolved", "PaymentCaptured"] {
            assert!(named(event_type).contains(&RECHECK), "{event_type}");
        }
    }
}
