//! Repeatable random numbers: one seed gives the same numbers on every machine and in every build. Libraries do not promise
//! that across versions.

/// `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(crate) const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `lowest`, `lowest + 1`, … `highest`.
    pub(crate) const fn between(&mut self, lowest: u64, highest: u64) -> u64 {
        lowest + self.roll() % (highest - lowest + 1)
    }

    /// One of them; there is at least one.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let last = of.len() as u64 - 1;
        of[usize::try_from(self.between(0, last)).unwrap_or(0)]
    }

    /// Above 0, and at most 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what the type holds")]
    pub(crate) fn part(&mut self) -> f64 {
        ((self.roll() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// In any order.
    pub(crate) fn shuffle<T>(&mut self, cards: &mut [T]) {
        for last in (1..cards.len()).rev() {
            let other = usize::try_from(self.between(0, last as u64)).unwrap_or(0);
            cards.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn numbers_are_the_published_ones() {
        let mut dice = Dice::new(1_234_567);
        let thrown = [dice.roll(), dice.roll(), dice.roll()];
        assert_eq!(
            thrown,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }
}
