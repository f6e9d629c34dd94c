//! Starts the whole system for `make up`, tests and benchmarks: PostgreSQL, NATS and Redis as private child processes,
//! databases with their roles, a token issuer, and the programs of the shop.
//!
//! A test starts with [`shared`] for servers and [`Databases::fresh`] for a database of its own, or with
//! [`System::on_shared_servers`] for everything. Tests that kill or freeze servers take
//! [`Servers::temporary`] or [`System::on_private_servers`].

pub use binaries::prometheus;
pub use certificates::{Authority, Certified, ClientFiles};
pub use checkout::Checkout;
pub use cluster::Postgres;
pub use databases::Databases;
pub use disk::{DiskSizes, SmallDisk};
pub use issuer::{AUDIENCE, ISSUER, Issuer, Lifetimes, Role, SigningKey};
pub use nats_logins::NatsLogins;
pub use pgbouncer::PgBouncer;
pub use ports::Port;
pub use process::Process;
pub use progress::Progress;
pub use proxy::{Direction, Network, Proxy};
pub use schema_dump::{check_schema_file, schema_dump};
pub use servers::{Server, Servers, ServersConfig, shared};
pub use summary::stack_env;
pub use system::{Options, System, Tokens};

// The commands of the program `stack`.
pub mod install;
pub mod mail;
pub mod offline;
pub mod test_servers;
pub mod up;

// Work for a running system.
pub mod catalogue;
pub mod proof;

// The system and its processes.
mod issuer;
mod left_databases;
mod leftovers;
mod process;
mod secrets;
mod summary;
mod system;

// Servers, and databases in them.
mod binaries;
mod certificates;
mod cluster;
mod databases;
mod disk;
mod hex;
mod nats_logins;
mod pgbouncer;
mod proxy;
mod schema_dump;
mod servers;

// Processes, and what they need.
mod backoff;
mod checkout;
mod child;
mod daemon;
mod html;
mod launch;
mod ports;
mod procfs;
mod progress;
mod readiness;
mod run_as;
mod scratch;
