//! `clubs`.

use envelope::RecordedEvent;
use events::ClubEvent;
use read_model::write::ClubRow;

use super::{Misfit, create, stamp};

pub(super) fn apply(
    slot: &mut Option<ClubRow>,
    recorded: &RecordedEvent,
    event: ClubEvent,
) -> Result<(), Misfit> {
    let (version, position) = stamp(recorded);
    match event {
        ClubEvent::ClubRegistered(registered) => create(
            slot,
            ClubRow {
                club_id: recorded.aggregate_id,
                name: registered.name,
                created_at: recorded.recorded_at,
                updated_at: recorded.recorded_at,
                version,
                position,
            },
        ),
    }
}
