//! The projection `licensing`: what each event does to which row, without I/O.

mod batch;
mod table;

mod batches;
mod clubs;
mod letters;
mod license_types;
mod licenses;
mod orders;
mod receipts;
mod refunds;
mod suspensions;
mod terms;
mod timeline;
mod users;

mod facts;
mod forget;
mod slot;

use events::aggregate_type;
use projection::{Commands, Migrations, Projection};

use self::batch::LicensingBatch;
use crate::build::{BUILD, COMMANDS};

/// The tables of `read-model`.
#[derive(Clone, Copy, Debug)]
pub struct Licensing;

impl Projection for Licensing {
    type Batch = LicensingBatch;

    fn name(&self) -> &'static str {
        read_model::checkpoint::PROJECTION
    }

    fn schema(&self) -> &'static str {
        "public"
    }

    fn channel(&self) -> &'static str {
        read_model::checkpoint::CHANNEL
    }

    fn build(&self) -> &'static str {
        BUILD
    }

    fn commands(&self) -> Commands {
        COMMANDS
    }

    fn migrations(&self) -> &'static Migrations {
        &read_model::MIGRATIONS
    }

    fn reads(&self, aggregate_type: &str) -> bool {
        READ.contains(&aggregate_type)
    }
}

const READ: &[&str] = &[
    aggregate_type::ORDER,
    aggregate_type::LICENSE,
    aggregate_type::LICENSE_TYPE,
    aggregate_type::CLUB,
    aggregate_type::USER,
    aggregate_type::RECEIPT_SERIES,
    aggregate_type::LETTERS,
    aggregate_type::TERMS,
    aggregate_type::SUSPENSION,
    aggregate_type::BATCH,
];

#[cfg(test)]
mod tests;
