//! `licenses`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use envelope::{Personal, RecordedEvent};
use events::{CorrectedHolder, LicenseCorrected, LicenseEvent, LicenseIssued, Scan, Standing};
use read_model::write::LicenseRow;
use read_model::{LicenseStatus, Term, searched};

use super::slot::{create, stamp};
use super::{facts, forget};
use crate::bounds;
use crate::misfit::Misfit;
use crate::states::license_status;

pub(super) fn apply(
    slot: &mut Option<LicenseRow>,
    recorded: &RecordedEvent,
    event: LicenseEvent,
) -> Result<(), Misfit> {
    let at = Some(recorded.recorded_at);
    match event {
        LicenseEvent::LicenseIssued(issued) => return create(slot, row(recorded, issued)?),
        LicenseEvent::LicenseGranted(granted) => return create(slot, row(recorded, granted.license)?),
        LicenseEvent::LicenseHolderErased(erased) => {
            let row = existing(slot)?;
            row.holder_id = Some(erased.holder_id);
            row.holder_erased_at = at;
            forget::holder(row);
        }
        LicenseEvent::LicenseRevoked(_) | LicenseEvent::LicenseRevokedByStaff(_) => {
            existing(slot)?.revoked_at = at;
        }
        LicenseEvent::LicenseSuspended(_) => existing(slot)?.suspended_at = at,
        LicenseEvent::LicenseReinstated(_) => existing(slot)?.suspended_at = None,
        LicenseEvent::LicenseCorrected(corrected) => {
            let row = existing(slot)?;
            correct(row, corrected)?;
            row.corrected_at = at;
        }
        LicenseEvent::LicenseCheckedIn(checked_in) => {
            let row = existing(slot)?;
            let (admitted_at, gate) = admitted(&checked_in.scan)?;
            (row.checked_in_at, row.checked_in_gate) = (Some(admitted_at), Some(gate));
            scanned(row, &checked_in.scan, checked_in.standing)?;
        }
        LicenseEvent::LicenseScannedAgain(again) => scanned(existing(slot)?, &again.scan, again.standing)?,
        // There is no license, so there is no row.
        LicenseEvent::UnknownLicenseScanned(_) => return Ok(()),
    }
    let row = existing(slot)?;
    let status = license_status(
        row.revoked_at.is_some(),
        row.suspended_at.is_some(),
        row.checked_in_at.is_some(),
    );
    row.status = status.into();
    row.updated_at = recorded.recorded_at;
    (row.version, row.position) = stamp(recorded);
    Ok(())
}

fn existing(slot: &mut Option<LicenseRow>) -> Result<&mut LicenseRow, Misfit> {
    slot.as_mut().ok_or(Misfit::NoRow)
}

fn admitted(scan: &Scan) -> Result<(DateTime<Utc>, String), Misfit> {
    bounds::indexed(&scan.gate, "gate")?;
    Ok((
        bounds::moment(scan.admitted_at, "admitted_at")?,
        scan.gate.clone(),
    ))
}

fn scanned(row: &mut LicenseRow, scan: &Scan, standing: Standing) -> Result<(), Misfit> {
    let (admitted_at, gate) = admitted(scan)?;
    row.scan_count = row.scan_count.saturating_add(1);
    if row.earliest_scan_at.is_none_or(|earliest| admitted_at < earliest) {
        (row.earliest_scan_at, row.earliest_scan_gate) = (Some(admitted_at), Some(gate));
    }
    if matches!(standing, Standing::AfterRevocation | Standing::WhileSuspended) {
        row.scan_alert = Some(standing.into());
    }
    Ok(())
}

fn correct(row: &mut LicenseRow, corrected: LicenseCorrected) -> Result<(), Misfit> {
    if let Some(CorrectedHolder { holder_id, holder }) = corrected.holder {
        row.holder_birth_date = bounds::day(*holder.birth_date.expose(), "birth_date")?;
        row.holder_id = Some(holder_id);
        row.guardian = holder
            .guardian
            .as_ref()
            .map(|guardian| facts::column(&facts::guardian(guardian)));
        row.holder_name = holder.name.into_exposed();
        row.holder_phone = holder.phone.map(Personal::into_exposed);
        row.holder_email = holder.email.map(Personal::into_exposed);
    }
    if let Some(vehicle) = &corrected.vehicle {
        row.vehicle = Some(facts::column(&facts::vehicle(vehicle)));
    }
    row.search = search(row);
    Ok(())
}

/// What `q` finds the license by, from the columns that show it.
fn search(row: &LicenseRow) -> String {
    let vehicle: BTreeMap<String, String> = row
        .vehicle
        .as_ref()
        .and_then(|vehicle| serde_json::from_str(vehicle.0.get()).ok())
        .unwrap_or_default();
    // In the order in which a new row has them.
    let numbers = ["registration", "vehicle_license", "chassis"];
    let numbers = numbers.iter().filter_map(|number| vehicle.get(*number));
    let number = row.order_number.as_deref().map(Term::Number);
    searched(
        number
            .into_iter()
            .chain([Term::Words(&row.holder_name)])
            .chain(row.holder_email.as_deref().map(Term::Words))
            .chain(row.holder_phone.as_deref().map(Term::Phone))
            .chain(numbers.map(|number| Term::Number(number))),
    )
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
    let (kind, holder) = (issued.license_type, issued.holder);
    bounds::indexed(&kind.code, "license_type")?;
    bounds::indexed(&kind.discipline, "discipline")?;
    let mut row = LicenseRow {
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
        search: String::new(),
        issued_at: recorded.recorded_at,
        revoked_at: None,
        revocation_position: None,
        suspended_at: None,
        corrected_at: None,
        checked_in_at: None,
        checked_in_gate: None,
        earliest_scan_at: None,
        earliest_scan_gate: None,
        scan_count: 0,
        scan_alert: None,
        holder_erased_at: None,
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    };
    row.search = search(&row);
    Ok(row)
}
