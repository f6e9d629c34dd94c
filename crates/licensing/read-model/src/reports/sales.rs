//! The sales report, from sums that the projector keeps.

use chrono::NaiveDate;
use query::{Checkpoint, SharedQuestion};
use serde::Serialize;
use tokio_postgres::{Client, GenericClient, Row};
use utoipa::ToSchema;
use vocabulary::SalesGrouping;

use super::PROJECTION;
use crate::Error;

const REPORT_SALES: &str = include_str!("sql/report_sales.sql");

/// The rows to add up, and how their days become keys. Without a format, the key is the row's value.
const fn rows_of(grouping: SalesGrouping) -> (&'static str, Option<&'static str>) {
    match grouping {
        SalesGrouping::Day => ("all", Some("YYYY-MM-DD")),
        SalesGrouping::Week => ("all", Some(r#"IYYY-"W"IW"#)),
        SalesGrouping::Month => ("all", Some("YYYY-MM")),
        SalesGrouping::Club => ("club", None),
        SalesGrouping::LicenseType => ("license_type", None),
        SalesGrouping::Category => ("category", None),
        SalesGrouping::Provider => ("provider", None),
    }
}

/// What was sold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalesReport {
    /// Where in the log this is true.
    pub checkpoint: Checkpoint,
    /// Whether it is of another log than there is now.
    pub stale: bool,
    /// The groups in the order of their keys. A group without sales has no row.
    pub rows: Vec<SalesRow>,
    /// All of the period. Groups can add up to more: an order for two clubs is in both.
    pub total: SalesSums,
}

/// What was sold of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SalesRow {
    /// The day, ISO week or month, the id of the club, or the code of the license type, category or provider.
    #[schema(example = "2026-06")]
    pub key: String,
    /// Its Norwegian name today, of a club or a license type.
    #[schema(required)]
    pub name_nb: Option<String>,
    /// Its English name today, of a club or a license type.
    #[schema(required)]
    pub name_en: Option<String>,
    /// What was sold.
    #[serde(flatten)]
    pub sums: SalesSums,
}

/// What was sold. Amounts include tax unless they are the tax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SalesSums {
    /// Paid orders that became licenses, on the day of the licenses.
    pub orders: i64,
    /// Licenses of these orders; refunded ones still count.
    pub licenses: i64,
    /// Receipts, on the day that money was collected.
    pub receipts: i64,
    /// Credit notes, on the day that money went back.
    pub credit_notes: i64,
    /// Sum of the receipts in øre.
    pub gross_ore: i64,
    /// Sum of the credit notes in øre.
    pub refunded_ore: i64,
    /// What is left: `gross_ore` less `refunded_ore`.
    pub net_ore: i64,
    /// The tax in `net_ore`, in øre.
    pub tax_ore: i64,
}

/// The groups in the order of their keys, and all of the period.
#[derive(Debug, Serialize)]
pub struct SalesBody {
    items: Vec<SalesRow>,
    total: SalesSums,
}

/// What was sold from a day to another, both included.
#[derive(Clone, Copy, Debug)]
pub struct SalesQuestion {
    /// How it is grouped.
    pub grouping: SalesGrouping,
    /// The first day; from the beginning without one.
    pub from: Option<NaiveDate>,
    /// The last day; to the end without one.
    pub to: Option<NaiveDate>,
}

impl SharedQuestion for SalesQuestion {
    type Answer = SalesBody;

    fn text(&self) -> String {
        format!("{self:?} {REPORT_SALES}")
    }

    async fn ask(self, client: &Client) -> Result<SalesBody, Error> {
        let report = read_sales(client, self.grouping, self.from, self.to).await?;
        Ok(SalesBody {
            items: report.rows,
            total: report.total,
        })
    }
}

/// The report of the days from `from` to `to`, both included.
pub async fn read_sales(
    client: &impl GenericClient,
    grouping: SalesGrouping,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> Result<SalesReport, Error> {
    let (dimension, format) = rows_of(grouping);
    let rows = client
        .query(REPORT_SALES, &[&PROJECTION, &dimension, &format, &from, &to])
        .await?;
    let mut report = SalesReport::default();
    for row in rows {
        report.checkpoint = Checkpoint::from_columns(row.try_get("position")?, row.try_get("epoch")?);
        report.stale = row.try_get("stale")?;
        let sums = sums(&row)?;
        match row.try_get("key")? {
            None => report.total = sums,
            Some(key) => report.rows.push(SalesRow {
                key,
                name_nb: row.try_get("name_nb")?,
                name_en: row.try_get("name_en")?,
                sums,
            }),
        }
    }
    Ok(report)
}

fn sums(row: &Row) -> Result<SalesSums, Error> {
    let (gross_ore, refunded_ore): (i64, i64) = (row.try_get("gross_ore")?, row.try_get("refunded_ore")?);
    Ok(SalesSums {
        orders: row.try_get("orders")?,
        licenses: row.try_get("licenses")?,
        receipts: row.try_get("receipts")?,
        credit_notes: row.try_get("credit_notes")?,
        gross_ore,
        refunded_ore,
        net_ore: gross_ore - refunded_ore,
        tax_ore: row.try_get("tax_ore")?,
    })
}
