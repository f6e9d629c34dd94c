//! Orders, as far as sales need them.

use events::{Category, OrderPlaced};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows::Row;
use super::sums::Sums;
use crate::bounds;
use crate::misfit::Misfit;

/// A row of `counted_orders`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CountedOrder {
    pub(super) order_id: Uuid,
    pub(super) provider: String,
    pub(super) lines: Vec<LineFacts>,
    pub(super) position: i64,
}

/// What an order says of a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LineFacts {
    line: u16,
    pub(super) license_type: String,
    pub(super) category: Category,
    pub(super) club_id: Uuid,
}

impl Row for CountedOrder {
    fn id(&self) -> Uuid {
        self.order_id
    }
}

impl CountedOrder {
    /// What an order is to each row that it is in.
    pub(super) const ONCE: Sums = Sums {
        orders: 1,
        ..Sums::NONE
    };

    pub(super) fn of(order_id: Uuid, placed: &OrderPlaced, position: i64) -> Result<Self, Misfit> {
        bounds::indexed(&placed.payment_provider, "payment_provider")?;
        let lines = placed.lines.iter().map(|line| {
            bounds::indexed(&line.license_type.code, "license_type")?;
            Ok(LineFacts {
                line: line.line,
                license_type: line.license_type.code.clone(),
                category: line.license_type.category,
                club_id: line.club_id,
            })
        });
        Ok(Self {
            order_id,
            provider: placed.payment_provider.clone(),
            lines: lines.collect::<Result<_, Misfit>>()?,
            position,
        })
    }

    pub(super) fn line(&self, line: u16) -> Result<&LineFacts, Misfit> {
        let found = self.lines.iter().find(|facts| facts.line == line);
        found.ok_or(Misfit::NoSuchLine)
    }

    /// Each line, as a license.
    pub(super) fn licenses(&self) -> impl Iterator<Item = (&LineFacts, Sums)> {
        let license = Sums {
            licenses: 1,
            ..Sums::NONE
        };
        self.lines.iter().map(move |line| (line, license))
    }
}
