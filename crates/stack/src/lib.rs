//! Starts what the project runs on, for `make up`, tests and benchmarks: real PostgreSQL, NATS and Redis as
//! private child processes, and around them databases with their roles, a token issuer, and the services.
//!
//! A test starts with [`shared`] for servers and [`Databases::fresh`] for a database of its own.

pub use checkout::Checkout;
pub use databases::Databases;
pub use ports::Port;
pub use progress::Progress;
pub use servers::{Server, Servers, ServersConfig, shared};

pub mod install;
pub mod test_servers;

mod binaries;
mod checkout;
mod child;
mod daemon;
mod databases;
mod launch;
mod ports;
mod procfs;
mod progress;
mod readiness;
mod scratch;
mod secrets;
mod servers;
