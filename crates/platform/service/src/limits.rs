//! How many requests one reader, and one address, may send.
//!
//! The generic cell rate algorithm: a reader has a burst, which fills up again at a steady rate. Redis holds the state for
//! all instances, under its own clock, as one number for each reader: the moment when the burst is full again. One script
//! charges a request to its address and to its reader, all or nothing, in one round trip. Without Redis each instance counts
//! alone, at its share of the limits. Nothing that happens to Redis fails a request.
//!
//! Redis sees no address and no user id, but a keyed hash of each.

mod answer;
mod class;
mod limit;
mod limiter;
mod local;
mod pace;
mod shared;
mod table;

use clap::Args;

pub use answer::Verdict;
pub(crate) use answer::limited;
pub use class::Class;
pub use limiter::{Limiter, Reader};
pub use table::Limits;

use crate::redis::Redis;
use crate::return_key::ReturnKey;

/// Separates the key of the pseudonyms from all others that follow from the same secret.
const PURPOSE: &[u8] = b"bilsport rate limits 1";

/// The limits, and how they are shared.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct LimitOptions {
    /// Limits of requests, separated by commas: CLASS=COUNT/UNIT:BURST with the unit s, min or h, or CLASS=off. Classes that
    /// are not named keep their default. `off` alone switches all off
    #[arg(long, env = "RATE_LIMITS", value_name = "LIMITS", default_value_t = Limits::default())]
    pub rate_limits: Limits,
    /// How many instances of this program there are: without Redis each allows its share of the limits
    #[arg(long, env = "RATE_LIMIT_INSTANCES", default_value_t = 1, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rate_limit_instances: u16,
}

impl LimitOptions {
    /// The limiter of a program. `key` is the same at all instances.
    pub fn limiter(&self, program: &'static str, redis: Option<Redis>, key: &ReturnKey) -> Limiter {
        Limiter::new(program, self, redis, key.derived(PURPOSE))
    }
}
