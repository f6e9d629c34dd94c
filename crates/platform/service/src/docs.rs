//! The API's OpenAPI document and a page to browse it.
//!
//! The page is Swagger UI from the crate `utoipa-swagger-ui`, whose files are in the binary: no script, style or font
//! comes from another origin, and the content security policy of the page refuses one that would. The document is
//! generated from the types and declarations of the service, never written by hand.
//!
//! [`document`] is where an API begins: what every operation shares is already in it. [`refusals`] turns the problems
//! that an operation can answer, as values, into its error responses with codes and examples.

mod document;
mod headers;
mod page;
mod parameters;
mod refusals;

pub use document::{DOCUMENT, SECURITY, document, needs_login, takes_login};
pub use headers::Header;
pub use page::{PAGE, ROUTES, routes};
pub use parameters::Parameter;
pub use refusals::{of_every_request, of_login, of_request_bodies, refusals};
