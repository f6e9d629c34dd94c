//! `licenses`.

use envelope::RecordedEvent;
use events::{LicenseEvent, LicenseIssued};
use read_model::write::LicenseRow;
use read_model::{LicenseStatus, Term, searched};

use super::misfit::Misfit;
use super::slot::{create, stamp};
use super::{bounds, facts};

pub(super) fn apply(
    slot: &mut Option<LicenseRow>,
    recorded: &RecordedEvent,
    event: LicenseEvent,
) -> Result<(), Misfit> {
    match event {
        LicenseEvent::LicenseIssued(issued) => create(slot, row(recorded, issued)?),
        LicenseEvent::LicenseRevoked(_) | LicenseEvent::LicenseRevokedByStaff(_) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            row.status = LicenseStatus::Revoked.into();
            row.revoked_at = Some(recorded.recorded_at);
            row.updated_at = recorded.recorded_at;
            (row.version, row.position) = stamp(recorded);
            Ok(())
        }
    }
}

/// Moves a license that is or was revoked or suspended in the list of revocations, after each of its events.
pub(super) fn note_revocation(slot: &mut Option<LicenseRow>) {
    if let Some(row) = slot {
        let is_void = matches!(row.status.0, LicenseStatus::Revoked | LicenseStatus::Suspended);
        if is_void || row.revocation_position.is_some() {
            row.revocation_position = Some(row.position);
        }
    }
}

fn row(recorded: &RecordedEvent, issued: LicenseIssued) -> Result<LicenseRow, Misfit> {
    let (version, position) = stamp(recorded);
    let terms = facts::search_terms(&issued.holder, issued.vehicle.as_ref());
    let search = searched(std::iter::once(Term::Number(&issued.order_number)).chain(terms));
    let (kind, holder) = (issued.license_type, issued.holder);
    bounds::indexed(&kind.code, "license_type")?;
    bounds::indexed(&kind.discipline, "discipline")?;
    Ok(LicenseRow {
        license_id: recorded.aggregate_id,
        order_id: issued.order_id,
        order_number: Some(issued.order_number),
        line: issued.line.into(),
        customer_id: issued.customer_id,
        status: LicenseStatus::Issued.into(),
        license_type: kind.code,
        category: kind.category.into(),
        discipline: kind.discipline,
        role: kind.role.into(),
        name_nb: kind.name_nb,
        name_en: kind.name_en,
        club_id: issued.club_id,
        club_name: issued.club_name,
        activity_date: bounds::day(issued.activity_date, "activity_date")?,
        activity_days: bounds::days(issued.activity_days, "activity_days")?.into(),
        holder_id: issued.holder_id,
        holder_name: holder.name.into_exposed(),
        holder_birth_date: bounds::day(holder.birth_date.into_exposed(), "birth_date")?,
        holder_phone: holder.phone.map(envelope::Personal::into_exposed),
        holder_email: holder.email.map(envelope::Personal::into_exposed),
        guardian: holder
            .guardian
            .as_ref()
            .map(|guardian| facts::column(&facts::guardian(guardian))),
        vehicle: issued
            .vehicle
            .as_ref()
            .map(|vehicle| facts::column(&facts::vehicle(vehicle))),
        price_ore: bounds::amount(issued.price_ore, "price_ore")?,
        search,
        issued_at: recorded.recorded_at,
        revoked_at: None,
        revocation_position: None,
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    })
}
