//! Licenses. They exist only after their order is paid, or by a decision of staff: `issued → checked_in`, with `revoked`
//! and `suspended → reinstated`.

mod check_in;
mod correct;
mod grant;

pub use check_in::{CheckIn, FirstScan, ScanReport};
pub use correct::CorrectLicense;
pub use grant::GrantLicense;

use envelope::Personal;
use events::{
    Holder, LicenseEvent, LicenseHolderErased, LicenseIssued, LicenseReinstated, LicenseRevoked,
    LicenseRevokedByStaff, LicenseSuspended, RevokeReason, aggregate_type,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::LicenseStatus;

use crate::aggregate::aggregate;
use crate::day::last_day;
use crate::orders::PaidOrder;
use crate::persons::EraseHolder;
use crate::refusal::Refusal;

/// A license.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// With the holder and the vehicle as they were corrected.
    issued: Option<LicenseIssued>,
    revoked: bool,
    suspended: bool,
    /// The scan that is the check-in: the first in the log.
    check_in: Option<FirstScan>,
    /// How many scans were recorded, also of a license that does not exist.
    scans: u32,
}

/// What a license can be asked to do.
#[allow(
    clippy::large_enum_variant,
    reason = "commands live for one call, and nearly all of them issue"
)]
#[derive(Clone)]
pub enum LicenseCommand {
    /// Issue the license of one line. Only a paid order makes a [`PaidOrder`].
    Issue {
        /// The order.
        order: PaidOrder,
        /// The line, from 1.
        line: u16,
    },
    /// Give a license without an order and without a payment.
    Grant(Box<GrantLicense>),
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
    /// Take the license's validity away for now. A suspended license stays suspended, with its first reason.
    Suspend {
        /// Why.
        reason: String,
    },
    /// Give a suspended license its validity back.
    Reinstate {
        /// Why.
        reason: String,
    },
    /// Correct the holder or the vehicle, before check-in.
    Correct(Box<CorrectLicense>),
    /// Record a scan at the gate.
    CheckIn(Box<CheckIn>),
    /// Forget the holder.
    EraseHolder(Box<EraseHolder>),
}

aggregate!(License: aggregate_type::LICENSE, LicenseCommand => LicenseEvent);

impl License {
    /// Whether it was revoked.
    pub const fn revoked(&self) -> bool {
        self.revoked
    }

    /// Where it stands; none before it is issued. A license that is revoked or suspended may have its check-in, too.
    pub fn status(&self) -> Option<LicenseStatus> {
        self.issued.as_ref().map(|_| {
            if self.revoked {
                LicenseStatus::Revoked
            } else if self.suspended {
                LicenseStatus::Suspended
            } else if self.check_in.is_some() {
                LicenseStatus::CheckedIn
            } else {
                LicenseStatus::Issued
            }
        })
    }

    /// What was issued, with later corrections.
    pub const fn issued(&self) -> Option<&LicenseIssued> {
        self.issued.as_ref()
    }

    /// The club that organizes its activity.
    pub fn club_id(&self) -> Option<Uuid> {
        self.issued.as_ref().map(|issued| issued.club_id)
    }

    /// The order and the line that it was issued for.
    pub fn order_line(&self) -> Option<(Uuid, u16)> {
        self.issued.as_ref().map(|issued| (issued.order_id, issued.line))
    }

    fn decide(&self, command: LicenseCommand) -> Result<Option<LicenseEvent>, Refusal> {
        match command {
            LicenseCommand::Issue { order, line } => self.issue(&order, line),
            LicenseCommand::Grant(asked) => self.grant(&asked),
            LicenseCommand::Revoke { reason } => self.revoke(reason),
            LicenseCommand::RevokeByStaff { reason } => self.revoke_by_staff(&reason),
            LicenseCommand::Suspend { reason } => self.suspend(&reason),
            LicenseCommand::Reinstate { reason } => self.reinstate(&reason),
            LicenseCommand::Correct(correction) => self.correct(&correction),
            LicenseCommand::CheckIn(check_in) => self.scan(&check_in),
            LicenseCommand::EraseHolder(asked) => self.erase_holder(&asked),
        }
    }

    fn suspend(&self, given: &str) -> Result<Option<LicenseEvent>, Refusal> {
        let reason = Personal::new(crate::typed::reason(given)?);
        let order_id = self.issued.as_ref().ok_or(Refusal::Unknown)?.order_id;
        if self.revoked {
            return Err(Refusal::LicenseState);
        }
        Ok((!self.suspended).then(|| LicenseSuspended { order_id, reason }.into()))
    }

    fn reinstate(&self, given: &str) -> Result<Option<LicenseEvent>, Refusal> {
        let reason = Personal::new(crate::typed::reason(given)?);
        let order_id = self.issued.as_ref().ok_or(Refusal::Unknown)?.order_id;
        if self.revoked || !self.suspended {
            return Err(Refusal::LicenseState);
        }
        Ok(Some(LicenseReinstated { order_id, reason }.into()))
    }

    fn revoke_by_staff(&self, given: &str) -> Result<Option<LicenseEvent>, Refusal> {
        let reason = Personal::new(crate::typed::reason(given)?);
        let order_id = self.issued.as_ref().ok_or(Refusal::Unknown)?.order_id;
        Ok((!self.revoked).then(|| LicenseRevokedByStaff { order_id, reason }.into()))
    }

    /// A license that may still be used keeps its holder: the gate needs the name.
    fn erase_holder(&self, asked: &EraseHolder) -> Result<Option<LicenseEvent>, Refusal> {
        let issued = self.issued.as_ref().ok_or(Refusal::Unknown)?;
        let holder_id = issued.holder_id;
        let holder_id = holder_id.unwrap_or_else(|| asked.holder_key.holder_id(&issued.holder));
        if holder_id != asked.holder_id || issued.holder.name.is_erased() {
            return Ok(None);
        }
        let last = last_day(issued.activity_date, issued.activity_days);
        if !self.revoked && last >= asked.today && !asked.decided_before {
            return Err(Refusal::ErasureLicenseValid);
        }
        Ok(Some(LicenseHolderErased { holder_id }.into()))
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
            LicenseEvent::LicenseGranted(granted) => self.issued = Some(granted.license),
            LicenseEvent::LicenseRevoked(_) | LicenseEvent::LicenseRevokedByStaff(_) => self.revoked = true,
            LicenseEvent::LicenseHolderErased(LicenseHolderErased { holder_id }) => {
                if let Some(issued) = &mut self.issued {
                    issued.holder_id = Some(holder_id);
                    issued.holder = Holder::erased();
                    issued.vehicle = None;
                }
            }
            LicenseEvent::LicenseSuspended(_) => self.suspended = true,
            LicenseEvent::LicenseReinstated(_) => self.suspended = false,
            LicenseEvent::LicenseCorrected(corrected) => self.corrected(corrected),
            LicenseEvent::LicenseCheckedIn(checked_in) => {
                self.check_in = Some(FirstScan::of(checked_in));
                self.scans += 1;
            }
            LicenseEvent::LicenseScannedAgain(_) | LicenseEvent::UnknownLicenseScanned(_) => self.scans += 1,
        }
    }
}

#[cfg(test)]
mod tests;
