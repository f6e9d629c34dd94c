#![doc = include_str!("../README.md")]

mod declare;

pub mod column;
mod error;
mod filter;
mod resource;
pub mod shape;

mod conditions;
mod record;
mod search;

pub mod page;
pub mod table;

mod cursor;
mod dates;
mod parameters;
mod view;

mod answer;
mod failure;
mod projection;
mod reads;
mod schema_gate;

#[cfg(test)]
pub mod sample;

pub mod metrics;
pub mod openapi;

pub use column::{Column, Visibility};
pub use conditions::{Bind, Conditions};
pub use cursor::Cursors;
pub use error::{Error, is_lost};
pub use filter::{Filter, FilterKind, Selection};
pub use page::{Checkpoint, Page, PageQuery};
pub use parameters::Parameters;
pub use projection::{Channel, Projection};
pub use reads::{Access, Reads};
pub use record::Record;
pub use resource::{
    Audience, Direction, PagePosition, Resource, Served, Sort, SortValue, index, small_table,
};
pub use schema_gate::{SchemaGate, SchemaRefused};
pub use search::{Term, searched};

/// For what [`resource!`] expands to.
#[doc(hidden)]
pub mod __private {
    pub use uuid::Uuid;
}
