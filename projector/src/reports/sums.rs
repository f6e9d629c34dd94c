//! What is added to a row of `sales`.

use std::ops::AddAssign;

use serde::Serialize;

/// What is added to a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sums {
    pub(super) orders: i64,
    pub(super) licenses: i64,
    pub(super) receipts: i64,
    pub(super) credit_notes: i64,
    pub(super) gross_ore: i64,
    pub(super) refunded_ore: i64,
    pub(super) tax_ore: i64,
}

impl Sums {
    pub(super) const NONE: Self = Self {
        orders: 0,
        licenses: 0,
        receipts: 0,
        credit_notes: 0,
        gross_ore: 0,
        refunded_ore: 0,
        tax_ore: 0,
    };
}

impl AddAssign for Sums {
    /// A sum beyond the largest number becomes that number, and the table refuses to add it.
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.orders, other.orders),
            (&mut self.licenses, other.licenses),
            (&mut self.receipts, other.receipts),
            (&mut self.credit_notes, other.credit_notes),
            (&mut self.gross_ore, other.gross_ore),
            (&mut self.refunded_ore, other.refunded_ore),
            (&mut self.tax_ore, other.tax_ore),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}
