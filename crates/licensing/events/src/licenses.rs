//! Licenses.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::declare::events;
use crate::license_types::LicenseTypeFacts;
use crate::orders::{OrderLine, OrderPlaced};
use crate::people::{Holder, Vehicle};
use crate::scans::{LicenseCheckedIn, LicenseScannedAgain, UnknownLicenseScanned};

events! {
    /// What happens to a license.
    pub enum LicenseEvent {
        /// The license exists: its order was paid.
        LicenseIssued: "2",
        /// The license exists: staff gave it, without an order and without a payment. Status `issued`.
        LicenseGranted: "1",
        /// The license is no longer valid. Status `revoked`.
        LicenseRevoked: "1",
        /// Staff ended the license's validity. Status `revoked`.
        LicenseRevokedByStaff: "1",
        /// Staff took the license's validity away for now. Status `suspended`.
        LicenseSuspended: "1",
        /// Staff gave the license's validity back. Status `issued`, or `checked_in`.
        LicenseReinstated: "1",
        /// Staff corrected the holder or the vehicle. The status stays.
        LicenseCorrected: "1",
        /// The holder was let in. Status `checked_in`, unless it is `suspended` or `revoked`.
        LicenseCheckedIn: "1",
        /// The license was scanned again after its check-in. The status stays.
        LicenseScannedAgain: "1",
        /// A license that does not exist was scanned. There is still no license.
        UnknownLicenseScanned: "1",
        /// The holder is forgotten. The status stays.
        LicenseHolderErased: "1",
    }
}

/// Staff ended the license's validity.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseRevokedByStaff {
    /// The order that it was issued for.
    pub order_id: Uuid,
    /// Why, in the words of the person who decided.
    pub reason: envelope::Personal<String>,
}

/// Staff took the license's validity away for now.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseSuspended {
    /// The order that it was issued for.
    pub order_id: Uuid,
    /// Why, in the words of the person who decided.
    pub reason: envelope::Personal<String>,
}

/// Staff gave the license's validity back.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseReinstated {
    /// The order that it was issued for.
    pub order_id: Uuid,
    /// Why, in the words of the person who decided.
    pub reason: envelope::Personal<String>,
}

/// Staff corrected the holder or the vehicle.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseCorrected {
    /// The order that it was issued for.
    pub order_id: Uuid,
    /// Why, in the words of the person who decided.
    pub reason: envelope::Personal<String>,
    /// The whole holder as it is right, if it was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<CorrectedHolder>,
    /// The whole vehicle as it is right, if it was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<Vehicle>,
}

/// Who a license is for after a correction.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct CorrectedHolder {
    /// Names the holder without revealing who it is: a keyed hash. The license's days and cap are this holder's from now on.
    pub holder_id: Uuid,
    /// The holder.
    pub holder: Holder,
}

/// The license exists: its order was paid. Carries everything that a reader needs of its order.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseIssued {
    /// The order that paid for it.
    pub order_id: Uuid,
    /// That order's number, as people read it.
    pub order_number: String,
    /// The order's line, from 1.
    pub line: u16,
    /// Who bought it.
    pub customer_id: Uuid,
    /// What kind of license.
    pub license_type: LicenseTypeFacts,
    /// The club that organizes the activity.
    pub club_id: Uuid,
    /// That club's name at the time of the order.
    pub club_name: String,
    /// First day of the activity, local date in Norway.
    pub activity_date: NaiveDate,
    /// How many consecutive days it is valid for.
    pub activity_days: u8,
    /// The most licenses of this type that the holder may ever have, if that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_cap: Option<u16>,
    /// Names the holder without revealing who it is: a keyed hash. Absent in licenses that are older than it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_id: Option<Uuid>,
    /// Who it is for.
    pub holder: Holder,
    /// With which vehicle, for a driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<Vehicle>,
    /// What was paid for it, in øre.
    pub price_ore: i64,
}

impl LicenseIssued {
    /// The license of `line` of the order.
    pub fn of_line(order_id: Uuid, order: &OrderPlaced, line: &OrderLine) -> Self {
        Self {
            order_id,
            order_number: order.order_number.clone(),
            line: line.line,
            customer_id: order.customer_id,
            license_type: line.license_type.clone(),
            club_id: line.club_id,
            club_name: line.club_name.clone(),
            activity_date: line.activity_date,
            activity_days: line.activity_days,
            lifetime_cap: line.lifetime_cap,
            holder_id: line.holder_id,
            holder: line.holder.clone(),
            vehicle: line.vehicle.clone(),
            price_ore: line.price_ore,
        }
    }
}

/// Staff gave the license, without an order and without a payment.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseGranted {
    /// The license. Its order id and number are its own: there is no such order. Its price is 0.
    pub license: LicenseIssued,
    /// Why, in the words of the person who decided.
    pub reason: envelope::Personal<String>,
}

/// The license is no longer valid.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseRevoked {
    /// The order that it was issued for.
    pub order_id: Uuid,
    /// Why.
    pub reason: RevokeReason,
}

/// Why a license was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeReason {
    /// Its order's money could not be collected, and that was decided.
    NotCollected,
    /// Its order's money went back.
    Refunded,
}

/// The holder of the license is forgotten, with the vehicle.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseHolderErased {
    /// The holder.
    pub holder_id: Uuid,
}

impl LicenseCorrected {
    /// All of it as data of the corrected holder, or of this one if the holder was right. Another holder's license names the
    /// vehicle again, so that it is not forgotten with the first holder.
    #[must_use]
    pub fn belonging_to(mut self, holder_id: Option<Uuid>, vehicle: Option<&Vehicle>) -> Self {
        let corrected = self.holder.as_ref().map(|corrected| corrected.holder_id);
        if corrected.is_some() && corrected != holder_id && self.vehicle.is_none() {
            self.vehicle = vehicle.cloned();
        }
        if let Some(person) = corrected.or(holder_id) {
            self.holder = self.holder.map(|corrected| CorrectedHolder {
                holder: corrected.holder.belonging_to(person),
                ..corrected
            });
            self.vehicle = self.vehicle.map(|vehicle| vehicle.belonging_to(person));
        }
        self
    }
}
