//! The tables of the projection `reports`: what each race day sold and let in, what was earned, and how long lists are on
//! each day.
//!
//! They are in a schema of their own, with a checkpoint of their own. Every session that reads them has [`SCHEMA`] as its
//! `search_path`. The names of clubs and license types are those of the tables in `public`, as these are now.

mod activities;
mod outline;
mod sales;

use connect::Migrations;
use query::Resource;

pub use activities::{ACTIVITIES, activity_id};
pub use outline::{Counters, read_outline};
pub use sales::{SalesQuestion, SalesReport, SalesRow, SalesSums, read_sales};

mod embedded {
    refinery::embed_migrations!("src/reports/migrations");
}

/// The name of the projection.
pub const PROJECTION: &str = "reports";

/// The schema of its tables.
pub const SCHEMA: &str = "reports";

/// The channel on which the projector notifies, with the new position as payload, when a batch commits.
pub const CHANNEL: &str = "reports_projected";

/// Key of the advisory lock under which one process migrates at a time; the ASCII codes of `reports`.
const MIGRATION_LOCK: i64 = 0x0072_6570_6f72_7473;

/// The migrations of the tables.
pub static MIGRATIONS: Migrations = Migrations::new(
    "the schema `reports` of the read database",
    "projector migrate",
    MIGRATION_LOCK,
    embedded::migrations::runner,
);

/// Every resource of the projection.
pub static RESOURCES: &[&Resource] = &[&ACTIVITIES];
