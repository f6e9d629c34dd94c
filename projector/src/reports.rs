//! The projection `reports`: what each event adds to which sum.
//!
//! Receipts and credit notes are what the books hold, so they alone say how much money moved and on which day. Orders say
//! how many licenses were sold, and add club and category to the lines of a receipt. A sum does not depend on the order in
//! which different aggregates are applied: a receipt whose order is parked waits for it in a table of its own.
//!
//! The days of the lists count orders and licenses as the rows of `licensing` show them, status by status.

mod batch;

mod activities;
mod outline;
mod sales;

mod licenses;
mod orders;
mod receipts;

mod rows;
mod sums;

use events::aggregate_type;
use projection::{Commands, Migrations, Projection};

use self::batch::ReportsBatch;
use crate::build::{BUILD, COMMANDS};

/// The tables of `read_model::reports`.
#[derive(Clone, Copy, Debug)]
pub struct Reports;

impl Projection for Reports {
    type Batch = ReportsBatch;

    fn name(&self) -> &'static str {
        read_model::reports::PROJECTION
    }

    fn schema(&self) -> &'static str {
        read_model::reports::SCHEMA
    }

    fn channel(&self) -> &'static str {
        read_model::reports::CHANNEL
    }

    fn build(&self) -> &'static str {
        BUILD
    }

    fn commands(&self) -> Commands {
        COMMANDS
    }

    fn migrations(&self) -> &'static Migrations {
        &read_model::reports::MIGRATIONS
    }

    fn reads(&self, aggregate_type: &str) -> bool {
        READ.contains(&aggregate_type)
    }

    fn rows_span_aggregates(&self) -> bool {
        true
    }
}

const READ: &[&str] = &[
    aggregate_type::ORDER,
    aggregate_type::LICENSE,
    aggregate_type::RECEIPT_SERIES,
];
