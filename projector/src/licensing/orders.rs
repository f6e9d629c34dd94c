//! `orders`, each with its lines.

use chrono::NaiveDate;
use envelope::RecordedEvent;
use events::{
    CaptureAction, CaptureFailed, CaptureFailure, CaptureResolved, OrderEvent, OrderLine, OrderPlaced,
};
use read_model::write::OrderRow;
use read_model::{RefundState, Term, searched};
use serde::Serialize;
use uuid::Uuid;

use super::slot::{create, stamp};
use super::{facts, forget, refunds};
use crate::bounds;
use crate::misfit::Misfit;
use crate::states::{OrderState, activity_dates};

pub(super) fn apply(
    slot: &mut Option<OrderRow>,
    recorded: &RecordedEvent,
    event: OrderEvent,
) -> Result<(), Misfit> {
    if let OrderEvent::OrderPlaced(placed) = event {
        return create(slot, row(recorded, placed)?);
    }
    let row = slot.as_mut().ok_or(Misfit::NoRow)?;
    let before = OrderState {
        status: row.status.0,
        capture_failed: row.capture_failure.is_some(),
    };
    let state = before.after(&event);
    match event {
        OrderEvent::OrderPlaced(_) => {}
        OrderEvent::PaymentRequested(requested) => {
            bounds::indexed(&requested.provider, "provider")?;
            row.payment_provider = requested.provider;
            row.payment_reference = Some(requested.reference);
            row.redirect_url = Some(requested.redirect_url);
        }
        OrderEvent::OrderPaid(paid) => {
            bounds::indexed(&paid.provider, "provider")?;
            row.payment_provider = paid.provider;
            row.payment_reference = Some(paid.reference);
            row.paid_at = Some(recorded.recorded_at);
            row.expires_at = None;
        }
        OrderEvent::OrderFulfilled(_) => {
            row.fulfilled_at = Some(recorded.recorded_at);
        }
        OrderEvent::PaymentCaptured(captured) => row.captured_ore = captured.captured_ore,
        OrderEvent::OrderHolderErased(erased) => forget::lines(row, &erased.lines),
        OrderEvent::CaptureFailed(failed) => capture_failed(row, &failed),
        OrderEvent::CaptureResolved(resolved) => capture_resolved(row, &resolved)?,
        OrderEvent::PaymentReconciled(found) => {
            (row.captured_ore, row.refunded_ore) = (found.captured_ore, found.refunded_ore);
        }
        OrderEvent::OrderCancelled(_)
        | OrderEvent::OrderCancelledByCustomer(_)
        | OrderEvent::OrderExpired(_) => end(row),
        OrderEvent::RefundRequested(_) => {
            end(row);
            row.refund_state = Some(RefundState::Pending.into());
        }
        OrderEvent::LineRefundsRequested(requested) => {
            refunds::requested(row, &requested.lines)?;
            if requested.ends_order {
                end(row);
            }
        }
        OrderEvent::LinesRefunded(back) => {
            (row.captured_ore, row.refunded_ore) = (back.captured_ore, back.refunded_ore);
            refunds::all(row, RefundState::Refunded)?;
        }
        OrderEvent::RefundFailed(failed) => {
            (row.captured_ore, row.refunded_ore) = (failed.captured_ore, failed.refunded_ore);
            refunds::all(row, RefundState::Failed)?;
        }
        OrderEvent::RefundRetried(_) => refunds::all(row, RefundState::Pending)?,
        OrderEvent::OrderRefunded(refunded) => {
            end(row);
            row.refunded_ore = refunded.refunded_ore;
            refunds::all(row, RefundState::Refunded)?;
        }
    }
    row.status = state.status.into();
    if !state.capture_failed {
        row.capture_failure = None;
    }
    row.updated_at = recorded.recorded_at;
    (row.version, row.position) = stamp(recorded);
    Ok(())
}

/// An order that ended can't be paid any more.
fn end(row: &mut OrderRow) {
    row.redirect_url = None;
}

fn capture_failed(row: &mut OrderRow, failed: &CaptureFailed) {
    (row.captured_ore, row.refunded_ore) = (failed.collected_ore, failed.refunded_ore);
    let reason = match failed.reason {
        CaptureFailure::PartlyCollected => "partly_collected",
        CaptureFailure::ReservationGone => "reservation_gone",
        CaptureFailure::CollectedTooMuch => "collected_too_much",
    };
    row.capture_failure = Some(reason.into());
}

