//! Rule 7 across orders: a holder has one license of a type on a day, each day of a span.
//!
//! An order claims its days when it is placed and gives them back when it ends without licenses; a license gives them
//! back when it is revoked. The log decides who holds a claim, in the transaction that records the events.

use chrono::NaiveDate;
use events::{LicenseIssued, OrderEvent, OrderLine, OrderPlaced};
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

/// What becomes of claims because of an aggregate's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// These days are held from now on, or nothing of the command happens.
    Take(Vec<DayClaim>),
    /// These licenses hold nothing any more.
    Release(Vec<Uuid>),
    /// The licenses of these days give back what they hold, and hold these days instead, or nothing of the command happens.
    Move(Vec<DayClaim>),
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
            .then(|| ClaimChange::Take(day_claims(placed, key)))
    }

    /// The days that the order holds as it is now.
    pub fn held_days(&self, key: &HolderKey) -> Vec<DayClaim> {
        let holding = self.placed().filter(|_| !self.over() || self.issued);
        holding.map_or_else(Vec::new, |placed| day_claims(placed, key))
    }
}

pub(super) fn day_claims(placed: &OrderPlaced, key: &HolderKey) -> Vec<DayClaim> {
    placed.lines.iter().flat_map(|line| of_line(line, key)).collect()
}

fn of_line<'a>(line: &'a OrderLine, key: &HolderKey) -> impl Iterator<Item = DayClaim> + use<'a> {
    // Lines that are older than holder ids have none.
    let holder = line.holder_id.unwrap_or_else(|| key.holder_id(&line.holder));
    days(line.activity_date, line.activity_days).map(move |date| DayClaim {
        license_id: line.license_id,
        line: line.line,
        date,
        key: format!("{} {date} {holder}", line.license_type.code),
    })
}

/// The days of an issued license.
pub(crate) fn license_days(license_id: Uuid, issued: &LicenseIssued, key: &HolderKey) -> Vec<DayClaim> {
    let holder = issued.holder_id.unwrap_or_else(|| key.holder_id(&issued.holder));
    let code = &issued.license_type.code;
    days(issued.activity_date, issued.activity_days)
        .map(|date| DayClaim {
            license_id,
            line: issued.line,
            date,
            key: format!("{code} {date} {holder}"),
        })
        .collect()
}
