//! The rules of one line: what a license can be for, and for whom.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use events::OrderLine;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::{ClubStatus, Role};

use crate::day::today;
use crate::findings::Findings;
use crate::holder::HolderKey;
use crate::license_types::Offer;
use crate::people::{RequestedHolder, RequestedVehicle, check_age, holder, vehicle};
use crate::refusal::Rule;

/// How far ahead an activity day may lie, the last one of a span included.
const MAX_DAYS_AHEAD: i64 = 365;

/// One line, as the customer gives it.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedLine {
    /// Code of the license type.
    #[schema(example = "konkurranse-bilcross")]
    pub license_type: String,
    /// The organizing club.
    pub club_id: Uuid,
    /// First day of the activity.
    #[serde(deserialize_with = "crate::typed::date")]
    #[schema(pattern = "^(19[0-9]{2}|20[0-9]{2}|2100)-", example = "2026-06-05")]
    pub activity_date: NaiveDate,
    /// How many consecutive days; 1 if not given.
    #[schema(minimum = 1, maximum = 3, example = 1)]
    pub activity_days: Option<u8>,
    /// Who the license is for.
    pub holder: RequestedHolder,
    /// With which vehicle.
    pub vehicle: Option<RequestedVehicle>,
}

/// One line with the catalogue's entries for it.
#[derive(Clone)]
pub struct RequestedLine {
    /// What the customer asks for.
    pub asked: AskedLine,
    /// What the catalogue offers under that code now, if anything.
    pub offer: Option<Offer>,
    /// The club, if there is one.
    pub club: Option<OrderClub>,
}

/// A club, as an order refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderClub {
    /// Its id.
    pub club_id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether it organizes activities.
    pub status: ClubStatus,
}

impl AskedLine {
    /// The ids by which suspensions know this line's holder and vehicle.
    pub fn subjects(&self, key: &HolderKey) -> BTreeSet<Uuid> {
        key.asked(Some(&self.holder), self.vehicle.as_ref())
    }
}

/// What the rules of a line need besides the line.
pub(crate) struct LineRules<'a> {
    /// The moment of the command.
    pub(crate) now: DateTime<Utc>,
    /// Makes holder ids.
    pub(crate) holder_key: &'a HolderKey,
    /// Which of the holders and vehicles are suspended.
    pub(crate) suspended: &'a BTreeSet<Uuid>,
}

impl LineRules<'_> {
    /// The line, if every rule holds.
    pub(crate) fn check(
        &self,
        number: u16,
        license_id: Uuid,
        line: &RequestedLine,
        at: &str,
        findings: &mut Findings,
    ) -> Option<OrderLine> {
        let asked = &line.asked;
        let today = today(self.now);
        let ahead = (asked.activity_date - today).num_days();
        let days = asked.activity_days.unwrap_or(1);
        if ahead < 0 {
            findings.add(format!("{at}/activity_date"), Rule::ActivityPast);
        } else if ahead + i64::from(days) - 1 > MAX_DAYS_AHEAD {
            findings.add(format!("{at}/activity_date"), Rule::ActivityTooFar);
        }
        match &line.club {
            None => findings.add(format!("{at}/club_id"), Rule::Club),
            Some(club) if club.status == ClubStatus::Inactive => {
                findings.add(format!("{at}/club_id"), Rule::ClubInactive);
            }
            Some(_) => {}
        }
        let holder = holder(
            &asked.holder,
            asked.activity_date,
            today,
            &format!("{at}/holder"),
            findings,
        );
        let wrong_before = findings.fields.len();
        let vehicle = vehicle(asked.vehicle.as_ref(), &format!("{at}/vehicle"), findings);
        let Some(offer) = &line.offer else {
            findings.add(format!("{at}/license_type"), Rule::LicenseType);
            return None;
        };
        if offer.facts.role == Role::Driver && vehicle.is_none() && findings.fields.len() == wrong_before {
            findings.add(format!("{at}/vehicle"), Rule::Vehicle);
        }
        if !(1..=offer.max_days).contains(&days) {
            findings.add(format!("{at}/activity_days"), Rule::ActivityDays);
        }
        check_age(
            asked.holder.birth_date,
            asked.activity_date,
            (offer.min_age, offer.max_age),
            &format!("{at}/holder"),
            findings,
        );
        let (club, holder) = (line.club.as_ref()?, holder?);
        let holder_id = self.holder_key.holder_id(&holder);
        if self.suspended.contains(&holder_id) {
            findings.add(format!("{at}/holder"), Rule::HolderSuspended);
        }
        if let Some(vehicle) = &vehicle
            && self
                .holder_key
                .vehicle_ids(vehicle)
                .any(|id| self.suspended.contains(&id))
        {
            findings.add(format!("{at}/vehicle"), Rule::VehicleSuspended);
        }
        Some(OrderLine {
            line: number,
            license_id,
            license_type: offer.facts.clone(),
            club_id: club.club_id,
            club_name: club.name.clone(),
            activity_date: asked.activity_date,
            activity_days: days,
            price_ore: offer.price_ore,
            tax: offer.tax.clone(),
            lifetime_cap: offer.lifetime_cap,
            holder_id: Some(holder_id),
            holder: holder.belonging_to(holder_id),
            vehicle: vehicle.map(|vehicle| vehicle.belonging_to(holder_id)),
        })
    }
}
