//! What can go wrong, by name.

use std::fmt;

use stack::{Direction, Network, Process};

/// One thing that goes wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL; started again at the end.
    Kill(Process),
    /// SIGSTOP until the end. Longer than the leader's lease, so that a paused leader resumes after its lease has ended.
    Pause(Process),
    /// The network between these two.
    Network {
        /// One of our programs.
        program: Process,
        /// PostgreSQL or NATS.
        server: Process,
        /// The state of the network.
        network: Network,
    },
    /// The stream is deleted.
    StreamDeleted,
    /// The stream loses all messages, including those that a stopped projector has not read, and keeps its last sequence.
    StreamPurged,
    /// The stream is deleted, and a foreign one of that name is created, which starts at 1.
    StreamReplaced,
    /// NATS is killed and loses everything it ever wrote.
    StoreWiped,
    /// NATS is killed and starts with an earlier copy of its store.
    TailLost,
    /// The disk of this server's data is full.
    DiskFull(Process),
    /// Webhooks are lost for good.
    WebhooksLost,
    /// Webhooks come with a wrong signature.
    WebhooksForged,
    /// The payment provider answers 503 and does nothing.
    ProviderDown,
    /// The payment provider does the work and answers 503.
    AnswersLost,
}

/// Every kind of fault, with what it is.
pub const KINDS: [(&str, &str); 15] = [
    (
        "kill",
        "SIGKILL of a program, PostgreSQL or NATS; started again after a while",
    ),
    (
        "pause",
        "SIGSTOP of a program, PostgreSQL or NATS, for longer than a leader's lease; then SIGCONT",
    ),
    (
        "network cut",
        "connections between one program and PostgreSQL or NATS are reset, and new ones at once",
    ),
    (
        "network stalled",
        "connections stay open; what is sent in one direction, or both, does not arrive for a while",
    ),
    (
        "network slow",
        "every piece that is sent between one program and one server comes late",
    ),
    ("stream deleted", "the JetStream stream is deleted"),
    (
        "stream purged",
        "the stream loses all messages, also those that a projector that is down has not seen",
    ),
    (
        "stream replaced",
        "the stream is deleted, and another of that name made that begins at 1",
    ),
    ("store wiped", "NATS is killed and loses everything that it wrote"),
    (
        "tail lost",
        "NATS is killed and comes back with an earlier copy of what it wrote",
    ),
    (
        "disk full",
        "no byte is left on the disk of PostgreSQL or NATS (needs root: the disk is one in memory)",
    ),
    (
        "webhooks lost",
        "the payment provider's webhooks are lost for good",
    ),
    (
        "webhooks forged",
        "the payment provider's webhooks have a wrong signature",
    ),
    (
        "provider down",
        "the payment provider answers 503 and does nothing",
    ),
    (
        "answers lost",
        "the payment provider does what it is asked and answers 503",
    ),
];

impl Fault {
    /// Its kind: one of [`KINDS`].
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Pause(_) => "pause",
            Self::Network { network, .. } => match network {
                Network::Stalled(_) => "network stalled",
                Network::Slow(_) => "network slow",
                Network::Whole | Network::Cut => "network cut",
            },
            Self::StreamDeleted => "stream deleted",
            Self::StreamPurged => "stream purged",
            Self::StreamReplaced => "stream replaced",
            Self::StoreWiped => "store wiped",
            Self::TailLost => "tail lost",
            Self::DiskFull(_) => "disk full",
            Self::WebhooksLost => "webhooks lost",
            Self::WebhooksForged => "webhooks forged",
            Self::ProviderDown => "provider down",
            Self::AnswersLost => "answers lost",
        }
    }

    /// Whether both faults can be injected at the same time. Two faults of one process can't.
    pub fn goes_with(&self, other: &Self) -> bool {
        let same_network = match (self, other) {
            (
                Self::Network { program, server, .. },
                Self::Network {
                    program: other_program,
                    server: other_server,
                    ..
                },
            ) => program == other_program && server == other_server,
            _ => false,
        };
        let others = other.processes();
        let same_process = self
            .processes()
            .iter()
            .flatten()
            .any(|process| others.contains(&Some(*process)));
        !same_network && !same_process
    }

    /// The processes whose state the fault needs or changes.
    const fn processes(&self) -> [Option<Process>; 2] {
        let process = match self {
            Self::Kill(process) | Self::Pause(process) | Self::DiskFull(process) => Some(*process),
            Self::Network { .. } => None,
            Self::StreamPurged => return [Some(Process::Nats), Some(Process::Projector)],
            Self::StreamDeleted | Self::StreamReplaced | Self::StoreWiped | Self::TailLost => {
                Some(Process::Nats)
            }
            Self::WebhooksLost | Self::WebhooksForged | Self::ProviderDown | Self::AnswersLost => {
                Some(Process::PaymentEmulator)
            }
        };
        [process, None]
    }

    /// How long it may last, in milliseconds: the shortest and the longest.
    pub(super) const fn lasts_ms(&self) -> (u64, u64) {
        match self {
            Self::Kill(_) | Self::StoreWiped => (300, 3_000),
            Self::Pause(_) => (2_500, 6_000),
            Self::TailLost => (1_000, 3_000),
            Self::StreamDeleted | Self::StreamPurged | Self::StreamReplaced => (0, 0),
            Self::Network { .. } | Self::DiskFull(_) => (2_000, 7_000),
            _ => (1_500, 5_000),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Kill(process) | Self::Pause(process) => write!(f, "{kind} of {process}"),
            Self::DiskFull(process) => write!(f, "{kind} at {process}"),
            Self::Network {
                program,
                server,
                network,
            } => {
                write!(f, "{kind} ")?;
                match network {
                    Network::Stalled(Direction::ToServer) => write!(f, "from {program} to {server}"),
                    Network::Stalled(Direction::ToProgram) => write!(f, "from {server} to {program}"),
                    _ => write!(f, "between {program} and {server}"),
                }
            }
            _ => f.write_str(kind),
        }
    }
}
