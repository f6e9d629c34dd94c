//! Money that goes back, whole or by line, until the provider's books show what the shop keeps.
//!
//! There is one aim, whatever happened before: what was collected and not paid back is what the order's lines still cost.
//! So each step follows from the books alone. A step that is repeated moves nothing, and no sequence of refunds pays back
//! more than was collected.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Days, Utc};
use envelope::Personal;
use events::{
    LineRefund, LineRefundsRequested, LinesRefunded, OrderEvent, OrderLine, OrderPlaced, PaymentCaptured,
    RefundFailed, RefundFailure, RefundRetried,
};
use serde::Deserialize;
use vocabulary::{OrderStatus, RefundState};

use super::collect::{PaymentBooks, refunded};
use super::state::Order;
use crate::day::today;
use crate::findings::Findings;
use crate::refusal::{Refusal, Rule};
use crate::typed::reason;

/// The whole price.
const WHOLE: u16 = 1000;

/// When and how much of a license's price staff may give back: data, with a version that the events name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundPolicy {
    /// Names this policy.
    pub version: String,
    /// How many days before its first day a license can last be refunded; with 0, until that day begins in Norway.
    pub until_days_before: u16,
    /// How much of the price goes back, in thousandths.
    pub share_per_mille: u16,
    /// Whether a license can be refunded after its holder was let in.
    pub after_check_in: bool,
    /// Who may refund a license that this policy refuses.
    pub override_by: BTreeSet<Overrider>,
}

/// Who may decide against the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overrider {
    /// Staff and administrators.
    Staff,
    /// Administrators.
    Admin,
}

impl RefundPolicy {
    /// Whether it can be applied: it has a name, and gives back no more than the price.
    pub fn is_sound(&self) -> bool {
        !self.version.trim().is_empty() && self.share_per_mille <= WHOLE
    }

    /// How much of a price goes back, in whole øre, never more than the price.
    fn amount(&self, price_ore: i64) -> i64 {
        let share = i128::from(price_ore) * i128::from(self.share_per_mille.min(WHOLE)) / i128::from(WHOLE);
        i64::try_from(share).unwrap_or(price_ore)
    }

    fn rule_broken_by(&self, line: &OrderLine, checked_in: bool, now: DateTime<Utc>) -> Option<Rule> {
        let last = today(now).checked_add_days(Days::new(self.until_days_before.into()));
        if last.is_none_or(|last| last >= line.activity_date) {
            Some(Rule::RefundTooLate)
        } else {
            (checked_in && !self.after_check_in).then_some(Rule::RefundCheckedIn)
        }
    }
}

/// What staff asks for.
#[derive(Clone, Debug)]
pub struct RequestRefund {
    /// The lines; all that are left if not given.
    pub lines: Option<Vec<u16>>,
    /// Why.
    pub reason: String,
    /// Decided against the policy, by a person who may.
    pub overridden: bool,
    /// The lines whose holders were let in.
    pub checked_in: BTreeSet<u16>,
    /// The policy.
    pub policy: Arc<RefundPolicy>,
    /// The moment of the command.
    pub now: DateTime<Utc>,
}

/// What to do at the provider next so that money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStep {
    /// Collect this much in øre, which the shop keeps, before the rest is released.
    Collect(i64),
    /// Pay back this much in øre.
    PayBack(i64),
    /// Release what is left of the reservation.
    Release,
    /// Nothing, until the money that the shop keeps is collected.
    Wait,
    /// Nothing: the books are as they have to be.
    Done,
}

impl Order {
    /// How far the money is on its way back; none if none has to go back.
    pub const fn refund_state(&self) -> Option<RefundState> {
        self.refund
    }

    /// How often money was asked back for. Attempts of another round are other requests to the provider.
    pub const fn refund_round(&self) -> u32 {
        self.refund_round
    }

