//! The tables that are read: their schema, migrations and statements.
//!
//! The projector writes them and `query-api` reads them; neither knows the other, and both know this crate. It knows
//! nothing of events or HTTP. What it offers readers is pages: a [`Resource`] says what can be asked of a table, a
//! filter says which rows, a [`Scope`] says whose, and [`page::read`] answers in one statement.

mod schema;

pub mod checkpoint;
pub mod page;

pub mod write;

mod clubs;
mod license_types;
mod licenses;
mod orders;

mod scope;
mod search;

mod conditions;
mod error;
mod record;
mod resource;

pub use checkpoint::Checkpoint;
pub use clubs::{CLUBS, ClubFilter};
pub use conditions::Conditions;
pub use connect::SchemaError;
pub use error::Error;
pub use license_types::{LICENSE_TYPE_STATUSES, LICENSE_TYPES, LicenseTypeFilter};
pub use licenses::{LICENSE_STATUSES, LICENSES, LicenseFilter, ROLES};
pub use orders::{ORDER_STATUSES, ORDERS, OrderFilter};
pub use page::{Page, PageQuery};
pub use record::Record;
pub use resource::{Column, Direction, PagePosition, Resource, Sort, SortValue};
pub use schema::{MIGRATIONS, check_schema, known_schema, migrate};
pub use scope::Scope;
pub use search::{Term, searched};
