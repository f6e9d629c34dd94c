//! Rule 6: suspended people and vehicles get no licenses.
//!
//! A suspension in force blocks every order, for any day: the person or vehicle is suspended now. It does not touch issued
//! licenses; staff suspends or revokes those. A person is known by the holder's id, a vehicle by a keyed hash of each of
//! its numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use envelope::Personal;
use events::{
    SuspendedPerson, SuspensionEvent, SuspensionImposed, SuspensionLifted, SuspensionPersonErased,
    aggregate_type,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::SuspensionStatus;

use crate::aggregate::aggregate;
use crate::day::{age, today};
use crate::findings::Findings;
use crate::holder::HolderKey;
use crate::people::{RequestedVehicle, vehicle};
use crate::refusal::{Refusal, Rule};
use crate::typed;

/// A suspension of a person or a vehicle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Whom or what; empty before it is imposed.
    subjects: BTreeSet<Uuid>,
    until: Option<NaiveDate>,
    lifted: bool,
    /// The person, if it is one.
    person_id: Option<Uuid>,
    person_erased: bool,
}

/// What a suspension can be asked to do.
#[derive(Clone)]
pub enum SuspensionCommand {
    /// Impose it.
    Impose {
        /// What is asked.
        new: Box<NewSuspension>,
        /// Makes the ids of people and vehicles.
        holder_key: Arc<HolderKey>,
        /// The moment of the command.
        now: DateTime<Utc>,
    },
    /// Forget the person's name and birth date. The suspension goes on.
    ErasePerson {
        /// The person, by the holder's id.
        person_id: Uuid,
    },
    /// End it. A lifted suspension stays lifted, with its first reason.
    Lift {
        /// Why.
        reason: String,
    },
}

/// Whom or what to suspend.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSuspension {
    /// A person; either this or a vehicle.
    pub person: Option<RequestedPerson>,
    /// A vehicle, by one or several of its numbers. Each of them is suspended.
    pub vehicle: Option<RequestedVehicle>,
    /// The decision in words.
    #[schema(
        min_length = 1,
        max_length = 500,
        example = "Decision 12/2026 of the disciplinary committee"
    )]
    pub reason: String,
    /// Its last day; without one it lasts until it is lifted.
    #[serde(default, deserialize_with = "crate::typed::optional_date")]
    #[schema(pattern = "^(19[0-9]{2}|20[0-9]{2}|2100)-", example = "2099-12-31")]
    pub until: Option<NaiveDate>,
}

/// A person, as staff names them.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedPerson {
    /// Full name.
    #[schema(example = "Ola Nordmann")]
    pub name: String,
    /// Birth date.
    #[serde(deserialize_with = "crate::typed::date")]
    #[schema(pattern = "^(19[0-9]{2}|20[0-9]{2}|2100)-", example = "1988-02-29")]
    pub birth_date: NaiveDate,
}

aggregate!(Suspension: aggregate_type::SUSPENSION, SuspensionCommand => SuspensionEvent);

impl Suspension {
    /// Whom or what it names; nothing before it is imposed.
    pub const fn subjects(&self) -> &BTreeSet<Uuid> {
        &self.subjects
    }

    /// Whether it blocks licenses at `now`: its last day is included.
    pub fn in_force(&self, now: DateTime<Utc>) -> bool {
        let ended = self.until.is_some_and(|last| last < today(now));
        !self.subjects.is_empty() && !self.lifted && !ended
    }

    /// Whether staff ended it.
    pub const fn status(&self) -> SuspensionStatus {
        if self.lifted {
            SuspensionStatus::Lifted
        } else {
            SuspensionStatus::Active
        }
    }

    fn decide(&self, command: SuspensionCommand) -> Result<Option<SuspensionEvent>, Refusal> {
        match command {
            SuspensionCommand::Impose { .. } if !self.subjects.is_empty() => Err(Refusal::Exists),
            SuspensionCommand::Impose { new, holder_key, now } => {
                impose(&new, &holder_key, now).map(|imposed| Some(imposed.into()))
            }
            SuspensionCommand::ErasePerson { person_id } => {
                let theirs = self.subjects.contains(&person_id) && !self.person_erased;
                Ok(theirs.then(|| SuspensionPersonErased { person_id }.into()))
            }
            SuspensionCommand::Lift { reason } => {
                let reason = typed::reason(&reason)?;
                let reason = match self.person_id {
                    Some(person_id) => Personal::of(person_id, reason),
                    None => Personal::new(reason),
                };
                if self.subjects.is_empty() {
                    return Err(Refusal::Unknown);
                }
                Ok((!self.lifted).then(|| SuspensionLifted { reason }.into()))
            }
        }
    }

    fn evolve(&mut self, event: SuspensionEvent) {
        match event {
            SuspensionEvent::SuspensionImposed(imposed) => {
                let person = imposed.person.is_some();
                self.person_id = imposed.subjects.first().copied().filter(|_| person);
                self.subjects = imposed.subjects.into_iter().collect();
                self.until = imposed.until;
            }
            SuspensionEvent::SuspensionLifted(_) => self.lifted = true,
            SuspensionEvent::SuspensionPersonErased(_) => self.person_erased = true,
        }
    }
}

fn impose(new: &NewSuspension, key: &HolderKey, now: DateTime<Utc>) -> Result<SuspensionImposed, Refusal> {
    let mut findings = Findings::new();
    let reason = typed::reason(&new.reason)?;
    if new.person.is_some() == new.vehicle.is_some() {
        findings.add("/person".into(), Rule::SuspensionSubject);
    }
    if new.until.is_some_and(|last| last < today(now)) {
        findings.add("/until".into(), Rule::UntilPast);
    }
    let person = new.person.as_ref().and_then(|asked| {
        if age(asked.birth_date, today(now)).is_none_or(|years| years > 120) {
            findings.add("/person/birth_date".into(), Rule::BirthDate);
        }
        let name = findings.keep("/person/name".into(), typed::person_name(&asked.name))?;
        Some(SuspendedPerson {
            birth_date: Personal::of(key.person_id(&name, asked.birth_date), asked.birth_date),
            name: Personal::of(key.person_id(&name, asked.birth_date), name),
        })
    });
    let before = findings.fields.len();
    let vehicle = vehicle(new.vehicle.as_ref(), "/vehicle", &mut findings);
    if new.vehicle.is_some() && vehicle.is_none() && findings.fields.len() == before {
        findings.add("/vehicle".into(), Rule::Required);
    }
    findings.refuse()?;
    let of_person = person
        .as_ref()
        .map(|person| key.person_id(person.name.expose(), *person.birth_date.expose()));
    let of_vehicle = vehicle.iter().flat_map(|vehicle| key.vehicle_ids(vehicle));
    Ok(SuspensionImposed {
        subjects: of_person.into_iter().chain(of_vehicle).collect(),
        person,
        vehicle,
        reason: of_person.map_or_else(
            || Personal::new(reason.clone()),
            |id| Personal::of(id, reason.clone()),
        ),
        until: new.until,
    })
}

#[cfg(test)]
mod tests;