    /// The lines whose money goes back or went back: line, amount in øre, and how far it is.
    pub fn refunds(&self) -> impl Iterator<Item = (u16, i64, RefundState)> + '_ {
        let open = self.refund.unwrap_or(RefundState::Pending);
        self.refunds.iter().map(move |(line, refund)| {
            let state = if refund.refunded {
                RefundState::Refunded
            } else {
                open
            };
            (*line, refund.amount_ore, state)
        })
    }

    /// The payment's books as far as the order knows them: for a payment that can't be read.
    pub fn known_books(&self) -> Option<PaymentBooks> {
        let placed = self.placed()?;
        let open = if self.captured {
            0
        } else {
            placed.total_ore - self.captured_ore
        };
        Some(PaymentBooks {
            reference: self.payment_id().unwrap_or(&placed.payment_reference).to_owned(),
            captured_ore: self.captured_ore,
            refunded_ore: self.refunded_ore,
            cancelled_ore: 0,
            collectable_ore: open.max(0),
        })
    }

    /// What the shop keeps of the order's total in the end, in øre.
    pub(super) fn retained_ore(&self, placed: &OrderPlaced) -> i64 {
        if self.all_back {
            return 0;
        }
        let back: i64 = self.refunds.values().map(|refund| refund.amount_ore).sum();
        placed.total_ore - back
    }

    /// What the shop keeps of an order that is over, in øre: something only if the policy gave less than the prices back.
    pub(super) fn kept_of_refunded(&self) -> i64 {
        let by_lines = self
            .placed()
            .filter(|placed| self.refunds.len() == placed.lines.len());
        by_lines.map_or(0, |placed| self.retained_ore(placed))
    }

    /// What to do next by these books.
    pub fn refund_step(&self, books: &PaymentBooks) -> RefundStep {
        let open = matches!(self.refund, Some(RefundState::Pending | RefundState::Failed));
        let Some(placed) = self.placed().filter(|_| open) else {
            return RefundStep::Done;
        };
        let retained = self.retained_ore(placed);
        let kept = books.captured_ore - books.refunded_ore;
        if kept > retained {
            return RefundStep::PayBack(kept - retained);
        }
        let collects = retained > 0 && !self.captured && !self.written_off();
        let ends = self.status == Some(OrderStatus::RefundPending);
        if collects && !ends {
            return RefundStep::Wait;
        }
        if collects && books.captured_ore == 0 && books.collectable_ore >= retained {
            return RefundStep::Collect(retained);
        }
        if books.collectable_ore > 0 {
            RefundStep::Release
        } else {
            RefundStep::Done
        }
    }

    /// The events of books that show that all the money is back that has to go back; none while some of it is not.
    pub(super) fn refunded_by(&self, books: &PaymentBooks) -> Vec<OrderEvent> {
        let open = matches!(self.refund, Some(RefundState::Pending | RefundState::Failed));
        if !open || self.refund_step(books) != RefundStep::Done {
            return Vec::new();
        }
        let reference = books.reference.clone();
        let collected = !self.captured && books.captured_ore > self.captured_ore;
        let captured = collected.then(|| PaymentCaptured {
            reference: reference.clone(),
            captured_ore: books.captured_ore,
        });
        let back = if self.status == Some(OrderStatus::RefundPending) {
            refunded(books)
        } else {
            let open = self.refunds.iter().filter(|(_, refund)| !refund.refunded);
            let lines = open.map(|(line, refund)| LineRefund {
                line: *line,
                amount_ore: refund.amount_ore,
            });
            LinesRefunded {
                reference,
                lines: lines.collect(),
                captured_ore: books.captured_ore,
                refunded_ore: books.refunded_ore,
                released_ore: books.cancelled_ore,
            }
            .into()
        };
        captured.map(Into::into).into_iter().chain([back]).collect()
    }

    /// The shop stops trying, once for each round, while money still has to go back.
    pub(super) fn refund_failed(
        &self,
        placed: &OrderPlaced,
        books: &PaymentBooks,
        reason: RefundFailure,
    ) -> Result<Option<OrderEvent>, Refusal> {
        if !self.is_payment(&books.reference) {
            return Err(Refusal::PaymentMismatch);
        }
        if self.refund != Some(RefundState::Pending) || self.refund_step(books) == RefundStep::Done {
            return Ok(None);
        }
        let kept = books.captured_ore - books.refunded_ore;
        let left = kept + books.collectable_ore - self.retained_ore(placed);
        let failed = RefundFailed {
            reference: books.reference.clone(),
            reason,
            left_ore: left.max(0),
            captured_ore: books.captured_ore,
            refunded_ore: books.refunded_ore,
        };
        Ok(Some(failed.into()))
    }

    /// Lines that are refunded, or about to be, are not refunded again. If no other is asked for, a failed refund is tried
    /// again.
    pub(super) fn request_refund(
        &self,
        placed: &OrderPlaced,
        asked: &RequestRefund,
    ) -> Result<Option<OrderEvent>, Refusal> {
        let reason = Personal::new(reason(&asked.reason)?);
        let lines = lines(placed, asked)?;
        let reference = self.payment_id().unwrap_or(&placed.payment_reference).to_owned();
        let new: Vec<(String, &OrderLine)> = lines
            .into_iter()
            .filter(|(_, line)| !self.over() && !self.refunds.contains_key(&line.line))
            .collect();
        match self.status {
            Some(OrderStatus::Cancelled | OrderStatus::Expired) => return Err(Refusal::OrderState),
            _ if new.is_empty() => {
                let failed = self.refund == Some(RefundState::Failed);
                return Ok(failed.then(|| RefundRetried { reference, reason }.into()));
            }
            // Its licenses are about to be issued: all of them, or none.
            Some(OrderStatus::Paid) if new.len() == placed.lines.len() => {}
            Some(OrderStatus::Fulfilled) => {}
            _ => return Err(Refusal::OrderState),
        }
        if !asked.overridden {
            let mut findings = Findings::new();
            for (pointer, line) in &new {
                let checked_in = asked.checked_in.contains(&line.line);
                if let Some(rule) = asked.policy.rule_broken_by(line, checked_in, asked.now) {
                    findings.add(pointer.clone(), rule);
                }
            }
            findings.refuse()?;
        }
        let refund = |(_, line): (String, &OrderLine)| LineRefund {
            line: line.line,
            amount_ore: asked.policy.amount(line.price_ore),
        };
        let requested = LineRefundsRequested {
            reference,
            policy_version: asked.policy.version.clone(),
            overridden: asked.overridden,
            reason,
            ends_order: self.refunds.len() + new.len() == placed.lines.len(),
            lines: new.into_iter().map(refund).collect(),
        };
        Ok(Some(requested.into()))
    }
}

/// The lines that are asked for, each once, with a pointer to where the request names it.
fn lines<'a>(
    placed: &'a OrderPlaced,
    asked: &RequestRefund,
) -> Result<Vec<(String, &'a OrderLine)>, Refusal> {
    let Some(numbers) = &asked.lines else {
        return Ok(placed
            .lines
            .iter()
            .map(|line| ("/lines".to_owned(), line))
            .collect());
    };
    if numbers.is_empty() {
        return Err(Refusal::field("/lines", Rule::Required));
    }
    let (mut findings, mut found, mut seen) = (Findings::new(), Vec::new(), BTreeSet::new());
    for (at, number) in numbers.iter().enumerate() {
        let pointer = format!("/lines/{at}");
        match placed.lines.iter().find(|line| line.line == *number) {
            Some(line) if seen.insert(*number) => found.push((pointer, line)),
            Some(_) => {}
            None => findings.add(pointer, Rule::RefundLine),
        }
    }
    findings.refuse()?;
    Ok(found)
}
