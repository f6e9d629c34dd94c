//! Receipts and credit notes: how much money moved, and on which day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use deadpool_postgres::Transaction;
use events::ReceiptIssued;
use read_model::ReceiptKind;
use serde::{Deserialize, Serialize};
use tokio_postgres::Error;
use uuid::Uuid;

use super::orders::{CountedOrder, LineFacts};
use super::rows;
use super::sums::Sums;
use crate::bounds;
use crate::misfit::Misfit;

/// What is counted of a receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    id: Uuid,
    kind: ReceiptKind,
    pub(super) day: NaiveDate,
    pub(super) provider: String,
    lines: Vec<Part>,
}

/// A line of a receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    line: u16,
    gross_ore: i64,
    tax_ore: i64,
}

impl Receipt {
    pub(super) fn of(issued: &ReceiptIssued) -> Result<Self, Misfit> {
        bounds::indexed(&issued.provider, "provider")?;
        let lines = issued.lines.iter().map(|line| {
            Ok(Part {
                line: line.line,
                gross_ore: bounds::amount(line.gross_ore, "gross_ore")?,
                tax_ore: bounds::amount(line.tax_ore, "tax_ore")?,
            })
        });
        Ok(Self {
            id: issued.receipt_id,
            kind: issued.kind,
            day: bounds::day(issued.happened_on, "happened_on")?,
            provider: issued.provider.clone(),
            lines: lines.collect::<Result<_, Misfit>>()?,
        })
    }

    /// What the document is to each row that it is in.
    pub(super) fn once(&self) -> Sums {
        match self.kind {
            ReceiptKind::Receipt => Sums {
                receipts: 1,
                ..Sums::NONE
            },
            ReceiptKind::CreditNote => Sums {
                credit_notes: 1,
                ..Sums::NONE
            },
        }
    }

    /// What each line is, with what the order says of it.
    pub(super) fn parts<'a>(&self, order: &'a CountedOrder) -> Result<Vec<(&'a LineFacts, Sums)>, Misfit> {
        let parts = self.lines.iter().map(|part| {
            let sums = match self.kind {
                ReceiptKind::Receipt => Sums {
                    gross_ore: part.gross_ore,
                    tax_ore: part.tax_ore,
                    ..Sums::NONE
                },
                ReceiptKind::CreditNote => Sums {
                    refunded_ore: part.gross_ore,
                    tax_ore: -part.tax_ore,
                    ..Sums::NONE
                },
            };
            Ok((order.line(part.line)?, sums))
        });
        parts.collect()
    }
}

/// A row of `waiting_receipts`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WaitingReceipt {
    receipt_id: Uuid,
    order_id: Uuid,
    receipt: Receipt,
}

impl WaitingReceipt {
    /// What waits for these orders, by order.
    pub(super) async fn load(
        client: &Transaction<'_>,
        orders: BTreeSet<Uuid>,
    ) -> Result<BTreeMap<Uuid, Vec<Receipt>>, Error> {
        let statement = include_str!("sql/load_waiting_receipts.sql");
        let rows: Vec<Self> = rows::read(client, statement, orders).await?;
        let mut waiting: BTreeMap<Uuid, Vec<Receipt>> = BTreeMap::new();
        for row in rows {
            waiting.entry(row.order_id).or_default().push(row.receipt);
        }
        Ok(waiting)
    }

    /// The rows for these orders.
    pub(super) fn of(waiting: &BTreeMap<Uuid, Vec<Receipt>>, orders: &BTreeSet<Uuid>) -> Vec<Self> {
        let of_order = |order: &Uuid| {
            let order_id = *order;
            let receipts = waiting.get(order).map(Vec::as_slice).unwrap_or_default();
            receipts.iter().map(move |receipt| Self {
                receipt_id: receipt.id,
                order_id,
                receipt: receipt.clone(),
            })
        };
        orders.iter().flat_map(of_order).collect()
    }
}
