//! The processes of the whole system, by name.

use std::fmt;

/// A process that [`crate::System`] runs and supervises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// The event log and the read model.
    Postgres,
    /// The stream between them.
    Nats,
    /// The cache.
    Redis,
    /// The payment provider.
    PaymentEmulator,
    /// The write side.
    CommandApi,
    /// From the log to the read model.
    Projector,
    /// The read side.
    QueryApi,
}

impl Process {
    /// Everything, in the order in which it starts.
    pub const ALL: [Self; 7] = [
        Self::Postgres,
        Self::Nats,
        Self::Redis,
        Self::PaymentEmulator,
        Self::CommandApi,
        Self::Projector,
        Self::QueryApi,
    ];

    /// The programs of this project.
    pub(crate) const APPLICATIONS: [Self; 4] = [
        Self::PaymentEmulator,
        Self::CommandApi,
        Self::Projector,
        Self::QueryApi,
    ];

    /// Its name in logs, log files and pid files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::PaymentEmulator => "payment-emulator",
            Self::CommandApi => "command-api",
            Self::Projector => "projector",
            Self::QueryApi => "query-api",
        }
    }

    /// The file name of its program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Nats => "nats-server",
            Self::Redis => "redis-server",
            other => other.name(),
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
