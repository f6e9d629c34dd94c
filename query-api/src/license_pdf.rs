//! `GET /api/v1/licenses/{license_id}/license.pdf`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Oslo;
use documents::{Language, license};
use query::{Parameters, Record};
use read_model::{LICENSES, LicenseStatus, Scope};
use serde::Deserialize;
use serde_json::Value;
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;
use uuid::Uuid;

use crate::access::access;
use crate::codes::{CODE, Vehicle, code, keys_missing};
use crate::{AppState, rendering};

const COLUMNS: [&str; 13] = [
    "license_id",
    "order_number",
    "line",
    "status",
    "name_nb",
    "name_en",
    "club_name",
    "activity_date",
    "activity_days",
    "holder",
    "vehicle",
    "issued_at",
    CODE,
];

/// Name in metrics.
pub(crate) const KIND: &str = "license";

/// The row of a license, as far as its document shows it.
#[derive(Deserialize)]
struct Row {
    license_id: Uuid,
    order_number: Option<String>,
    line: i32,
    status: LicenseStatus,
    name_nb: String,
    name_en: String,
    club_name: String,
    activity_date: NaiveDate,
    activity_days: u8,
    holder: Holder,
    vehicle: Option<Vehicle>,
    issued_at: DateTime<Utc>,
    qr: Value,
}

#[derive(Deserialize)]
struct Holder {
    name: Option<String>,
    birth_date: Option<NaiveDate>,
}

pub(crate) async fn license_pdf(
    State(state): State<AppState>,
    principal: Principal,
    Path(license_id): Path<String>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let language = rendering::language(&mut parameters);
    let if_none_match = parameters.if_none_match();
    let rows = access(&principal, Scope::of_licenses);
    let (row, position) = state
        .reads
        .row(&LICENSES, &license_id, &COLUMNS, parameters, rows)
        .await?;
    let row = read(&row)?;
    if row.status == LicenseStatus::Revoked {
        return Err(revoked());
    }
    let ring = state.signer.as_ref().ok_or_else(keys_missing)?.ring();
    let code = code(&ring, &row.qr).ok_or_else(without_code)?;
    let number = number(&row);
    let file = format!("{}-{number}", language.of("lisens", "license"));
    let document = move || pdf(&row, &number, &code, language);
    let bytes = state.renderer.render(KIND, document).await?;
    Ok(rendering::answer(
        KIND,
        &file,
        bytes,
        position,
        if_none_match.as_deref(),
    ))
}

fn read(row: &Record) -> Result<Row, Problem> {
    serde_json::from_slice(row.json()).map_err(|error| Problem::internal(&error))
}

/// The order's number and the line; the beginning of the id where the order is not known.
fn number(row: &Row) -> String {
    match &row.order_number {
        Some(order) => format!("{order}-{}", row.line),
        None => row.license_id.to_string().chars().take(8).collect(),
    }
}

fn pdf(row: &Row, number: &str, code: &str, language: Language) -> Result<Vec<u8>, documents::DocumentError> {
    let license = license::License {
        number,
        license_id: row.license_id,
        type_name: language.of(&row.name_nb, &row.name_en),
        club: &row.club_name,
        first_day: row.activity_date,
        days: row.activity_days,
        // A row without them has no code, and comes not this far.
        holder: row.holder.name.as_deref().unwrap_or_default(),
        birth_date: row.holder.birth_date.unwrap_or_default(),
        vehicle: row.vehicle.as_ref().and_then(Vehicle::number),
        issued_on: row.issued_at.with_timezone(&Oslo).date_naive(),
        code,
    };
    license::pdf(&license, language)
}

/// 409: a revoked license has no document.
pub(crate) fn revoked() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "license_revoked",
        "Lisensen er tilbakekalt og har ikke noe dokument.",
        "The license is revoked and has no document.",
    )
}

/// 409: no key is for the days of the license, or its holder is erased.
pub(crate) fn without_code() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "license_without_code",
        "Lisensen kan ikke lenger få en gyldig kode.",
        "The license can no longer get a valid code.",
    )
}
