//! axum's extractors with our error answers: a [`Problem`](crate::problem::Problem) that points at the wrong field, in
//! both languages, instead of axum's plain English text.

mod body;
mod expected;
mod malformed;
mod path;
mod query;

pub(crate) use body::BodyPatience;
pub use body::{Body, BodyLimit, Json};
pub use path::Path;
pub use query::Query;
