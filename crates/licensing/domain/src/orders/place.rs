//! Placing an order: every rule of every line is checked, and one refusal lists every broken rule.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use events::{OrderLine, OrderPlaced};
use uuid::Uuid;
use vocabulary::{PaymentProvider, Word as _};

use super::claims::{LineClaims, claims_of};
use super::line::{LineRules, RequestedLine};
use crate::day::days;
use crate::findings::Findings;
use crate::holder::HolderKey;
use crate::ids::{license_id, order_number};
use crate::refusal::{Refusal, Rule};
use crate::terms::Terms;
use crate::typed::label;

/// Most lines of one order. Clubs buy tens at a time.
pub const MAX_LINES: usize = 100;

/// An order as a customer asks for it, with the catalogue's entries for its lines.
#[derive(Clone)]
pub struct PlaceOrder {
    /// The order's id.
    pub order_id: Uuid,
    /// Who orders.
    pub customer_id: Uuid,
    /// What.
    pub lines: Vec<RequestedLine>,
    /// Who collects the money.
    pub payment_provider: PaymentProvider,
    /// The version of the terms that the customer accepts.
    pub terms_version: String,
    /// The terms.
    pub terms: Arc<Terms>,
    /// The total that the customer saw, in øre, if they say so.
    pub expected_total_ore: Option<i64>,
    /// The moment of the command.
    pub now: DateTime<Utc>,
    /// How long it may stay unpaid.
    pub time_to_pay: TimeDelta,
    /// Makes holder ids.
    pub holder_key: Arc<HolderKey>,
    /// Which of the holders and vehicles are suspended.
    pub suspended: BTreeSet<Uuid>,
}

impl PlaceOrder {
    /// What the order would hold; nothing if it would not be placed.
    pub fn claims(&self) -> LineClaims {
        let placed = self.check();
        placed.map_or_else(
            |_| LineClaims::default(),
            |placed| claims_of(&placed, &self.holder_key),
        )
    }

    /// The order, if every rule holds.
    pub(super) fn check(&self) -> Result<OrderPlaced, Refusal> {
        if self.lines.is_empty() || self.lines.len() > MAX_LINES {
            return Err(Refusal::field("/lines", Rule::LineCount));
        }
        let mut findings = Findings::new();
        let terms_version = findings.keep("/accept_terms_version".into(), label(&self.terms_version, 64));
        let mut lines: Vec<OrderLine> = Vec::with_capacity(self.lines.len());
        let mut taken = BTreeSet::new();
        let rules = LineRules {
            now: self.now,
            holder_key: &self.holder_key,
            suspended: &self.suspended,
        };
        for (number, requested) in (1_u16..).zip(&self.lines) {
            let at = format!("/lines/{}", number - 1);
            let license_id = license_id(self.order_id, number);
            let Some(line) = rules.check(number, license_id, requested, &at, &mut findings) else {
                continue;
            };
            if !all_new(&mut taken, &line) {
                findings.add(at, Rule::Duplicate);
            }
            lines.push(line);
        }
        let (Some(terms_version), true) = (terms_version, findings.fields.is_empty()) else {
            return Err(Refusal::Invalid(findings.fields));
        };
        self.terms.accept(&terms_version, self.now)?;
        let total_ore = lines.iter().map(|line| line.price_ore).sum();
        if self.expected_total_ore.is_some_and(|seen| seen != total_ore) {
            return Err(Refusal::PriceChanged { total_ore });
        }
        Ok(OrderPlaced {
            order_number: order_number(self.order_id),
            customer_id: self.customer_id,
            total_ore,
            lines,
            currency: "NOK".into(),
            payment_provider: self.payment_provider.as_str().into(),
            payment_reference: self.order_id.to_string(),
            terms_version,
            terms_accepted_at: Some(self.now),
            expires_at: self.now + self.time_to_pay,
        })
    }
}

/// A holder, a type and a day.
type TypeDay = (Option<Uuid>, String, NaiveDate);

/// Whether no line before this one was for the same holder, type and day.
fn all_new(taken: &mut BTreeSet<TypeDay>, line: &OrderLine) -> bool {
    let code = &line.license_type.code;
    let mut all_new = true;
    for day in days(line.activity_date, line.activity_days) {
        all_new &= taken.insert((line.holder_id, code.clone(), day));
    }
    all_new
}
