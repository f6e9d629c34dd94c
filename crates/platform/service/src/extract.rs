//! axum's extractors with our error answers: a [`Problem`](crate::problem::Problem) that points at the wrong field, in
//! both languages, instead of axum's plain English text.

mod body;
mod expected;
mod ids;
mod malformed;
mod objects;
mod path;
mod query;
mod times;

pub(crate) use body::BodyPatience;
pub use body::{Body, BodyLimit, Json, incomplete_body, must_be_plain, problems_of_bodies};
pub use path::{Path, malformed_path};
pub use query::Query;
