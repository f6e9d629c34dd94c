//! `suspensions`.

use envelope::{Personal, RecordedEvent};
use events::{SuspensionEvent, SuspensionImposed};
use read_model::write::SuspensionRow;
use read_model::{SuspensionKind, SuspensionStatus, Term, searched};

use super::slot::{create, stamp};
use super::{facts, forget};
use crate::bounds;
use crate::misfit::Misfit;

pub(super) fn apply(
    slot: &mut Option<SuspensionRow>,
    recorded: &RecordedEvent,
    event: SuspensionEvent,
) -> Result<(), Misfit> {
    match event {
        SuspensionEvent::SuspensionImposed(imposed) => create(slot, row(recorded, imposed)?),
        SuspensionEvent::SuspensionLifted(lifted) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            row.status = SuspensionStatus::Lifted.into();
            row.lifted_at = Some(recorded.recorded_at);
            row.lift_reason = Some(lifted.reason.into_exposed());
            row.updated_at = recorded.recorded_at;
            (row.version, row.position) = stamp(recorded);
            Ok(())
        }
        SuspensionEvent::SuspensionPersonErased(_) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            forget::person(row);
            row.updated_at = recorded.recorded_at;
            (row.version, row.position) = stamp(recorded);
            Ok(())
        }
    }
}

fn row(recorded: &RecordedEvent, imposed: SuspensionImposed) -> Result<SuspensionRow, Misfit> {
    let (version, position) = stamp(recorded);
    let name = imposed
        .person
        .iter()
        .map(|person| Term::Words(person.name.expose()));
    let numbers = facts::numbers(imposed.vehicle.as_ref());
    let search = searched(name.chain(numbers));
    let person = imposed.person;
    let kind = if person.is_some() {
        SuspensionKind::Person
    } else {
        SuspensionKind::Vehicle
    };
    let birth_date = person.as_ref().map(|person| *person.birth_date.expose());
    Ok(SuspensionRow {
        suspension_id: recorded.aggregate_id,
        kind: kind.into(),
        status: SuspensionStatus::Active.into(),
        // A person is one subject; a vehicle is one for each of its numbers.
        holder_id: person.as_ref().and_then(|_| imposed.subjects.first().copied()),
        person_name: person.map(|person| person.name.into_exposed()),
        person_birth_date: birth_date
            .map(|birth_date| bounds::day(birth_date, "birth_date"))
            .transpose()?,
        vehicle: imposed
            .vehicle
            .as_ref()
            .map(|vehicle| facts::column(&facts::vehicle(vehicle))),
        reason: Personal::into_exposed(imposed.reason),
        until: imposed
            .until
            .map(|until| bounds::day(until, "until"))
            .transpose()?,
        lifted_at: None,
        lift_reason: None,
        search,
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    })
}
