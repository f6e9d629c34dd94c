//! Orders, and what the payment provider said of them.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::declare::events;
use crate::license_types::{LicenseTypeFacts, Tax};
use crate::people::{Holder, Vehicle};
use crate::refunds::{LineRefundsRequested, LinesRefunded, RefundFailed, RefundRetried};

events! {
    /// What happens to an order: `placed → payment_pending → paid → fulfilled`, with `cancelled`, `expired` and
    /// `refund_pending → refunded`.
    pub enum OrderEvent {
        /// A customer ordered licenses. Status `placed`.
        OrderPlaced: "2",
        /// The provider holds a payment for the order. Status `payment_pending`.
        PaymentRequested: "1",
        /// The provider confirmed that the customer paid in full. Status `paid`.
        OrderPaid: "1",
        /// Every line has its license. Status `fulfilled`.
        OrderFulfilled: "1",
        /// The authorized money was collected. Status `fulfilled`.
        PaymentCaptured: "1",
        /// The money of issued licenses can't be collected in full. Status `capture_failed` until it is decided.
        CaptureFailed: "1",
        /// What becomes of an order whose money could not be collected was decided. Status `fulfilled`, or
        /// `refund_pending` if its licenses are revoked.
        CaptureResolved: "1",
        /// The provider's books show money that moved outside the shop. The status stays.
        PaymentReconciled: "1",
        /// The order will not be paid. Status `cancelled`.
        OrderCancelled: "1",
        /// Its customer cancelled the unpaid order. Status `cancelled`.
        OrderCancelledByCustomer: "1",
        /// The order was not paid in time. Status `expired`.
        OrderExpired: "1",
        /// The money has to go back. Status `refund_pending`.
        RefundRequested: "2",
        /// Staff decided that the money of lines goes back. The status stays, or is `refund_pending` if no line is left.
        LineRefundsRequested: "1",
        /// The money of some lines went back. The status stays.
        LinesRefunded: "1",
        /// The provider does not give the money back, and the shop has stopped trying. The status stays.
        RefundFailed: "1",
        /// Staff decided to try a refund again. The status stays.
        RefundRetried: "1",
        /// The money went back, by the shop or in the provider's portal. Status `refunded`.
        OrderRefunded: "1",
        /// A holder is forgotten. The status stays.
        OrderHolderErased: "1",
    }
}

/// A customer ordered licenses.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order's number, as people read it, for example `BL-7K2QM-4XN9D`.
    pub order_number: String,
    /// Who ordered.
    pub customer_id: Uuid,
    /// What was ordered, 1 to 100 lines.
    pub lines: Vec<OrderLine>,
    /// The sum of the lines' prices, in øre.
    pub total_ore: i64,
    /// ISO 4217 code; always `NOK`.
    pub currency: String,
    /// Who collects the money, for example `vipps`.
    pub payment_provider: String,
    /// The payment's reference at that provider, decided with the order so that no answer of the provider's can get lost.
    pub payment_reference: String,
    /// The version of the terms that the customer accepted.
    pub terms_version: String,
    /// When they accepted them and declared what belongs to them: the text of both is in the event that published the version.
    /// Absent in orders that are older than published terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms_accepted_at: Option<DateTime<Utc>>,
    /// When the order expires if it isn't paid.
    pub expires_at: DateTime<Utc>,
}

/// One license of an order.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderLine {
    /// Place in the order, from 1.
    pub line: u16,
    /// The id that its license will have.
    pub license_id: Uuid,
    /// What kind of license.
    pub license_type: LicenseTypeFacts,
    /// The club that organizes the activity.
    pub club_id: Uuid,
    /// That club's name at the time of the order.
    pub club_name: String,
    /// First day of the activity, local date in Norway.
    pub activity_date: NaiveDate,
    /// How many consecutive days.
    pub activity_days: u8,
    /// The catalogue's price at the moment of the order, in øre.
    pub price_ore: i64,
    /// The tax in that price.
    #[serde(default)]
    pub tax: Tax,
    /// The most licenses of this type that the holder may ever have, if that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_cap: Option<u16>,
    /// Names the holder without revealing who it is: a keyed hash. Absent in orders that are older than it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_id: Option<Uuid>,
    /// Who the license is for.
    pub holder: Holder,
    /// With which vehicle, for a driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<Vehicle>,
}

