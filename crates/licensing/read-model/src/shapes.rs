//! The shapes of JSON in rows, as OpenAPI describes them. The projector writes this JSON once; no statement looks into it.

use chrono::NaiveDate;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::{Category, RefundState, Role};

query::shapes!(
    OrderLine,
    LineRefund,
    Holder,
    Guardian,
    Vehicle,
    Payment,
    ReceiptLine,
    BatchItemField,
    ActivityLicenseType
);

/// A line of an order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct OrderLine {
    /// Number of the line, from 1.
    line: u16,
    /// Id of the license that the line becomes.
    license_id: Uuid,
    /// Code of the license type.
    #[schema(example = "konkurranse-bilcross")]
    license_type: String,
    /// Name of the license type in Norwegian, as sold.
    name_nb: String,
    /// Name of the license type in English, as sold.
    name_en: String,
    /// Category of the license type.
    category: Category,
    /// Discipline of the license type.
    discipline: String,
    /// What the holder does.
    role: Role,
    /// Club that runs the activity.
    club_id: Uuid,
    /// Name of that club, as sold.
    club_name: String,
    /// First day of the activity (local date).
    activity_date: NaiveDate,
    /// Number of consecutive days.
    activity_days: u8,
    /// Price in øre.
    price_ore: i64,
    /// Who may use the license.
    holder: Holder,
    /// Vehicle of a driver.
    #[schema(required)]
    vehicle: Option<Vehicle>,
}

/// A line whose money goes back or went back.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct LineRefund {
    /// Number of the line.
    line: u16,
    /// How much of its price, in øre.
    amount_ore: i64,
    /// How far the money is on its way back.
    state: RefundState,
}

/// Who may use a license; personal data.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Holder {
    /// Full name.
    #[schema(example = "Kari Nordmann")]
    name: String,
    /// Birth date.
    birth_date: NaiveDate,
    /// Phone, if given.
    #[schema(required)]
    phone: Option<String>,
    /// E-mail, if given.
    #[schema(required)]
    email: Option<String>,
    /// Guardian of a minor.
    #[schema(required)]
    guardian: Option<Guardian>,
}

/// Guardian of a minor; personal data.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Guardian {
    /// Full name.
    name: String,
    /// Phone.
    phone: String,
    /// Whether the guardian consents.
    consent: bool,
}

/// Vehicle of a driver; personal data. One of its numbers is there.
#[derive(ToSchema)]
#[expect(dead_code, clippy::struct_field_names, reason = "only its schema is used")]
pub(crate) struct Vehicle {
    /// Number plate.
    #[schema(nullable = false, example = "EK12345")]
    registration: Option<String>,
    /// Number of the vehicle license.
    #[schema(nullable = false)]
    vehicle_license: Option<String>,
    /// Chassis number.
    #[schema(nullable = false)]
    chassis: Option<String>,
}

/// The money of an order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Payment {
    /// Payment provider.
    #[schema(example = "vipps")]
    provider: String,
    /// Our reference at the provider; null before the payment is created.
    #[schema(required)]
    reference: Option<String>,
    /// Where the customer pays; null when there is nothing to pay.
    #[schema(required)]
    redirect_url: Option<String>,
    /// What was collected in all, in øre.
    captured_ore: i64,
    /// What of it was paid back, in øre.
    refunded_ore: i64,
    /// What of the total was given up, in øre.
    written_off_ore: i64,
    /// Why the money can not be collected, until that is decided: `partly_collected`, `reservation_gone` or
    /// `collected_too_much`.
    #[schema(required)]
    capture_failure: Option<String>,
    /// How far the money that has to go back is on its way; null if none has.
    #[schema(required)]
    refund_state: Option<RefundState>,
}

/// A line of a receipt.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ReceiptLine {
    /// Line of the order, from 1.
    line: u16,
    /// Code of the license type.
    #[schema(example = "konkurranse-bilcross")]
    license_type: String,
    /// Its name in Norwegian, as sold.
    name_nb: String,
    /// Its name in English, as sold.
    name_en: String,
    /// Name of the club, as sold.
    club_name: String,
    /// First day of the activity (local date).
    activity_date: NaiveDate,
    /// Number of consecutive days.
    activity_days: u8,
    /// What this receipt is for, tax included, in øre.
    gross_ore: i64,
    /// Tax code.
    #[schema(example = "exempt")]
    tax_code: String,
    /// Tax rate in per mille of the net amount.
    tax_rate_permille: u16,
    /// Tax in it, in øre.
    tax_ore: i64,
}

/// A field of an item that is wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct BatchItemField {
    /// JSON pointer to it within the item.
    #[schema(example = "/price_ore")]
    pointer: String,
    /// The rule that it breaks.
    #[schema(example = "price_invalid")]
    code: String,
}

/// The licenses of one type at an activity.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ActivityLicenseType {
    /// Code of the license type.
    #[schema(example = "konkurranse-bilcross")]
    license_type: String,
    /// Licenses that were sold and are not revoked.
    sold: i64,
    /// Licenses that staff gave and that are not revoked.
    complimentary: i64,
    /// Licenses whose holder was let in.
    checked_in: i64,
    /// Licenses that were revoked.
    revoked: i64,
}
