//! Receipts and credit notes: one series a year, without a gap.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::ReceiptKind;

use crate::declare::events;

events! {
    /// What happens to the series of receipts of one year.
    pub enum ReceiptSeriesEvent {
        /// The next number of the series was given.
        ReceiptIssued: "1",
    }
}

/// A receipt, or a credit note that corrects one. It names the buyer by their id and holds no other personal data, so it
/// outlives an erasure.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ReceiptIssued {
    /// The receipt's id: it follows from year and number.
    pub receipt_id: Uuid,
    /// The year of the series: that of the moment the money moved, in Norway.
    pub year: i32,
    /// Place in the series, from 1.
    pub number: u32,
    /// The number as people write it, for example `2026-000042`.
    pub receipt_number: String,
    /// Receipt or credit note.
    pub kind: ReceiptKind,
    /// The number of the receipt that a credit note corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// The order.
    pub order_id: Uuid,
    /// That order's number.
    pub order_number: String,
    /// Who bought it.
    pub customer_id: Uuid,
    /// Who collected the money.
    pub provider: String,
    /// The payment's reference there.
    pub payment_reference: String,
    /// Position in the log of the event that says so.
    pub cause: u64,
    /// When the money moved, by the log.
    pub happened_at: DateTime<Utc>,
    /// The day of that in Norway.
    pub happened_on: NaiveDate,
    /// What was sold or taken back.
    pub lines: Vec<ReceiptLine>,
    /// The sum of the lines, tax included, in øre; above zero, also on a credit note.
    pub gross_ore: i64,
    /// The tax in it, in øre.
    pub tax_ore: i64,
    /// ISO 4217 code; always `NOK`.
    pub currency: String,
}

/// A line of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ReceiptLine {
    /// The order's line, from 1.
    pub line: u16,
    /// Code of the license type.
    pub license_type: String,
    /// Its Norwegian name, as sold.
    pub name_nb: String,
    /// Its English name, as sold.
    pub name_en: String,
    /// Name of the club, as sold.
    pub club_name: String,
    /// First day of the activity.
    pub activity_date: NaiveDate,
    /// How many consecutive days.
    pub activity_days: u8,
    /// What this receipt is for, tax included, in øre. Less than the price if only a part of the money moved.
    pub gross_ore: i64,
    /// The tax code.
    pub tax_code: String,
    /// The tax rate in per mille of the net amount.
    pub tax_rate_permille: u16,
    /// The tax in `gross_ore`, in øre.
    pub tax_ore: i64,
}
