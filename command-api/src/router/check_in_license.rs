//! `POST /licenses/{license_id}/check-in`: a scan at the gate, from the device that made it or from its queue.
//!
//! A scan is a fact: it is labelled and never refused because of the license. The license is loaded from the log, so that a
//! late read model makes none unknown. The scan's id is the idempotency key for every sender: a device keeps its queue when
//! another person logs in.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{CheckIn, FirstScan, License, LicenseCommand, Refusal, ScanReport};
use envelope::Metadata;
use event_store::{CommandError, CommandHandler, CommandResponse, IdempotencyKey, Unit};
use events::aggregate_type;
use futures_util::TryStreamExt as _;
use metrics::counter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::{LicenseStatus, ScanOutcome, Word as _};

use super::revoke_license::LicensePath;
use crate::answer::{answered, problem, read, unreadable};
use crate::command::{now, stored};
use crate::incoming::Incoming;
use crate::metrics::{GATE_SCANS_TOTAL, GATE_SUSPECT_TIMES_TOTAL};
use crate::operation::Operation;
use crate::state::AppState;

/// What became of a scan.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RecordedScan {
    /// The license's id.
    license_id: Uuid,
    /// The scan's id.
    scan_id: Uuid,
    /// What the scan is.
    outcome: ScanOutcome,
    /// The license's check-in: the first scan in the log. Null for an unknown license.
    #[schema(required = true)]
    first: Option<Admission>,
    /// Whether the device's time can't be right. Then the time of receipt governs.
    at_suspect: bool,
    /// The license's status; null for an unknown license.
    #[schema(required = true)]
    license_status: Option<LicenseStatus>,
    /// The license's version.
    version: u64,
}

/// When and where a holder was let in.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Admission {
    /// When.
    at: DateTime<Utc>,
    /// At which gate.
    #[schema(example = "Port 2")]
    gate: String,
}

impl From<&FirstScan> for Admission {
    fn from(first: &FirstScan) -> Self {
        Self {
            at: first.at,
            gate: first.gate.clone(),
        }
    }
}

impl Operation for ScanReport {
    const NAME: &'static str = "check_in_license";
    const SUMMARY: &'static str = "Records a scan at the gate. The first one of a license is its check-in; a later one is recorded as a duplicate.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new())];
    /// A scan has no version to expect.
    const CREATES: bool = true;
    type Path = LicensePath;
    type Answer = RecordedScan;

    fn target(path: &LicensePath) -> Result<Option<String>, Problem> {
        Ok(Some(path.license_id.to_string()))
    }

    const KEY_IN_BODY: bool = true;

    fn key_in_body(&self) -> Option<String> {
        Some(self.scan_id.to_string())
    }
}

pub(crate) async fn check_in_license(
    State(state): State<AppState>,
    incoming: Incoming<ScanReport>,
) -> Result<Response, Problem> {
    let received_at = now();
    let Incoming {
        path: LicensePath { license_id },
        request: report,
        caller,
        metadata,
        ..
    } = incoming;
    let command_handler = &state.command_handler;
    let loaded = command_handler.load::<License>(license_id).await;
    let license = loaded.map_err(|error| unreadable(&error))?.aggregate;
    if let Some(club_id) = license.club_id() {
        caller.may_of_club(club_id)?;
    }
    // Devices at several gates scan one license at once: here one after the other, instead of all in conflict.
    let turn = IdempotencyKey::new("check_in_license:turn", license_id.to_string(), b"");
    let _turn = state.in_flight.enter(&turn).await?;
    decide(command_handler, license_id, report, metadata, received_at)
        .await
        .map(|recorded| answered(ScanReport::SUCCESS, recorded))
}

/// Records a scan that was received at this moment.
pub(crate) async fn decide(
    command_handler: &CommandHandler,
    license_id: Uuid,
    report: ScanReport,
    metadata: Metadata,
    received_at: DateTime<Utc>,
) -> Result<CommandResponse, Problem> {
    let recorded = command_handler
        .together(key(license_id, &report), metadata, |unit| {
            record(command_handler, unit, license_id, report.clone(), received_at)
        })
        .await
        .map_err(problem)?;
    if !recorded.replayed {
        count(&read(&recorded)?);
    }
    Ok(recorded)
}

/// The key of a scan. Its request is what the report says, however it is written.
pub(crate) fn key(license_id: Uuid, report: &ScanReport) -> IdempotencyKey {
    let request = json!({"license_id": license_id, "report": report}).to_string();
    IdempotencyKey::new(ScanReport::NAME, report.scan_id.to_string(), request)
}

async fn record(
    command_handler: &CommandHandler,
    unit: Unit,
    license_id: Uuid,
    report: ScanReport,
    received_at: DateTime<Utc>,
) -> Result<Value, CommandError<Refusal>> {
    let mut license = unit.load::<License>(license_id).await?;
    let scan_id = report.scan_id;
    let invalid_since = match license.aggregate.status() {
        Some(LicenseStatus::Revoked | LicenseStatus::Suspended) => {
            invalid_since(command_handler, license_id).await?
        }
        _ => None,
    };
    let check_in = CheckIn {
        report,
        received_at,
        invalid_since,
    };
    let at_suspect = check_in.at_suspect();
    unit.handle(&mut license, LicenseCommand::CheckIn(Box::new(check_in)))
        .await?;
    let decided = &license.aggregate;
    let outcome = decided.outcome(scan_id);
    Ok(stored(&RecordedScan {
        license_id,
        scan_id,
        outcome,
        first: decided.check_in().map(Admission::from),
        at_suspect,
        license_status: decided.status(),
        version: license.version,
    }))
}

/// When the license was last revoked or suspended: what its events don't say, the log does.
async fn invalid_since(
    command_handler: &CommandHandler,
    license_id: Uuid,
) -> Result<Option<DateTime<Utc>>, event_store::Error> {
    let mut events = std::pin::pin!(
        command_handler
            .log()
            .events_of(aggregate_type::LICENSE, license_id, 0)
    );
    let mut since = None;
    while let Some(recorded) = events.try_next().await? {
        match recorded.event_type.as_str() {
            // What is revoked stays so from then on, whatever it was before.
            "LicenseRevoked" | "LicenseRevokedByStaff" => return Ok(Some(recorded.recorded_at)),
            "LicenseSuspended" => since = Some(recorded.recorded_at),
            _ => {}
        }
    }
    Ok(since)
}

/// An alert counts the scans that should not have let a holder in.
fn count(scan: &RecordedScan) {
    let status = scan.license_status.map_or("none", |status| status.as_str());
    counter!(GATE_SCANS_TOTAL, "outcome" => scan.outcome.as_str(), "license_status" => status).increment(1);
    if scan.at_suspect {
        counter!(GATE_SUSPECT_TIMES_TOTAL).increment(1);
    }
    if matches!(
        scan.outcome,
        ScanOutcome::UnknownLicense | ScanOutcome::AfterRevocation
    ) {
        let outcome = scan.outcome.as_str();
        tracing::warn!(license_id = %scan.license_id, outcome, "a holder was let in without a valid license");
    }
}
