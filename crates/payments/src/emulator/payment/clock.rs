//! What the clock does to a payment.

use chrono::{DateTime, Utc};

use super::{Change, Name, Payment, State};

impl Payment {
    /// When the clock does something next.
    pub(in super::super) fn deadline(&self) -> Option<DateTime<Utc>> {
        let refunds = self.refunding.iter().filter_map(|change| Some(change.later?.at));
        let waits = (self.now.state == State::Created).then_some(self.creation.expires_at);
        let reserved = self.reservation_ends.filter(|_| self.left_to_capture() > 0);
        refunds.chain(waits).chain(reserved).min()
    }

    /// What the clock does at `now`, if anything.
    pub(in super::super) fn due(&self, now: DateTime<Utc>) -> Option<Change> {
        if self.deadline()? > now {
            return None;
        }
        if self.now.state == State::Created {
            return Some(Change::new(Name::Expired, self.creation.amount_ore, now));
        }
        if let Some(refund) = self
            .refunding
            .iter()
            .find(|change| change.later.is_some_and(|later| later.at <= now))
        {
            let fails = refund.later.is_some_and(|later| later.fails);
            let name = if fails { Name::RefundFailed } else { Name::Refunded };
            return Some(Change {
                charge: refund.charge,
                ends: Some(refund.psp_reference),
                ..Change::new(name, refund.amount_ore, now)
            });
        }
        Some(Change::new(Name::Cancelled, self.left_to_capture(), now))
    }
}
