//! Receipts: a series of numbers for each year, without a gap, in the order of the log.
//!
//! One stream is one year's series, so the number follows from the stream and no two receipts can share one. The series
//! remembers up to where the log was read: an event that has its receipt gets none again.

mod amounts;

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Utc};
use events::{OrderLine, ReceiptIssued, ReceiptLine, ReceiptSeriesEvent, aggregate_type};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::{ReceiptKind, RefundState};

use self::amounts::{share, tax_in};
use crate::aggregate::aggregate;
use crate::day::today;
use crate::ids::receipt_id;
use crate::orders::Order;
use crate::refusal::Refusal;

/// The series of one year.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptSeries {
    issued: u32,
    cause: u64,
}

/// What a series can be asked to do.
#[derive(Clone, Debug)]
pub enum ReceiptSeriesCommand {
    /// Give the next numbers to what one event of the log asks for; nothing if it has its numbers.
    Issue {
        /// The year of the series.
        year: i32,
        /// What the event asks for, at least one.
        due: Vec<DueReceipt>,
    },
}

/// A receipt before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueReceipt {
    /// Receipt or credit note.
    pub kind: ReceiptKind,
    /// The number that a credit note corrects.
    pub corrects: Option<String>,
    /// The order.
    pub order_id: Uuid,
    /// That order's number.
    pub order_number: String,
    /// Who bought it.
    pub customer_id: Uuid,
    /// Who collected the money.
    pub provider: String,
    /// The payment's reference there.
    pub payment_reference: String,
    /// Position of the event.
    pub cause: u64,
    /// When it was recorded.
    pub happened_at: DateTime<Utc>,
    /// The lines; their sum is what moved.
    pub lines: Vec<ReceiptLine>,
}

aggregate!(ReceiptSeries: aggregate_type::RECEIPT_SERIES, ReceiptSeriesCommand => ReceiptSeriesEvent);

impl ReceiptSeries {
    /// The position up to which every event that asks for a receipt of this year has one.
    pub const fn cause(&self) -> u64 {
        self.cause
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "as every aggregate decides; a series refuses nothing"
    )]
    fn decide(&self, command: ReceiptSeriesCommand) -> Result<Vec<ReceiptSeriesEvent>, Refusal> {
        let ReceiptSeriesCommand::Issue { year, due } = command;
        let new = due.into_iter().filter(|due| due.cause > self.cause);
        let mut events: Vec<ReceiptIssued> = Vec::new();
        for (number, mut due) in (self.issued + 1..).zip(new) {
            if due.kind == ReceiptKind::CreditNote && due.corrects.is_none() {
                // Taken and paid back by one event: the receipt is the one before it here.
                let of_order = |receipt: &&ReceiptIssued| receipt.order_id == due.order_id;
                due.corrects = events
                    .iter()
                    .rfind(of_order)
                    .map(|receipt| receipt.receipt_number.clone());
            }
            events.push(issued(year, number, due));
        }
        Ok(events.into_iter().map(Into::into).collect())
    }

    fn evolve(&mut self, event: ReceiptSeriesEvent) {
        let ReceiptSeriesEvent::ReceiptIssued(issued) = event;
        self.issued = issued.number;
        self.cause = issued.cause;
    }
}

fn issued(year: i32, number: u32, due: DueReceipt) -> ReceiptIssued {
    ReceiptIssued {
        receipt_id: receipt_id(year, number),
        year,
        number,
        receipt_number: format!("{year}-{number:06}"),
        kind: due.kind,
        corrects: due.corrects,
        order_id: due.order_id,
        order_number: due.order_number,
        customer_id: due.customer_id,
        provider: due.provider,
        payment_reference: due.payment_reference,
        cause: due.cause,
        happened_at: due.happened_at,
        happened_on: today(due.happened_at),
        gross_ore: due.lines.iter().map(|line| line.gross_ore).sum(),
        tax_ore: due.lines.iter().map(|line| line.tax_ore).sum(),
        lines: due.lines,
        currency: "NOK".into(),
    }
}

