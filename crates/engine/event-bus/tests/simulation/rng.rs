//! Chance that can be repeated: everything random in a run comes from its seed, by way of one of these.

use std::cell::Cell;
use std::ops::RangeInclusive;

/// `SplitMix64`: small, fast, and good enough to draw faults.
pub(crate) struct Rng(Cell<u64>);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in the range. Slightly uneven for huge ranges, which nothing here depends on.
    pub(crate) fn between(&self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        low + self.next() % (high - low + 1)
    }

    /// True that many times in a thousand.
    pub(crate) fn chance(&self, per_mille: u64) -> bool {
        self.next() % 1_000 < per_mille
    }

    pub(crate) fn pick<'a, T>(&self, choices: &'a [T]) -> &'a T {
        let index = self.next() % choices.len() as u64;
        &choices[usize::try_from(index).unwrap()]
    }
}
