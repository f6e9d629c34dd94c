//! Scans at the gate: facts, which are recorded whatever the license was worth.

use chrono::{DateTime, Utc};
use envelope::Personal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::{Standing, Verdict};

/// The holder was let in at a gate. The first such event in the log is the license's check-in.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseCheckedIn {
    /// The order that the license was issued for.
    pub order_id: Uuid,
    /// What the license was worth at that moment.
    pub standing: Standing,
    /// The scan.
    pub scan: Scan,
}

/// The license was scanned again after its check-in: by another device, or later.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseScannedAgain {
    /// The order that the license was issued for.
    pub order_id: Uuid,
    /// What the license was worth at that moment.
    pub standing: Standing,
    /// The scan.
    pub scan: Scan,
}

/// A license was scanned that the log does not have: its QR code is forged, or the log was restored to an earlier point.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct UnknownLicenseScanned {
    /// The scan.
    pub scan: Scan,
}

/// What a device at the gate reports of one scan, and how its time was understood.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Scan {
    /// The scan's id, made by the device.
    pub scan_id: Uuid,
    /// When, by the device's clock.
    pub at: DateTime<Utc>,
    /// How much the device's clock was behind the server's at their last contact, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// When the report reached the server.
    pub received_at: DateTime<Utc>,
    /// When the holder was let in: the device's time, corrected; or when the report arrived, if that time can't be right.
    pub admitted_at: DateTime<Utc>,
    /// Whether the device's time can't be right: it is ahead of the server's, or more than seven days behind.
    pub at_suspect: bool,
    /// The device, in the organizer's own words.
    pub device_id: String,
    /// The gate.
    pub gate: String,
    /// What the device showed.
    pub verdict: Verdict,
    /// Why the holder was let in nevertheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal<String>>,
}