/// The provider holds a payment for the order.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct PaymentRequested {
    /// The provider.
    pub provider: String,
    /// The payment's reference there.
    pub reference: String,
    /// Where the customer pays.
    pub redirect_url: String,
    /// How much, in øre.
    pub amount_ore: i64,
}

/// The provider confirmed that the customer paid in full.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderPaid {
    /// The provider.
    pub provider: String,
    /// The payment's reference there.
    pub reference: String,
    /// How much the provider has authorized, in øre.
    pub authorized_ore: i64,
}

/// Every line has its license.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderFulfilled {
    /// The licenses, in the order of the lines.
    pub license_ids: Vec<Uuid>,
}

/// The authorized money was collected.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct PaymentCaptured {
    /// The payment's reference.
    pub reference: String,
    /// How much was collected in all, in øre.
    pub captured_ore: i64,
}

/// The money of issued licenses can't be collected in full, by the provider's books: asking again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct CaptureFailed {
    /// The payment's reference.
    pub reference: String,
    /// Why.
    pub reason: CaptureFailure,
    /// The order's total, in øre.
    pub due_ore: i64,
    /// How much was collected in all, in øre.
    pub collected_ore: i64,
    /// How much of that was paid back, in øre.
    pub refunded_ore: i64,
    /// How much can still be collected, in øre.
    pub collectable_ore: i64,
}

/// Why money can't be collected in full.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    JsonSchema,
    Serialize,
    Deserialize,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CaptureFailure {
    /// A part was collected outside the shop, and the rest still can be.
    PartlyCollected,
    /// Less than what is due is left of the reservation: it was voided, or ran out.
    ReservationGone,
    /// More was collected than is due.
    CollectedTooMuch,
}

/// What becomes of an order whose money could not be collected was decided, by a person or by the policy.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct CaptureResolved {
    /// What.
    pub action: CaptureAction,
    /// The policy's version, if the policy decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<String>,
    /// Why, in the words of the person who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How much of what is due is given up by this, in øre.
    pub written_off_ore: i64,
}

/// What can become of an order whose money could not be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureAction {
    /// What can still be collected is collected.
    CollectRest,
    /// The licenses are revoked, and what was collected goes back.
    Revoke,
    /// The licenses stay valid without the rest of the money.
    WriteOff,
}

/// The provider's books show money that moved outside the shop: in the provider's portal, for example.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct PaymentReconciled {
    /// The payment's reference.
    pub reference: String,
    /// How much was collected in all, in øre.
    pub captured_ore: i64,
    /// How much of that was paid back, in øre.
    pub refunded_ore: i64,
}

/// The order will not be paid.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// Why.
    pub reason: CancelReason,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The customer declined the payment, or the provider ended it.
    PaymentDeclined,
}

/// Its customer cancelled the order before it was paid. Its payment is ended at the provider afterwards; one that was
/// approved meanwhile goes back.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderCancelledByCustomer {}

/// The order was not paid in time. Its payment, if there was one, was ended at the provider first.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderExpired {}

/// The money has to go back.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct RefundRequested {
    /// Why.
    pub reason: RefundReason,
    /// The payment's reference.
    pub reference: String,
    /// How much, in øre.
    pub amount_ore: i64,
}

/// Why money has to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// It was paid when an activity day had passed, or after the order was cancelled.
    PaidTooLate,
    /// The provider authorized another amount than the order's total.
    WrongAmount,
    /// A holder or a vehicle of the order was suspended before its licenses were issued.
    Suspended,
}

/// The money went back. Licenses that were issued for it are revoked.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderRefunded {
    /// The payment's reference.
    pub reference: String,
    /// How much was released before it was collected, in øre.
    pub released_ore: i64,
    /// How much was paid back after it was collected, in øre.
    pub refunded_ore: i64,
}

/// A holder of the order is forgotten, with the vehicle.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct OrderHolderErased {
    /// The holder.
    pub holder_id: Uuid,
    /// The lines that were for the holder.
    pub lines: Vec<u16>,
}
