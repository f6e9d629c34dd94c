//! `GET /api/v1/receipts/{receipt_id}/receipt.pdf`

use axum::extract::State;
use axum::response::Response;
use chrono::NaiveDate;
use documents::receipt::{self, Kind, Line, Receipt};
use documents::{DocumentError, Language};
use query::{Parameters, Record};
use read_model::{RECEIPTS, Scope};
use serde::Deserialize;
use service::auth::Principal;
use service::extract::Path;
use service::problem::Problem;
use service::seller::Seller;

use crate::access::access;
use crate::{AppState, rendering};

const COLUMNS: [&str; 6] = [
    "receipt_number",
    "corrects",
    "order_number",
    "provider",
    "lines",
    "happened_on",
];

/// Name in metrics.
pub(crate) const KIND: &str = "receipt";

/// The row of a receipt, as far as its document shows it.
#[derive(Deserialize)]
struct Row {
    receipt_number: String,
    /// Only a credit note corrects another.
    corrects: Option<String>,
    order_number: String,
    provider: String,
    lines: Vec<RowLine>,
    happened_on: NaiveDate,
}

#[derive(Deserialize)]
struct RowLine {
    name_nb: String,
    name_en: String,
    club_name: String,
    activity_date: NaiveDate,
    activity_days: u8,
    gross_ore: i64,
    tax_code: String,
    tax_rate_permille: u16,
    tax_ore: i64,
}

pub(crate) async fn receipt_pdf(
    State(state): State<AppState>,
    principal: Principal,
    Path(receipt_id): Path<String>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let language = rendering::language(&mut parameters);
    let if_none_match = parameters.if_none_match();
    let rows = access(&principal, Scope::of_receipts);
    let (row, position) = state
        .reads
        .row(&RECEIPTS, &receipt_id, &COLUMNS, parameters, rows)
        .await?;
    let row = read(&row)?;
    let seller = state.seller.clone().ok_or_else(seller_missing)?;
    let name = if row.corrects.is_some() {
        language.of("kreditnota", "credit-note")
    } else {
        language.of("kvittering", "receipt")
    };
    let file = format!("{name}-{}", row.receipt_number);
    let document = move || pdf(&row, &seller, language);
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

fn pdf(row: &Row, seller: &Seller, language: Language) -> Result<Vec<u8>, DocumentError> {
    let details: Vec<String> = row
        .lines
        .iter()
        .map(|line| {
            receipt::place_and_days(&line.club_name, line.activity_date, line.activity_days, language)
        })
        .collect();
    let lines = row.lines.iter().zip(&details).map(|(line, detail)| Line {
        text: language.of(&line.name_nb, &line.name_en),
        detail,
        price_ore: line.gross_ore,
        tax_code: receipt::tax_code(&line.tax_code, language),
        tax_rate: u32::from(line.tax_rate_permille) * 10,
        tax_ore: line.tax_ore,
    });
    let receipt = Receipt {
        kind: row
            .corrects
            .as_deref()
            .map_or(Kind::Receipt, |of| Kind::CreditNote { of }),
        number: &row.receipt_number,
        order_number: &row.order_number,
        issued_on: row.happened_on,
        paid_by: receipt::paid_by(&row.provider),
        seller: receipt::Seller {
            name: &seller.name,
            organization_number: &seller.organization_number,
            registered_for_tax: seller.registered_for_tax,
            address: &seller.address,
        },
        lines: lines.collect(),
    };
    receipt::pdf(&receipt, language)
}

/// 503: this service does not know who sells.
pub(crate) fn seller_missing() -> Problem {
    Problem::unavailable(
        "seller_missing",
        "Kvitteringer kan ikke lages her ennå.",
        "Receipts cannot be made here yet.",
    )
}
