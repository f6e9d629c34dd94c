//! The decisions of the bus, without I/O: no clock, no server, no task.
//!
//! [`CatchUpSubscription`](crate::CatchUpSubscription) and [`Publisher`](crate::Publisher) pass messages and answers to
//! these state machines and execute their decisions. Time is a parameter. So `tests/simulation` can run the same decisions
//! through millions of outages and repeat each of them from its seed.

mod catch_up;
mod continuity;
mod patience;
mod publisher;
mod stream;

pub use catch_up::{CatchUpCore, Judge, Next};
pub use continuity::{Continuity, Verdict};
pub use publisher::{Outgoing, PublisherCore, Stop};
pub use stream::{LiveStream, first_of_new_stream};

pub use crate::message::Claim;
