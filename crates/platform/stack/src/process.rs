//! The processes of the whole system, by name.

use std::fmt;

/// A process that [`crate::System`] runs and supervises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// The event log and the read model.
    Postgres,
    /// A streaming replica of it, by its number, where some are asked for.
    Replica(u8),
    /// The stream between them.
    Nats,
    /// The cache.
    Redis,
    /// The payment provider.
    PaymentEmulator,
    /// The mail server.
    Mail,
    /// The write side.
    CommandApi,
    /// A second instance of it, where one is asked for.
    CommandApi2,
    /// From the log to the read model.
    Projector,
    /// A second instance of it, where one is asked for.
    Projector2,
    /// The read side.
    QueryApi,
    /// The sessions of browsers.
    FrontDoor,
    /// nginx in front of all of it, where one is asked for.
    Edge,
}

impl Process {
    /// Everything that each system has, in the order in which it starts.
    pub const ALL: [Self; 9] = [
        Self::Postgres,
        Self::Nats,
        Self::Redis,
        Self::PaymentEmulator,
        Self::Mail,
        Self::CommandApi,
        Self::Projector,
        Self::QueryApi,
        Self::FrontDoor,
    ];

    /// The replicas that a system may have. There is a name for each.
    pub(crate) const REPLICAS: [Self; 4] = [
        Self::Replica(1),
        Self::Replica(2),
        Self::Replica(3),
        Self::Replica(4),
    ];

    /// Everything that may run in a checkout.
    pub(crate) fn in_a_checkout() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Self::REPLICAS).chain([Self::Edge])
    }

    /// The programs of this project, each once.
    pub(crate) const APPLICATIONS: [Self; 6] = [
        Self::PaymentEmulator,
        Self::Mail,
        Self::CommandApi,
        Self::Projector,
        Self::QueryApi,
        Self::FrontDoor,
    ];

    /// Its name in logs, log files and pid files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Replica(1) => "replica-1",
            Self::Replica(2) => "replica-2",
            Self::Replica(3) => "replica-3",
            Self::Replica(_) => "replica-4",
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::PaymentEmulator => "payment-emulator",
            Self::Mail => "mail",
            Self::CommandApi => "command-api",
            Self::CommandApi2 => "command-api-2",
            Self::Projector => "projector",
            Self::Projector2 => "projector-2",
            Self::QueryApi => "query-api",
            Self::FrontDoor => "front-door",
            Self::Edge => "edge",
        }
    }

    /// The file name of its program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Replica(_) => "postgres",
            Self::Nats => "nats-server",
            Self::Redis => "redis-server",
            Self::Mail => "stack",
            Self::Edge => "nginx",
            Self::CommandApi2 => "command-api",
            Self::Projector2 => "projector",
            other => other.name(),
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
