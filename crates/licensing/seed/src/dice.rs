//! Everything that chance decides, from one seed.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use uuid::{Builder, Uuid};

/// A sequence of throws that follows from its seed.
pub(crate) struct Dice(Rng);

impl Dice {
    /// The throws of one purpose: other purposes' throws do not change them.
    pub(crate) fn of(seed: u64, purpose: u64) -> Self {
        // Two throws apart, so that neighbouring seeds and purposes have nothing in common.
        let mixed = Rng::with_seed(seed).u64(..)
            ^ Rng::with_seed(purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..);
        Self(Rng::with_seed(mixed))
    }

    /// Whether something happens that does so in `per_mille` of 1000 cases.
    pub(crate) fn happens(&mut self, per_mille: u32) -> bool {
        self.0.u32(0..1000) < per_mille
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0.usize(0..count.max(1))
    }

    /// A number from `first` to `last`.
    pub(crate) fn between(&mut self, first: i64, last: i64) -> i64 {
        self.0.i64(first..=last.max(first))
    }

    /// A share of 1, below 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0.f64()
    }

    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.0.usize(0..all.len())]
    }

    /// The place of one of the weights, by weight.
    pub(crate) fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut left = self.share() * weights.clone().sum::<f64>();
        let mut last = 0;
        for (place, weight) in weights.enumerate() {
            if left < weight {
                return place;
            }
            left -= weight;
            last = place;
        }
        last
    }

    /// Milliseconds from `first` to `last`.
    pub(crate) fn millis(&mut self, first: i64, last: i64) -> TimeDelta {
        TimeDelta::milliseconds(self.between(first, last))
    }

    /// An id as the shop makes one at this moment: version 7.
    pub(crate) fn id_at(&mut self, at: DateTime<Utc>) -> Uuid {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        let mut random = [0; 10];
        self.0.fill(&mut random);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// An id without a time: version 4.
    pub(crate) fn id(&mut self) -> Uuid {
        let mut random = [0; 16];
        self.0.fill(&mut random);
        Builder::from_random_bytes(random).into_uuid()
    }
}
