//! `receipts`.

use envelope::RecordedEvent;
use events::{ReceiptIssued, ReceiptLine};
use read_model::write::ReceiptRow;
use serde_json::{Value, json};

use super::facts;
use super::slot::stamp;
use crate::bounds;
use crate::misfit::Misfit;

/// The row of one receipt. A receipt never changes.
pub(super) fn row(recorded: &RecordedEvent, issued: &ReceiptIssued) -> Result<ReceiptRow, Misfit> {
    let (version, position) = stamp(recorded);
    bounds::indexed(&issued.receipt_number, "receipt_number")?;
    let lines: Vec<Value> = issued.lines.iter().map(line).collect();
    Ok(ReceiptRow {
        receipt_id: issued.receipt_id,
        receipt_number: issued.receipt_number.clone(),
        year: issued.year,
        number: issued.number.into(),
        kind: issued.kind.into(),
        corrects: issued.corrects.clone(),
        order_id: issued.order_id,
        order_number: issued.order_number.clone(),
        customer_id: issued.customer_id,
        provider: issued.provider.clone(),
        payment_reference: issued.payment_reference.clone(),
        lines: facts::column(&Value::Array(lines)),
        gross_ore: bounds::amount(issued.gross_ore, "gross_ore")?,
        tax_ore: bounds::amount(issued.tax_ore, "tax_ore")?,
        currency: issued.currency.clone(),
        happened_on: bounds::day(issued.happened_on, "happened_on")?,
        happened_at: bounds::moment(issued.happened_at, "happened_at")?,
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    })
}

fn line(line: &ReceiptLine) -> Value {
    json!({
        "line": line.line,
        "license_type": line.license_type,
        "name_nb": line.name_nb,
        "name_en": line.name_en,
        "club_name": line.club_name,
        "activity_date": line.activity_date,
        "activity_days": line.activity_days,
        "gross_ore": line.gross_ore,
        "tax_code": line.tax_code,
        "tax_rate_permille": line.tax_rate_permille,
        "tax_ore": line.tax_ore,
    })
}
