//! A corrected holder or vehicle, by the rules that hold when a license is ordered.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use envelope::Personal;
use events::{CorrectedHolder, LicenseCorrected, LicenseEvent, LicenseIssued};
use uuid::Uuid;
use vocabulary::Role;

use super::License;
use crate::day::today;
use crate::findings::Findings;
use crate::holder::HolderKey;
use crate::orders::{ClaimChange, license_claims};
use crate::people::{RequestedHolder, RequestedVehicle, check_age, holder, vehicle};
use crate::refusal::{Refusal, Rule};

/// What to correct, with what its rules need.
#[derive(Clone)]
pub struct CorrectLicense {
    /// Why.
    pub reason: String,
    /// The whole holder as it is right.
    pub holder: Option<RequestedHolder>,
    /// The whole vehicle as it is right.
    pub vehicle: Option<RequestedVehicle>,
    /// Youngest age on the activity day.
    pub min_age: Option<u8>,
    /// Oldest age on the activity day.
    pub max_age: Option<u8>,
    /// Which of the corrected holder and vehicle are suspended.
    pub suspended: BTreeSet<Uuid>,
    /// Makes holder ids.
    pub holder_key: Arc<HolderKey>,
    /// The moment of the command.
    pub now: DateTime<Utc>,
}

impl License {
    /// What `events` do to the license's claims; `self` is the license after them.
    pub fn claim_change(
        &self,
        license_id: Uuid,
        events: &[LicenseEvent],
        key: &HolderKey,
    ) -> Option<ClaimChange> {
        if self.revoked {
            return Some(ClaimChange::Release(vec![license_id]));
        }
        let granted = |event: &LicenseEvent| matches!(event, LicenseEvent::LicenseGranted(_));
        if let Some(issued) = self.issued.as_ref().filter(|_| events.iter().any(granted)) {
            return Some(ClaimChange::Take(license_claims(license_id, issued, key)));
        }
        let moves = |event: &LicenseEvent| matches!(event, LicenseEvent::LicenseCorrected(corrected) if corrected.holder.is_some());
        let issued = self.issued.as_ref().filter(|_| events.iter().any(moves))?;
        Some(ClaimChange::Move(
            license_id,
            license_claims(license_id, issued, key),
        ))
    }

    pub(super) fn correct(&self, asked: &CorrectLicense) -> Result<Option<LicenseEvent>, Refusal> {
        let issued = self.issued.as_ref().ok_or(Refusal::Unknown)?;
        if self.revoked || self.check_in.is_some() {
            return Err(Refusal::LicenseState);
        }
        let reason = crate::typed::reason(&asked.reason)?;
        let mut findings = Findings::new();
        if asked.holder.is_none() && asked.vehicle.is_none() {
            findings.add("/holder".into(), Rule::NothingToCorrect);
        }
        let corrected = LicenseCorrected {
            order_id: issued.order_id,
            reason: Personal::new(reason),
            holder: asked.holder(issued, &mut findings),
            vehicle: asked.vehicle(issued, &mut findings),
        };
        findings.refuse()?;
        let corrected = corrected.belonging_to(issued.holder_id, issued.vehicle.as_ref());
        let same_holder = corrected
            .holder
            .as_ref()
            .is_none_or(|corrected| corrected.holder == issued.holder);
        let same_vehicle = corrected.vehicle.is_none() || corrected.vehicle == issued.vehicle;
        Ok((!same_holder || !same_vehicle).then(|| corrected.into()))
    }

    pub(super) fn corrected(&mut self, corrected: LicenseCorrected) {
        let Some(issued) = &mut self.issued else { return };
        if let Some(CorrectedHolder { holder_id, holder }) = corrected.holder {
            issued.holder_id = Some(holder_id);
            issued.holder = holder;
        }
        if let Some(vehicle) = corrected.vehicle {
            issued.vehicle = Some(vehicle);
        }
    }
}

impl CorrectLicense {
    /// The ids by which suspensions know what would be corrected.
    pub fn subjects(&self) -> BTreeSet<Uuid> {
        self.holder_key.asked(self.holder.as_ref(), self.vehicle.as_ref())
    }

    fn holder(&self, issued: &LicenseIssued, findings: &mut Findings) -> Option<CorrectedHolder> {
        let asked = self.holder.as_ref()?;
        let day = issued.activity_date;
        let checked = holder(asked, day, today(self.now), "/holder", findings);
        check_age(
            asked.birth_date,
            day,
            (self.min_age, self.max_age),
            "/holder",
            findings,
        );
        let holder = checked?;
        let holder_id = self.holder_key.holder_id(&holder);
        if self.suspended.contains(&holder_id) {
            findings.add("/holder".into(), Rule::HolderSuspended);
        }
        let holder = holder.belonging_to(holder_id);
        Some(CorrectedHolder { holder_id, holder })
    }

    fn vehicle(&self, issued: &LicenseIssued, findings: &mut Findings) -> Option<events::Vehicle> {
        let asked = self.vehicle.as_ref()?;
        let before = findings.fields.len();
        let checked = vehicle(Some(asked), "/vehicle", findings);
        let needed = issued.license_type.role == Role::Driver && checked.is_none();
        if needed && findings.fields.len() == before {
            findings.add("/vehicle".into(), Rule::Vehicle);
        }
        let vehicle = checked?;
        if self
            .holder_key
            .vehicle_ids(&vehicle)
            .any(|id| self.suspended.contains(&id))
        {
            findings.add("/vehicle".into(), Rule::VehicleSuspended);
        }
        Some(vehicle)
    }
}
