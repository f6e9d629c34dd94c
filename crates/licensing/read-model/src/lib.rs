//! The shop's tables that are read: their migrations, and each table declared once as a resource.
//!
//! The projector writes the tables and `query-api` reads them; neither knows the other, and both know this crate. It knows
//! nothing of events or HTTP. A declaration, such as that of [`LICENSES`], holds the columns, who may see them, sorts and
//! filters; statements, parameters and OpenAPI are made from it by the crate `query`. A [`Scope`] is whose rows a reader
//! may see. [`reports`] has the tables of a second projection, and [`collections`] the answers
//! that many readers share.

mod schema;

pub mod account;
pub mod changes;
pub mod checkpoint;
pub mod reports;
pub mod revocations;

pub mod write;

pub mod collections;

mod batch_items;
mod batches;
mod clubs;
mod letters;
mod license_types;
mod licenses;
mod orders;
mod receipts;
mod shapes;
mod suspensions;
mod terms;
mod timeline;
mod users;

mod scope;

#[cfg(test)]
mod tests;

pub use batch_items::BATCH_ITEMS;
pub use batches::BATCHES;
pub use checkpoint::Checkpoint;
pub use clubs::CLUBS;
pub use connect::SchemaError;
pub use letters::LETTERS;
pub use license_types::LICENSE_TYPES;
pub use licenses::LICENSES;
pub use orders::ORDERS;
pub use query::{Error, PageQuery, Resource, Term, page, searched};
pub use receipts::RECEIPTS;
pub use schema::{MIGRATIONS, check_schema, known_schema, migrate};
pub use scope::Scope;
pub use suspensions::SUSPENSIONS;
pub use terms::TERMS;
pub use timeline::TIMELINE;
pub use users::USERS;
pub use vocabulary::{
    BatchKind, BatchStatus, ClubStatus, ItemOutcome, LetterFailure, LetterKind, LetterStatus, LicenseStatus,
    LicenseTypeStatus, OrderStatus, ReceiptKind, RefundState, SalesGrouping, Standing, SuspensionKind,
    SuspensionStatus, Word,
};

/// Every resource of the projection `licensing`.
pub static RESOURCES: &[&Resource] = &[
    &ORDERS,
    &LICENSES,
    &LICENSE_TYPES,
    &CLUBS,
    &RECEIPTS,
    &LETTERS,
    &TERMS,
    &USERS,
    &TIMELINE,
    &SUSPENSIONS,
    &BATCHES,
    &BATCH_ITEMS,
];
