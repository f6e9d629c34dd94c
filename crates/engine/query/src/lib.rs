//! The read side of an event-sourced system over HTTP. A resource is declared once, by [`resource!`]; its table's statements,
//! its parameters with their errors, its pages and its OpenAPI follow from the declaration.
//!
//! - A [`Resource`] has columns, sorts and [`Filter`]s; each names its SQL and the index that serves it.
//! - [`Reads`] answers with a page or with one row, for what [`Access`] lets the caller see. [`Exports`] stream all rows, and
//!   an [`Outline`] says how many there are on each day.
//! - [`Places`] are the primary of the read database and its replicas. A request stays at one of them, by the connections of its
//!   [`Lane`]; [`Seats`] bound what one reader has under way.
//! - [`Projection`] waits for the caller's own write, [`Cursors`] seal where the next page begins, and a [`SchemaGate`] keeps
//!   requests away from another schema. [`follow_rows`] looks at the rows whenever they move.
//! - A [`Shared`] answer is one that many readers get: a [`Cache`] keeps it by the versions of its rows.
//! - [`table`] writes whole rows, for the projector.
//! - [`openapi`] describes the operations on a resource.
//!
//! Knows nothing of what the rows mean, and nothing of the log but its position.

mod declare;

pub mod column;
mod error;
mod filter;
mod resource;
mod served;
pub mod shape;
mod word;

mod conditions;
mod record;
mod search;

mod plan;
mod prepared;

pub mod page;
pub mod table;

mod cursor;
mod dates;
mod parameters;
mod view;

mod cancel;
mod version;

mod failure;
mod follower;
mod lane;
mod place;
mod places;
mod progress;
mod projection;
mod rounds;
mod schema_gate;
mod seats;
mod standing;

mod outline;

mod answer;
mod cache;
mod course;
mod export;
mod mark;
mod reads;
mod shared_reads;

#[cfg(test)]
pub mod sample;

pub mod metrics;
pub mod openapi;

pub use answer::{AnswerPosition, Content};
pub use cache::Cache;
pub use column::{Column, Visibility};
pub use conditions::{Bind, Conditions};
pub use cursor::Cursors;
pub use dates::day_that_begins;
pub use error::{Error, Question, is_lost};
pub use export::{Export, Exports};
pub use filter::{Filter, FilterKind, FilterValue, Selection};
pub use follower::Channel;
pub use lane::{Asker, Lane, PerLane};
pub use outline::{OUTLINE, Outline, OutlineQuery};
pub use page::{Checkpoint, Page, PageQuery, Total};
pub use parameters::Parameters;
pub use places::{Checks, Places, Source};
pub use plan::Spread;
pub use progress::Progress;
pub use projection::Projection;
pub use reads::{Access, Reads};
pub use record::Record;
pub use resource::{Audience, Direction, Edge, PagePosition, Resource, Sort, SortKind, SortValue, Towards};
pub use rounds::{Round, follow_rows};
pub use schema_gate::{SchemaGate, SchemaRefused};
pub use search::{Similar, Term, searched};
pub use seats::Seats;
pub use served::{Served, index, small_table};
pub use shared_reads::SharedQuestion;
pub use version::{Collection, Shared};
pub use view::{not_an_id, parse_key};
pub use word::Word;

/// For what [`resource!`] expands to.
#[doc(hidden)]
pub mod __private {
    pub use uuid::Uuid;
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
