//! Rule 7 across orders: a holder has one license of a type on a day, each day of a span, and of some types a limited
//! number in a lifetime.
//!
//! An order claims its days and its part of the cap when it is placed and gives them back when it ends without licenses; a license gives them
//! back when it is revoked. The log decides who holds a claim, in the transaction that records the events.

use chrono::NaiveDate;
use events::{LicenseIssued, OrderEvent, OrderPlaced};
use uuid::Uuid;

use super::state::Order;
use crate::day::days;
use crate::holder::HolderKey;

/// A holder's day with a type of license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayClaim {
    /// The license that holds it, also before it is issued.
    pub license_id: Uuid,
    /// The line of the order, from 1.
    pub line: u16,
    /// The day.
    pub date: NaiveDate,
    /// The holder, the type and the day as one text, equal for everyone who asks for the same and without a name in it.
    pub key: String,
}

/// One of the licenses of a type that a holder may have in a lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapClaim {
    /// The license that holds it, also before it is issued.
    pub license_id: Uuid,
    /// The line of the order, from 1.
    pub line: u16,
    /// The most licenses at a time.
    pub at_most: u16,
    /// The holder and the type as one text, equal for everyone who asks for the same and without a name in it.
    pub key: String,
}

/// What lines of an order claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineClaims {
    /// Their days.
    pub days: Vec<DayClaim>,
    /// Their part of the holders' caps, for types that have one.
    pub caps: Vec<CapClaim>,
}

/// What becomes of claims because of an aggregate's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// These are held from now on, or nothing of the command happens.
    Take(LineClaims),
    /// These licenses hold nothing any more.
    Release(Vec<Uuid>),
    /// This license gives back what it holds, and holds these instead, or nothing of the command happens.
    Move(Uuid, LineClaims),
}

impl Order {
    /// What `events` do to the order's claims; `self` is the order after them.
    ///
    /// A payment claims once more: an order that had expired gave its days back, and for any other it changes nothing.
    pub fn claim_change(&self, events: &[OrderEvent], key: &HolderKey) -> Option<ClaimChange> {
        let placed = self.placed().filter(|_| !events.is_empty())?;
        if self.over() && self.issued {
            // Valid until they are revoked, which gives back their days.
            return None;
        }
        if self.over() {
            let licenses = placed.lines.iter().map(|line| line.license_id);
            return Some(ClaimChange::Release(licenses.collect()));
        }
        let claims =
            |event: &OrderEvent| matches!(event, OrderEvent::OrderPlaced(_) | OrderEvent::OrderPaid(_));
        events
            .iter()
            .any(claims)
            .then(|| ClaimChange::Take(claims_of(placed, key)))
    }

    /// What the order holds as it is now.
    pub fn held_claims(&self, key: &HolderKey) -> LineClaims {
        let holding = self.placed().filter(|_| !self.over() || self.issued);
        holding.map_or_else(LineClaims::default, |placed| claims_of(placed, key))
    }
}

pub(super) fn claims_of(placed: &OrderPlaced, key: &HolderKey) -> LineClaims {
    let mut claims = LineClaims::default();
    for line in &placed.lines {
        claims.add(
            line.license_id,
            &LicenseIssued::of_line(Uuid::nil(), placed, line),
            key,
        );
    }
    claims
}

/// What an issued license holds.
pub(crate) fn license_claims(license_id: Uuid, issued: &LicenseIssued, key: &HolderKey) -> LineClaims {
    let mut claims = LineClaims::default();
    claims.add(license_id, issued, key);
    claims
}

impl LineClaims {
    fn add(&mut self, license_id: Uuid, license: &LicenseIssued, key: &HolderKey) {
        // Lines that are older than holder ids have none.
        let holder = license
            .holder_id
            .unwrap_or_else(|| key.holder_id(&license.holder));
        let (line, code) = (license.line, &license.license_type.code);
        let days = days(license.activity_date, license.activity_days);
        self.days.extend(days.map(|date| DayClaim {
            license_id,
            line,
            date,
            key: format!("{code} {date} {holder}"),
        }));
        self.caps.extend(license.lifetime_cap.map(|at_most| CapClaim {
            license_id,
            line,
            at_most,
            key: format!("{code} {holder}"),
        }));
    }
}
