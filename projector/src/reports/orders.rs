//! Orders, as far as sales and the days of the list need them.

use chrono::{DateTime, NaiveDate, Utc};
use events::{Category, OrderEvent, OrderPlaced};
use read_model::Word as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::outline::Place;
use super::rows::Row;
use super::sums::Sums;
use crate::bounds;
use crate::misfit::Misfit;
use crate::states::{OrderState, activity_dates};

/// A row of `counted_orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CountedOrder {
    pub(super) order_id: Uuid,
    pub(super) provider: String,
    pub(super) lines: Vec<LineFacts>,
    #[serde(flatten)]
    state: OrderState,
    created_on: NaiveDate,
    activity_date: NaiveDate,
    pub(super) position: i64,
}

/// What an order says of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    pub(super) fn of(
        order_id: Uuid,
        placed: &OrderPlaced,
        recorded_at: DateTime<Utc>,
        position: i64,
    ) -> Result<Self, Misfit> {
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
            state: OrderState::PLACED,
            created_on: bounds::day_in_norway(recorded_at)?,
            activity_date: activity_dates(&placed.lines)?
                .pop_first()
                .ok_or(Misfit::NoLines)?,
            position,
        })
    }

    /// After an event.
    pub(super) fn after(&self, event: &OrderEvent) -> Result<Self, Misfit> {
        let mut after = Self {
            state: self.state.after(event),
            ..self.clone()
        };
        let provider = match event {
            OrderEvent::PaymentRequested(requested) => Some(&requested.provider),
            OrderEvent::OrderPaid(paid) => Some(&paid.provider),
            _ => None,
        };
        if let Some(provider) = provider {
            bounds::indexed(provider, "provider")?;
            after.provider.clone_from(provider);
        }
        Ok(after)
    }

    /// Where the order is counted.
    pub(super) fn place(&self) -> Place {
        let of_line = |line: &LineFacts| {
            [
                ("club_id", line.club_id.to_string()),
                ("license_type", line.license_type.clone()),
            ]
        };
        let provider = ("provider", self.provider.clone());
        Place {
            list: "orders",
            days: [
                ("created_at", self.created_on),
                ("activity_date", self.activity_date),
            ],
            status: self.state.status.as_str(),
            filters: self.lines.iter().flat_map(of_line).chain([provider]).collect(),
        }
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
