//! `clubs`.

use envelope::RecordedEvent;
use events::ClubEvent;
use read_model::write::ClubRow;
use read_model::{Term, searched};

use super::bounds;
use super::misfit::Misfit;
use super::slot::{create, stamp};

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
                created_at: recorded.recorded_at,
                updated_at: recorded.recorded_at,
                version,
                position,
            };
            create(slot, row)
        }
    }
}
