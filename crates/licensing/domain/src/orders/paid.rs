//! The order from which licenses may be issued.

use std::collections::BTreeSet;

use events::{LicenseIssued, OrderPlaced};
use uuid::Uuid;

use crate::holder::HolderKey;

/// A paid order. Only [`Order::paid`](crate::Order::paid) makes one, so no license is issued without payment.
#[derive(Clone, Debug)]
pub struct PaidOrder {
    pub(super) order_id: Uuid,
    pub(super) placed: OrderPlaced,
}

impl PaidOrder {
    /// The licenses' ids by line, in the order of the lines.
    pub fn license_ids(&self) -> impl Iterator<Item = (u16, Uuid)> + '_ {
        self.placed.lines.iter().map(|line| (line.line, line.license_id))
    }

    /// The ids by which suspensions know the holders and vehicles.
    pub fn subjects(&self, key: &HolderKey) -> BTreeSet<Uuid> {
        let lines = self.placed.lines.iter();
        lines
            .flat_map(|line| {
                let holder = line.holder_id.unwrap_or_else(|| key.holder_id(&line.holder));
                let numbers = line.vehicle.iter().flat_map(|vehicle| key.vehicle_ids(vehicle));
                std::iter::once(holder).chain(numbers)
            })
            .collect()
    }

    /// The license of a line.
    pub(crate) fn license(&self, line: u16) -> Option<LicenseIssued> {
        let line = self
            .placed
            .lines
            .iter()
            .find(|candidate| candidate.line == line)?;
        Some(LicenseIssued::of_line(self.order_id, &self.placed, line))
    }
}
