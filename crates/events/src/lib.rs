//! The facts of the license shop: every event that its log can hold, with versioned payloads.
//!
//! One file per aggregate. A payload is a plain struct; the enum beside it is what the aggregate applies. Published
//! shapes never change: a new shape is a new version. Personal data is [`envelope::Personal`] wherever it stands.

mod club;
mod declare;
mod license;
mod license_type;
mod order;
mod person;
mod schema;

pub use club::{ClubEvent, ClubRegistered};
pub use license::{LicenseEvent, LicenseIssued};
pub use license_type::{
    Category, LicenseTypeCreated, LicenseTypeEvent, LicenseTypeFacts, LicenseTypePriceSet, Role,
};
pub use order::{
    CancelReason, OrderCancelled, OrderEvent, OrderExpired, OrderFulfilled, OrderLine, OrderPaid,
    OrderPlaced, OrderRefunded, PaymentCaptured, PaymentRequested, RefundReason, RefundRequested,
};
pub use person::{Guardian, Holder, Vehicle};
pub use schema::{EventSchema, written};

use envelope::{DecodeError, EventPayload, RecordedEvent};

/// The aggregate types, as they stand in the log and in subjects.
pub mod aggregate_type {
    /// A customer's purchase.
    pub const ORDER: &str = "order";
    /// A dated right to take part.
    pub const LICENSE: &str = "license";
    /// An entry of the catalogue.
    pub const LICENSE_TYPE: &str = "license_type";
    /// A club that organizes activities.
    pub const CLUB: &str = "club";
}

/// Any event of the shop, for readers that follow the whole log.
#[expect(
    clippy::large_enum_variant,
    reason = "decoded, applied and dropped: a box per event would cost more than it saves"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Of an order.
    Order(OrderEvent),
    /// Of a license.
    License(LicenseEvent),
    /// Of a license type.
    LicenseType(LicenseTypeEvent),
    /// Of a club.
    Club(ClubEvent),
}

impl Event {
    /// The event that `recorded` holds.
    pub fn decode(recorded: &RecordedEvent) -> Result<Self, DecodeError> {
        let (name, version, payload) = (
            recorded.event_type.as_str(),
            recorded.event_version.as_str(),
            &*recorded.payload,
        );
        match recorded.aggregate_type.as_str() {
            aggregate_type::ORDER => OrderEvent::decode(name, version, payload).map(Self::Order),
            aggregate_type::LICENSE => LicenseEvent::decode(name, version, payload).map(Self::License),
            aggregate_type::LICENSE_TYPE => {
                LicenseTypeEvent::decode(name, version, payload).map(Self::LicenseType)
            }
            aggregate_type::CLUB => ClubEvent::decode(name, version, payload).map(Self::Club),
            _ => Err(DecodeError::unknown(name, version)),
        }
    }
}

#[cfg(test)]
mod tests;