fn capture_resolved(row: &mut OrderRow, resolved: &CaptureResolved) -> Result<(), Misfit> {
    row.written_off_ore = resolved.written_off_ore;
    if resolved.action == CaptureAction::Revoke {
        refunds::all(row, RefundState::Pending)?;
    }
    Ok(())
}

fn row(recorded: &RecordedEvent, placed: OrderPlaced) -> Result<OrderRow, Misfit> {
    let (version, position) = stamp(recorded);
    let lines = &placed.lines;
    bounds::indexed(&placed.payment_provider, "payment_provider")?;
    for line in lines {
        bounds::day(*line.holder.birth_date.expose(), "birth_date")?;
        bounds::indexed(&line.license_type.code, "license_type")?;
        bounds::amount(line.price_ore, "price_ore")?;
    }
    let activity_dates: Vec<NaiveDate> = activity_dates(lines)?.into_iter().collect();
    let (Some(first), Some(last)) = (activity_dates.first(), activity_dates.last()) else {
        return Err(Misfit::NoLines);
    };
    let terms = lines
        .iter()
        .flat_map(|line| facts::search_terms(&line.holder, line.vehicle.as_ref()));
    let search = searched(std::iter::once(Term::Number(&placed.order_number)).chain(terms));
    Ok(OrderRow {
        order_id: recorded.aggregate_id,
        customer_id: placed.customer_id,
        status: OrderState::PLACED.status.into(),
        total_ore: bounds::amount(placed.total_ore, "total_ore")?,
        payment_reference: None,
        redirect_url: None,
        lines: facts::column(&lines.iter().map(line).collect::<Vec<_>>()),
        club_ids: distinct(lines.iter().map(|line| line.club_id)),
        license_types: distinct(lines.iter().map(|line| line.license_type.code.clone())),
        activity_from: *first,
        activity_to: *last,
        activity_dates,
        search,
        order_number: placed.order_number,
        currency: placed.currency,
        payment_provider: placed.payment_provider,
        captured_ore: 0,
        refunded_ore: 0,
        written_off_ore: 0,
        capture_failure: None,
        refund_state: None,
        refunds: facts::column(&[(); 0]),
        paid_at: None,
        fulfilled_at: None,
        expires_at: Some(bounds::moment(placed.expires_at, "expires_at")?),
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    })
}

fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

/// A line as the table holds it.
#[derive(Serialize)]
struct SoldLine<'a> {
    line: u16,
    license_id: Uuid,
    license_type: &'a str,
    name_nb: &'a str,
    name_en: &'a str,
    category: events::Category,
    discipline: &'a str,
    role: events::Role,
    club_id: Uuid,
    club_name: &'a str,
    activity_date: NaiveDate,
    activity_days: u8,
    price_ore: i64,
    holder: LineHolder<'a>,
    vehicle: Option<facts::ClearVehicle<'a>>,
}

#[derive(Serialize)]
struct LineHolder<'a> {
    name: &'a str,
    birth_date: &'a NaiveDate,
    phone: Option<&'a str>,
    email: Option<&'a str>,
    guardian: Option<facts::ClearGuardian<'a>>,
}

fn line(line: &OrderLine) -> SoldLine<'_> {
    let (kind, holder) = (&line.license_type, &line.holder);
    SoldLine {
        line: line.line,
        license_id: line.license_id,
        license_type: &kind.code,
        name_nb: &kind.name_nb,
        name_en: &kind.name_en,
        category: kind.category,
        discipline: &kind.discipline,
        role: kind.role,
        club_id: line.club_id,
        club_name: &line.club_name,
        activity_date: line.activity_date,
        activity_days: line.activity_days,
        price_ore: line.price_ore,
        holder: LineHolder {
            name: holder.name.expose(),
            birth_date: holder.birth_date.expose(),
            phone: facts::clear(holder.phone.as_ref()),
            email: facts::clear(holder.email.as_ref()),
            guardian: holder.guardian.as_ref().map(facts::guardian),
        },
        vehicle: line.vehicle.as_ref().map(facts::vehicle),
    }
}
