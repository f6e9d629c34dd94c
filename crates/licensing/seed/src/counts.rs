//! What a history has come to.

use std::collections::HashSet;

use events::OrderPlaced;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// What a history has come to.
#[derive(Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) orders: u64,
    /// Orders that the rules refused, which the log does not have.
    pub(crate) refused: u64,
    pub(crate) licenses: u64,
    #[serde(serialize_with = "count")]
    pub(crate) holders: HashSet<Uuid>,
    #[serde(serialize_with = "count")]
    pub(crate) customers: HashSet<Uuid>,
    pub(crate) receipts: u64,
    pub(crate) scans: u64,
    pub(crate) captured_ore: i64,
    pub(crate) refunded_ore: i64,
}

impl Counts {
    pub(crate) fn placed(&mut self, placed: &OrderPlaced) {
        self.orders += 1;
        self.customers.insert(placed.customer_id);
        self.holders
            .extend(placed.lines.iter().filter_map(|line| line.holder_id));
    }
}

fn count<S: Serializer>(all: &HashSet<Uuid>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(all.len() as u64)
}
