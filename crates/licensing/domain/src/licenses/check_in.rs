//! Rule 11: one check-in for a license, and every scan is a fact. A scan is labelled and never refused, however late it
//! arrives and whatever the license is worth.

use chrono::{DateTime, TimeDelta, Utc};
use events::{LicenseCheckedIn, LicenseEvent, LicenseScannedAgain, Scan, UnknownLicenseScanned};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::{ScanOutcome, Standing, Verdict};

use super::License;
use crate::findings::Findings;
use crate::refusal::{Refusal, Rule};
use crate::typed::label;

/// A device's time that is further ahead than this can't be right. Gates don't judge with a clock that is worse.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// A device's time that is older than this is not trusted.
const OLD: TimeDelta = TimeDelta::days(7);
/// The longest name of a device or a gate, in characters.
const MAX_LABEL: usize = 64;
/// The longest reason, in characters.
const MAX_REASON: usize = 500;
/// The largest correction of a clock, in milliseconds: ten years. A tablet without a battery begins in 1970 or 2015.
const MAX_OFFSET_MS: i64 = 10 * 366 * 86_400_000;
/// The most scans of one license that are recorded. Later ones are answered, and change nothing.
const MAX_SCANS: u32 = 1000;

/// A scan, as a device reports it.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanReport {
    /// The scan's id, made by the device. It is the idempotency key.
    pub scan_id: Uuid,
    /// When, by the device's clock.
    #[serde(deserialize_with = "crate::typed::moment")]
    #[schema(pattern = "^(19[0-9]{2}|20[0-9]{2})-", example = "2026-06-05T07:12:00Z")]
    pub at: DateTime<Utc>,
    /// How much the device's clock was behind the server's at their last contact, in milliseconds.
    #[schema(minimum = -316_224_000_000_i64, maximum = 316_224_000_000_i64, example = -1500)]
    pub clock_offset_ms: Option<i64>,
    /// The device, in the organizer's own words.
    #[schema(min_length = 1, max_length = 64, example = "tablet 2")]
    pub device_id: String,
    /// The gate.
    #[schema(min_length = 1, max_length = 64, example = "Port 2")]
    pub gate: String,
    /// What the device showed: a verdict with which a holder can be let in.
    #[schema(example = "valid")]
    pub verdict: Verdict,
    /// Why the holder was let in nevertheless.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// A scan to record.
#[derive(Clone)]
pub struct CheckIn {
    /// What the device reports.
    pub report: ScanReport,
    /// When the report arrived.
    pub received_at: DateTime<Utc>,
    /// When the license was revoked or suspended, if it is.
    pub invalid_since: Option<DateTime<Utc>>,
}

/// A license's check-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstScan {
    scan_id: Uuid,
    /// When the holder was let in.
    pub at: DateTime<Utc>,
    /// At which gate.
    pub gate: String,
    standing: Standing,
}

impl FirstScan {
    pub(super) fn of(checked_in: LicenseCheckedIn) -> Self {
        Self {
            scan_id: checked_in.scan.scan_id,
            at: checked_in.scan.admitted_at,
            gate: checked_in.scan.gate,
            standing: checked_in.standing,
        }
    }
}

impl License {
    /// Its check-in: the first one in the log.
    pub const fn check_in(&self) -> Option<&FirstScan> {
        self.check_in.as_ref()
    }

    /// What a recorded scan is.
    pub fn outcome(&self, scan_id: Uuid) -> ScanOutcome {
        let Some(first) = self.check_in.as_ref().filter(|_| self.issued.is_some()) else {
            return ScanOutcome::UnknownLicense;
        };
        if first.scan_id != scan_id {
            ScanOutcome::Duplicate
        } else if first.standing == Standing::AfterRevocation {
            ScanOutcome::AfterRevocation
        } else {
            ScanOutcome::First
        }
    }

    pub(super) fn scan(&self, check_in: &CheckIn) -> Result<Option<LicenseEvent>, Refusal> {
        let scan = check_in.scan()?;
        if self.scans >= MAX_SCANS {
            return Ok(None);
        }
        let Some(issued) = &self.issued else {
            return Ok(Some(UnknownLicenseScanned { scan }.into()));
        };
        let (order_id, standing) = (issued.order_id, self.standing(check_in, &scan));
        Ok(Some(if self.check_in.is_none() {
            LicenseCheckedIn {
                order_id,
                standing,
                scan,
            }
            .into()
        } else {
            LicenseScannedAgain {
                order_id,
                standing,
                scan,
            }
            .into()
        }))
    }

    fn standing(&self, check_in: &CheckIn, scan: &Scan) -> Standing {
        let earlier = check_in
            .invalid_since
            .is_some_and(|since| scan.admitted_at < since);
        match (self.revoked, self.suspended, earlier) {
            (false, false, _) => Standing::Valid,
            (true, _, true) => Standing::BeforeRevocation,
            (true, _, false) => Standing::AfterRevocation,
            (false, true, true) => Standing::BeforeSuspension,
            (false, true, false) => Standing::WhileSuspended,
        }
    }
}

impl CheckIn {
    /// Whether the device's time can't be right.
    pub fn at_suspect(&self) -> bool {
        self.admitted_at(self.report.clock_offset_ms.unwrap_or(0)).1
    }

    /// The scan as it is recorded, or what of the report can't be read.
    fn scan(&self) -> Result<Scan, Refusal> {
        let report = &self.report;
        let mut findings = Findings::new();
        let device_id = findings.keep("/device_id".into(), label(&report.device_id, MAX_LABEL));
        let gate = findings.keep("/gate".into(), label(&report.gate, MAX_LABEL));
        let reason = findings.keep_optional("/reason".into(), report.reason.as_ref(), |text| {
            label(text, MAX_REASON)
        });
        if !admits(report.verdict) {
            findings.add("/verdict".into(), Rule::Verdict);
        }
        let offset_ms = report.clock_offset_ms.unwrap_or(0);
        if !(-MAX_OFFSET_MS..=MAX_OFFSET_MS).contains(&offset_ms) {
            findings.add("/clock_offset_ms".into(), Rule::ClockOffset);
        }
        findings.refuse()?;
        let (Some(device_id), Some(gate)) = (device_id, gate) else {
            return Err(Refusal::Invalid(Vec::new()));
        };
        let (admitted_at, at_suspect) = self.admitted_at(offset_ms);
        Ok(Scan {
            scan_id: report.scan_id,
            at: report.at,
            clock_offset_ms: report.clock_offset_ms,
            received_at: self.received_at,
            admitted_at,
            at_suspect,
            device_id,
            gate,
            verdict: report.verdict,
            reason,
        })
    }

    /// When the holder was let in, and whether the device's time can't be right. Then the receipt's time governs.
    fn admitted_at(&self, offset_ms: i64) -> (DateTime<Utc>, bool) {
        let offset = TimeDelta::try_milliseconds(offset_ms);
        let corrected = offset.and_then(|offset| self.report.at.checked_add_signed(offset));
        let right = corrected.filter(|at| (self.received_at - OLD..=self.received_at + AHEAD).contains(at));
        right.map_or((self.received_at, true), |at| (at.min(self.received_at), false))
    }
}

/// Whether a holder can be let in with this verdict. A scan with another one is not a check-in.
const fn admits(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Valid | Verdict::ValidAfterList | Verdict::AlreadyIn | Verdict::Undecided
    )
}
