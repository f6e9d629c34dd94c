//! Licenses. They exist only after their order is paid.

use events::{LicenseEvent, LicenseIssued, LicenseRevoked, RevokeReason, aggregate_type};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::aggregate::aggregate;
use crate::orders::PaidOrder;
use crate::refusal::Refusal;

/// A license.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    issued: Option<LicenseIssued>,
    revoked: bool,
}

/// What a license can be asked to do.
#[allow(
    clippy::large_enum_variant,
    reason = "commands live for one call, and nearly all of them issue"
)]
#[derive(Clone, Debug)]
pub enum LicenseCommand {
    /// Issue the license of one line. Only a paid order makes a [`PaidOrder`].
    Issue {
        /// The order.
        order: PaidOrder,
        /// The line, from 1.
        line: u16,
    },
    /// End the license's validity. A revoked license stays revoked.
    Revoke {
        /// Why.
        reason: RevokeReason,
    },
    /// End the license's validity by a decision of staff. A revoked license stays revoked, with its first reason.
    RevokeByStaff {
        /// Why.
        reason: String,
    },
}

aggregate!(License: aggregate_type::LICENSE, LicenseCommand => LicenseEvent);

impl License {
    /// Whether it was revoked.
    pub const fn revoked(&self) -> bool {
        self.revoked
    }

    /// The order and the line that it was issued for.
    pub fn order_line(&self) -> Option<(Uuid, u16)> {
        self.issued.as_ref().map(|issued| (issued.order_id, issued.line))
    }

    fn decide(&self, command: LicenseCommand) -> Result<Option<LicenseEvent>, Refusal> {
        match command {
            LicenseCommand::Issue { order, line } => self.issue(&order, line),
            LicenseCommand::Revoke { reason } => self.revoke(reason),
            LicenseCommand::RevokeByStaff { reason } => self.revoke_by_staff(&reason),
        }
    }

    fn revoke_by_staff(&self, given: &str) -> Result<Option<LicenseEvent>, Refusal> {
        let reason = envelope::Personal::new(crate::typed::reason(given)?);
        let order_id = self.issued.as_ref().ok_or(Refusal::Unknown)?.order_id;
        Ok((!self.revoked).then(|| events::LicenseRevokedByStaff { order_id, reason }.into()))
    }

    fn revoke(&self, reason: RevokeReason) -> Result<Option<LicenseEvent>, Refusal> {
        let issued = self.issued.as_ref().ok_or(Refusal::Unknown)?;
        let order_id = issued.order_id;
        Ok((!self.revoked).then(|| LicenseRevoked { order_id, reason }.into()))
    }

    fn issue(&self, order: &PaidOrder, line: u16) -> Result<Option<LicenseEvent>, Refusal> {
        let license = order.license(line).ok_or(Refusal::Unknown)?;
        match &self.issued {
            None => Ok(Some(license.into())),
            // The id follows from order and line: this license was issued before.
            Some(issued) if issued.order_id == license.order_id && issued.line == line => Ok(None),
            Some(_) => Err(Refusal::Exists),
        }
    }

    fn evolve(&mut self, event: LicenseEvent) {
        match event {
            LicenseEvent::LicenseIssued(issued) => self.issued = Some(issued),
            LicenseEvent::LicenseRevoked(_) | LicenseEvent::LicenseRevokedByStaff(_) => self.revoked = true,
        }
    }
}