/// What an event of an order asks for, given the order before and after it: a receipt for what was collected by it, a credit
/// note for what went back. `first_receipt`: the number that a credit note corrects.
pub fn due_receipts(
    order_id: Uuid,
    (before, after): (&Order, &Order),
    (cause, happened_at): (u64, DateTime<Utc>),
    first_receipt: Option<String>,
) -> Vec<DueReceipt> {
    let Some(placed) = after.placed() else {
        return Vec::new();
    };
    let document = |kind, corrects, amount_ore| DueReceipt {
        kind,
        corrects,
        order_id,
        order_number: placed.order_number.clone(),
        customer_id: placed.customer_id,
        provider: placed.payment_provider.clone(),
        payment_reference: after.payment_id().unwrap_or(&placed.payment_reference).to_owned(),
        cause,
        happened_at,
        lines: receipt_lines(before, after, kind, amount_ore),
    };
    let (taken_ore, returned_ore) = moved_ore(before, after);
    let receipt = (taken_ore > 0).then(|| document(ReceiptKind::Receipt, None, taken_ore));
    let credit_note =
        (returned_ore > 0).then(|| document(ReceiptKind::CreditNote, first_receipt, returned_ore));
    receipt.into_iter().chain(credit_note).collect()
}

/// The year of the series that an event belongs to: that of its day in Norway.
pub fn receipt_year(recorded_at: DateTime<Utc>) -> i32 {
    today(recorded_at).year()
}

/// The lines of a document for `amount_ore` that moved between two states of an order.
///
/// A receipt is for what the lines cost without what is refunded of them, a credit note for the lines that were refunded.
/// Other sums, as they arise in the provider's portal, are spread over all lines by their prices.
fn receipt_lines(before: &Order, after: &Order, kind: ReceiptKind, amount_ore: i64) -> Vec<ReceiptLine> {
    let Some(placed) = after.placed() else {
        return Vec::new();
    };
    let parts: Vec<i64> = match kind {
        ReceiptKind::Receipt => {
            let back: BTreeMap<u16, i64> = after.refunds().map(|(line, ore, _)| (line, ore)).collect();
            let kept = |line: &OrderLine| line.price_ore - back.get(&line.line).unwrap_or(&0);
            placed.lines.iter().map(kept).collect()
        }
        ReceiptKind::CreditNote => {
            let (earlier, now) = (refunded(before), refunded(after));
            let new = |line: &OrderLine| match now.get(&line.line) {
                Some(ore) if !earlier.contains_key(&line.line) => *ore,
                _ => 0,
            };
            placed.lines.iter().map(new).collect()
        }
    };
    let parts = if parts.iter().sum::<i64>() == amount_ore {
        parts
    } else {
        let prices: Vec<i64> = placed.lines.iter().map(|line| line.price_ore).collect();
        share(amount_ore, &prices)
    };
    let parts = placed.lines.iter().zip(parts).filter(|(_, part)| *part > 0);
    parts
        .map(|(line, gross_ore)| receipt_line(line, gross_ore))
        .collect()
}

/// The lines whose money went back, and how much of each.
fn refunded(order: &Order) -> BTreeMap<u16, i64> {
    let done = order
        .refunds()
        .filter(|(_, _, state)| *state == RefundState::Refunded);
    done.map(|(line, ore, _)| (line, ore)).collect()
}

fn receipt_line(line: &OrderLine, gross_ore: i64) -> ReceiptLine {
    let kind = &line.license_type;
    let tax = &line.tax;
    ReceiptLine {
        line: line.line,
        license_type: kind.code.clone(),
        name_nb: kind.name_nb.clone(),
        name_en: kind.name_en.clone(),
        club_name: line.club_name.clone(),
        activity_date: line.activity_date,
        activity_days: line.activity_days,
        gross_ore,
        tax_code: tax.code.clone(),
        tax_rate_permille: tax.rate_permille,
        tax_ore: tax_in(gross_ore, tax.rate_permille),
    }
}

/// How much money moved between two states of an order, by its books: what was collected, and what of it went back.
///
/// Money that was released without being collected was never taken: it has neither a receipt nor a credit note.
pub fn moved_ore(before: &Order, after: &Order) -> (i64, i64) {
    let kept = |order: &Order| {
        let (captured, refunded) = order.books_ore();
        // What went back was taken before, also if only the refund was recorded.
        (captured.max(refunded), refunded)
    };
    let ((captured_before, refunded_before), (captured, refunded)) = (kept(before), kept(after));
    (
        (captured - captured_before).max(0),
        (refunded - refunded_before).max(0),
    )
}

#[cfg(test)]
mod tests;
