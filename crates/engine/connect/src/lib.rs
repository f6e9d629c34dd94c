//! Connections to PostgreSQL, the same for every program, the log and the local stack.
//!
//! - [`Database`] is a URL that was read: where the server is, how the connection is protected, what its sessions are
//!   set to, and how long anything may take. `sslmode`, `sslrootcert`, `sslcert` and `sslkey` are parameters of the URL,
//!   named as libpq names them.
//! - [`listen`] waits for notifications on a connection that proves now and then that it is alive.
//! - [`Migrations`] brings a database to the schema of a build, and refuses another one.

mod database;
mod listen;
pub mod metrics;
mod migrations;
mod parameters;
mod sessions;
mod tls;

pub use database::{BadUrl, Connected, Database};
pub use listen::{Interrupted, listen};
pub use migrations::{Migrations, SchemaError};
pub use sessions::NoSession;
pub use tls::{Protection, TlsError, client_config};
