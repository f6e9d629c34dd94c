//! `clubs`.

use envelope::RecordedEvent;
use events::ClubEvent;
use read_model::write::ClubRow;
use read_model::{ClubStatus, Term, searched};

use super::slot::{create, stamp};
use crate::bounds;
use crate::misfit::Misfit;

pub(super) fn apply(
    slot: &mut Option<ClubRow>,
    recorded: &RecordedEvent,
    event: ClubEvent,
) -> Result<(), Misfit> {
    let (version, position) = stamp(recorded);
    match event {
        ClubEvent::ClubRegistered(registered) => {
            bounds::indexed(&registered.name, "name")?;
            let row = ClubRow {
                club_id: recorded.aggregate_id,
                search: searched([Term::Words(&registered.name)]),
                name: registered.name,
                status: ClubStatus::Active.into(),
                created_at: recorded.recorded_at,
                updated_at: recorded.recorded_at,
                version,
                position,
            };
            create(slot, row)
        }
        ClubEvent::ClubRenamed(renamed) => {
            bounds::indexed(&renamed.name, "name")?;
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            row.search = searched([Term::Words(&renamed.name)]);
            row.name = renamed.name;
            row.updated_at = recorded.recorded_at;
            Ok(())
        }
        ClubEvent::ClubDeactivated(_) => set_status(slot, recorded, ClubStatus::Inactive),
        ClubEvent::ClubActivated(_) => set_status(slot, recorded, ClubStatus::Active),
    }
}

fn set_status(
    slot: &mut Option<ClubRow>,
    recorded: &RecordedEvent,
    status: ClubStatus,
) -> Result<(), Misfit> {
    let row = slot.as_mut().ok_or(Misfit::NoRow)?;
    row.status = status.into();
    row.updated_at = recorded.recorded_at;
    Ok(())
}
