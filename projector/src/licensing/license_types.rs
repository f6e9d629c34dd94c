//! `license_types`.

use envelope::RecordedEvent;
use events::{LicenseTypeCreated, LicenseTypeEvent};
use read_model::write::LicenseTypeRow;
use serde_json::json;
use tokio_postgres::types::Json;

use super::{Misfit, create, facts, stamp};

pub(super) fn apply(
    slot: &mut Option<LicenseTypeRow>,
    recorded: &RecordedEvent,
    event: LicenseTypeEvent,
) -> Result<(), Misfit> {
    match event {
        LicenseTypeEvent::LicenseTypeCreated(created) => create(slot, row(recorded, created)),
        LicenseTypeEvent::LicenseTypePriceSet(set) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            row.prices
                .0
                .push(json!({"price_ore": set.price_ore, "valid_from": set.valid_from}));
            touch(row, recorded);
            Ok(())
        }
        LicenseTypeEvent::LicenseTypePriceWithdrawn(withdrawn) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            let moment = json!(withdrawn.valid_from);
            row.prices.0.retain(|price| price["valid_from"] != moment);
            touch(row, recorded);
            Ok(())
        }
    }
}

fn touch(row: &mut LicenseTypeRow, recorded: &RecordedEvent) {
    row.updated_at = recorded.recorded_at;
    (row.version, row.position) = stamp(recorded);
}

fn row(recorded: &RecordedEvent, created: LicenseTypeCreated) -> LicenseTypeRow {
    let LicenseTypeCreated {
        facts,
        min_age,
        max_age,
        max_days,
    } = created;
    let (version, position) = stamp(recorded);
    LicenseTypeRow {
        license_type_id: recorded.aggregate_id,
        code: facts.code,
        category: facts::category(facts.category).into(),
        discipline: facts.discipline,
        role: facts::role(facts.role).into(),
        name_nb: facts.name_nb,
        name_en: facts.name_en,
        prices: Json(Vec::new()),
        min_age: min_age.map(Into::into),
        max_age: max_age.map(Into::into),
        max_days: max_days.into(),
        status: "active".into(),
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    }
}
