//! A complimentary license: staff gives it, by the rules that hold when a license is ordered, but for the payment and the
//! terms.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use envelope::Personal;
use events::{LicenseEvent, LicenseGranted, LicenseIssued};
use uuid::Uuid;

use super::License;
use crate::findings::Findings;
use crate::holder::HolderKey;
use crate::ids::{license_id, order_number};
use crate::orders::{LineRules, RequestedLine};
use crate::refusal::Refusal;

/// What to give, with what its rules need.
#[derive(Clone)]
pub struct GrantLicense {
    /// Stands where an order's id does. The license's id follows from it.
    pub grant_id: Uuid,
    /// Who gives it. It is among their licenses.
    pub given_by: Uuid,
    /// What, and for whom.
    pub line: RequestedLine,
    /// Why.
    pub reason: String,
    /// Which of the holder and vehicle are suspended.
    pub suspended: BTreeSet<Uuid>,
    /// Makes holder ids.
    pub holder_key: Arc<HolderKey>,
    /// The moment of the command.
    pub now: DateTime<Utc>,
}

impl GrantLicense {
    /// The id of the license of this grant.
    pub fn license_id(grant_id: Uuid) -> Uuid {
        license_id(grant_id, 1)
    }
}

impl License {
    pub(super) fn grant(&self, asked: &GrantLicense) -> Result<Option<LicenseEvent>, Refusal> {
        if let Some(issued) = &self.issued {
            return if issued.order_id == asked.grant_id {
                Ok(None)
            } else {
                Err(Refusal::Exists)
            };
        }
        let reason = crate::typed::reason(&asked.reason)?;
        let mut findings = Findings::new();
        let rules = LineRules {
            now: asked.now,
            holder_key: &asked.holder_key,
            suspended: &asked.suspended,
        };
        let license_id = GrantLicense::license_id(asked.grant_id);
        let line = rules.check(1, license_id, &asked.line, "", &mut findings);
        findings.refuse()?;
        // A line without findings is whole.
        let line = line.ok_or(Refusal::Unknown)?;
        let reason = match line.holder_id {
            Some(holder_id) => Personal::of(holder_id, reason),
            None => Personal::new(reason),
        };
        let license = LicenseIssued {
            order_id: asked.grant_id,
            order_number: order_number(asked.grant_id),
            line: line.line,
            customer_id: asked.given_by,
            license_type: line.license_type,
            club_id: line.club_id,
            club_name: line.club_name,
            activity_date: line.activity_date,
            activity_days: line.activity_days,
            lifetime_cap: line.lifetime_cap,
            holder_id: line.holder_id,
            holder: line.holder,
            vehicle: line.vehicle,
            price_ore: 0,
        };
        Ok(Some(LicenseGranted { license, reason }.into()))
    }
}
